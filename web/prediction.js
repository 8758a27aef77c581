// What the model says of one photo, in words: the sentences and bars of the notebook's page.
// In: probabilities in the order of the model's classes; out: a label, a sentence, bars.

import { PageError } from "./errors.js";

// Returns {label, labels, ranked}; `ranked` is [class, probability], highest first.
export function predictFrom(probabilities, { task, classes, thresholds }) {
  check(probabilities, classes);
  const ranked = classes.map((name, at) => [name, probabilities[at]]).sort((a, b) => b[1] - a[1]);
  const floor = new Map(classes.map((name, at) => [name, thresholds?.[at] ?? 0.5]));
  const labels =
    task === "multi-label"
      ? ranked.filter(([name, probability]) => probability >= floor.get(name)).map(([name]) => name)
      : [ranked[0][0]];
  return { label: labels[0] ?? null, labels, ranked };
}

// Says it in words: "grizzly, 97 % sure".
export function sentenceOf({ label, labels, ranked }, { task }) {
  if (task === "multi-label") {
    return labels.join(", ") || `none of the ${ranked.length} things this model knows`;
  }
  const probability = ranked[0][1];
  const sure = `${percent(probability)} sure`;
  return probability < 0.5 ? `perhaps ${label}, but only ${sure}` : `${label}, ${sure}`;
}

// Returns [label, probability, percent] for every class, highest first.
export function barsOf({ ranked }) {
  return ranked.map(([name, probability]) => [name, probability, percent(probability)]);
}

// Writes a probability in whole percent, and never as a certainty.
export function percent(probability) {
  const rounded = Math.round(100 * probability);
  return rounded < 1 ? "under 1 %" : rounded > 99 ? "over 99 %" : `${rounded} %`;
}

function check(probabilities, classes) {
  const usable = (p) => Number.isFinite(p) && p >= -1e-3 && p <= 1 + 1e-3;
  if (probabilities.length === classes.length && probabilities.every(usable)) return;
  throw new PageError(
    `The model's answer can't be read: it gave ${probabilities.length} numbers for its ` +
      `${classes.length} classes, or some that are no probabilities. Whoever runs this page can ` +
      "compile it anew with: make web",
    { retry: false },
  );
}
