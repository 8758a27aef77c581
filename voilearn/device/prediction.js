// What the model says of one photo: the Prediction that every other way of asking gives, too.
// In: probabilities in the order of the model's classes; out: a Prediction as JSON.

/**
 * @import { ModelInfo, Prediction } from "../page/types.d.ts"
 *
 * What a model is, and how it answers: voilearn/compiled/description.py.
 * @typedef {ModelInfo & { thresholds: number[] | null, agreement?: number, scope?: Scope }} Model
 *
 * @import { Outputs, Scope } from "./scope.js"
 */
import { PageError } from "./errors.js";
import { calibrated, isKnown } from "./scope.js";

/**
 * Returns the same as Scope.answer in voilearn/scope.py, and to_dict in voilearn/prediction.py.
 * @param {Outputs} outputs
 * @param {Model} model
 * @returns {Prediction}
 */
export function predictFrom(outputs, model) {
  const { name, sha256, task, classes, thresholds, agreement = null, scope } = model;
  const probabilities = calibrated(outputs, scope);
  check(probabilities, classes);
  const ranked = classes
    .map((label, at) => ({ label, probability: probabilities[at], floor: thresholds?.[at] ?? 0.5 }))
    .sort((a, b) => b.probability - a.probability);
  const reached = ranked.filter(({ probability, floor }) => probability >= floor);
  const found = task === "multi-label" ? reached : ranked.slice(0, 1);
  return {
    label: found[0]?.label ?? null,
    probability: (found[0] ?? ranked[0]).probability,
    probabilities: Object.fromEntries(ranked.map(({ label, probability }) => [label, probability])),
    labels: found.map(({ label }) => label),
    in_scope: isKnown(outputs, scope),
    model: { name, sha256, task, classes },
    runtime: "onnxruntime-web",
    agreement,
  };
}

/** @param {number[]} probabilities @param {string[]} classes */
function check(probabilities, classes) {
  /** @param {number} p */
  const usable = (p) => Number.isFinite(p) && p >= -1e-3 && p <= 1 + 1e-3;
  if (probabilities.length === classes.length && probabilities.every(usable)) return;
  const values = { numbers: probabilities.length, classes: classes.length };
  throw new PageError("noAnswer", { values, retry: false });
}
