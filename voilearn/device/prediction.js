// What the model says of one photo: the Prediction that every other way of asking gives, too.
// In: probabilities in the order of the model's classes; out: a Prediction as JSON.

import { PageError } from "./errors.js";

// Returns the same as predict_from and to_dict in voilearn/prediction.py.
export function predictFrom(probabilities, { name, sha256, task, classes, thresholds }) {
  check(probabilities, classes);
  const floor = new Map(classes.map((label, at) => [label, thresholds?.[at] ?? 0.5]));
  const ranked = classes.map((label, at) => [label, probabilities[at]]).sort((a, b) => b[1] - a[1]);
  const reached = ([label, probability]) => probability >= floor.get(label);
  const found = task === "multi-label" ? ranked.filter(reached) : [ranked[0]];
  return {
    label: found[0]?.[0] ?? null,
    probability: (found[0] ?? ranked[0])[1],
    probabilities: Object.fromEntries(ranked),
    labels: found.map(([label]) => label),
    in_scope: null,
    model: { name, sha256, task, classes },
  };
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
