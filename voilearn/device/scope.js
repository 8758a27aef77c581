// What a model knows: the same as voilearn/scope.py gives for the same numbers.
// In: what a network gave for a photo, and the scope that was compiled with it; out: probabilities,
// and whether the photo is of one of the classes.

/**
 * A matrix: each row of whole numbers, in base64, has a scale of its own.
 * @typedef {({ columns: number, scales: number[], int8: string })} Rows
 * @typedef {({ kind: string, threshold: number, rows?: Rows, bias?: number })} Term
 * @typedef {({ temperature: number | null, activation: string | null, terms: Term[] })} Scope
 *
 * What a network gave, in the order of its classes, and what its last layer was given.
 * @typedef {({ probabilities: number[], logits?: number[], features?: number[] })} Outputs
 */

/**
 * Returns the probabilities at the scope's temperature.
 * @param {Outputs} outputs
 * @param {Scope | undefined} scope
 */
export function calibrated({ probabilities, logits }, scope) {
  const temperature = scope?.temperature;
  if (!temperature || !logits) return probabilities;
  const cooled = logits.map((each) => each / temperature);
  if (scope.activation === "sigmoid") return cooled.map((each) => 0.5 + 0.5 * Math.tanh(each / 2));
  const top = Math.max(...cooled);
  const grown = cooled.map((each) => Math.exp(each - top));
  const sum = grown.reduce((one, other) => one + other);
  return grown.map((each) => each / sum);
}

/**
 * Tells whether a photo is of one of the classes; null where that can't be told.
 * @param {Outputs} outputs
 * @param {Scope | undefined} scope
 */
export function isKnown(outputs, scope) {
  if (!scope?.terms.length) return null;
  return scope.terms.every((term) => measuredBy(term, outputs) >= term.threshold);
}

/** @param {Term} term @param {Outputs} outputs */
function measuredBy({ kind, rows, bias = 0 }, { logits = [], features = [] }) {
  if (kind === "energy") {
    const top = Math.max(...logits);
    return top + Math.log(logits.reduce((sum, each) => sum + Math.exp(each - top), 0));
  }
  const { columns, scales, int8 } = /** @type {Rows} */ (rows);
  const numbers = Int8Array.from(atob(int8), (each) => each.charCodeAt(0)); // wraps to -127 to 127
  const long = Math.hypot(...features) || 1;
  const products = scales.map((scale, row) => {
    const weights = numbers.subarray(row * columns, (row + 1) * columns);
    let [sum, length] = [0, 0];
    weights.forEach((weight, at) => {
      sum += (weight * features[at]) / long;
      length += weight * weight;
    });
    return kind === "means" ? sum / (Math.sqrt(length) || 1) : sum * scale;
  });
  return kind === "means" ? Math.max(...products) : bias - products[0];
}
