// A Prediction of a model's numbers: what predict_from of voilearn/prediction.py gives for the same.

import assert from "node:assert/strict";
import { test } from "node:test";
import { PageError } from "../../voilearn/device/errors.js";
import { predictFrom } from "../../voilearn/device/prediction.js";

/**
 * @import { Model } from "../../voilearn/device/prediction.js"
 * @param {Partial<Model>} [changes]
 * @returns {Model}
 */
const model = (changes) => ({
  name: "bears",
  sha256: "0".repeat(64),
  task: "single-label",
  classes: ["a", "b", "c", "d"],
  thresholds: null,
  ...changes,
});
const MANY = model({ task: "multi-label" });

test("the likeliest class is the answer, and of two alike the first", () => {
  const told = predictFrom({ probabilities: [0.1, 0.4, 0.1, 0.4] }, model({ agreement: 0.001 }));
  const { thresholds, ...info } = model();
  assert.deepEqual(told, {
    label: "b",
    probability: 0.4,
    probabilities: { b: 0.4, d: 0.4, a: 0.1, c: 0.1 },
    labels: ["b"],
    in_scope: null,
    model: info,
    runtime: "onnxruntime-web",
    agreement: 0.001,
  });
  assert.deepEqual(Object.keys(told.probabilities), ["b", "d", "a", "c"]); // the highest first
  assert.equal(thresholds, null);
});

test("one label is given however little the model is sure", () => {
  const { label, labels, probability } = predictFrom(
    { probabilities: [0.2, 0.25, 0.3, 0.25] },
    model({ thresholds: [1, 1, 1, 1] }),
  );
  assert.deepEqual([label, labels, probability], ["c", ["c"], 0.3]);
});

test("of many labels, those at a half or above are found, the highest first", () => {
  const { label, labels, probability } = predictFrom({ probabilities: [0.1, 0.5, 0.9, 0.49999] }, MANY);
  assert.deepEqual([label, labels, probability], ["c", ["c", "b"], 0.9]);
});

test("each class is held to its own threshold", () => {
  const strict = model({ task: "multi-label", thresholds: [0.1, 0.6, 0.95, 0.5] });
  const { label, labels, probability } = predictFrom({ probabilities: [0.1, 0.5, 0.9, 0.49999] }, strict);
  assert.deepEqual([label, labels, probability], ["a", ["a"], 0.1]);
});

test("where none is found there is no label, and the likeliest class's probability", () => {
  const { label, labels, probability } = predictFrom({ probabilities: [0.1, 0.2, 0.3, 0.2] }, MANY);
  assert.deepEqual([label, labels, probability], [null, [], 0.3]);
});

test("numbers that are no probabilities of these classes are the model's fault", () => {
  for (const numbers of [
    [],
    [0.5, 0.5],
    [0.2, 0.2, 0.2, 0.2, 0.2],
    [NaN, 0, 0, 0],
    [1, 0, 0, Infinity],
    [1.1, 0, 0, 0],
    [-0.1, 0, 0, 1],
  ]) {
    assert.throws(
      () => predictFrom({ probabilities: numbers }, model()),
      (error) => error instanceof PageError && !error.retry && error.key === "noAnswer",
      `${numbers}`,
    );
  }
});

test("a rounding above 1 or below 0 is none of that", () => {
  assert.equal(predictFrom({ probabilities: [1.0005, -0.0005, 0, 0] }, model()).label, "a");
});
