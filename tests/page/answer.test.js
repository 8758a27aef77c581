// A Prediction in words; the bars are looked at in a browser.

import assert from "node:assert/strict";
import { test } from "node:test";
import "../scripts/english.js";
import { captionOf, descriptionOf, ranked, sentenceOf } from "../../voilearn/page/answer.js";

/**
 * @import { Prediction } from "../../voilearn/page/types.d.ts"
 * @param {Record<string, number>} probabilities
 * @param {Partial<Prediction>} [changes]
 * @returns {Prediction}
 */
function prediction(probabilities, changes) {
  const [[label, probability]] = ranked({ probabilities });
  const classes = Object.keys(probabilities);
  const model = { name: "m", sha256: "0", task: /** @type {const} */ ("single-label"), classes };
  return { label, probability, probabilities, labels: [label], in_scope: null, model, ...changes };
}

const BEAR = prediction({ grizzly: 0.97, black: 0.02, teddy: 0.01 });

test("an answer names its class with a capital, or as the author says it", () => {
  assert.equal(sentenceOf(BEAR), "Grizzly, 97 % sure");
  assert.equal(sentenceOf(BEAR, { grizzly: { name: "a brown bear" } }), "a brown bear, 97 % sure");
  assert.equal(sentenceOf(BEAR, { grizzly: { description: "Large." } }), "Grizzly, 97 % sure");
});

test("classes are named by what stands in the author's table, and by nothing every table has", () => {
  const odd = prediction({ constructor: 0.95, other: 0.05 });
  assert.equal(sentenceOf(odd, {}), "Constructor, 95 % sure");
  assert.equal(descriptionOf(odd, {}), "");
});

test("an answer in two words, for below a small picture", () => {
  assert.equal(captionOf(BEAR, { grizzly: { name: "a brown bear" } }), "a brown bear 97 %");
  assert.equal(captionOf(BEAR), "Grizzly 97 %");
  assert.equal(captionOf({ ...BEAR, label: null, labels: [] }), "No answer");
});

test("the author's sentence of a class stands with its answer where that is sure, and with no other", () => {
  const classes = { grizzly: { description: "Large and brown." }, black: { description: "Small." } };
  assert.equal(descriptionOf(BEAR, classes), "Large and brown.");
  assert.equal(descriptionOf({ ...BEAR, label: null, labels: [] }, classes), "");
  assert.equal(descriptionOf(BEAR), "");
  assert.equal(descriptionOf({ ...BEAR, probability: 0.89 }, classes), "");
});

test("a photo of something else is said to be that, with the nearest as an aside", () => {
  const strange = { ...BEAR, in_scope: false };
  const classes = { grizzly: { name: "a brown bear", description: "It is safe to come nearer." } };
  assert.equal(sentenceOf(strange, classes), "This doesn't look like any of the things I know");
  assert.equal(descriptionOf(strange, classes), "The nearest of them: a brown bear");
  assert.equal(captionOf(strange, classes), "None of these");
  assert.equal(sentenceOf({ ...BEAR, in_scope: true }), "Grizzly, 97 % sure");
  const many = { ...strange.model, task: /** @type {const} */ ("multi-label") };
  const none = { ...strange, label: null, labels: [], model: many };
  assert.equal(sentenceOf(none), "This doesn't look like any of the things I know");
  assert.equal(descriptionOf(none), "The nearest of them: Grizzly");
  assert.equal(captionOf(none), "None of these");
});

test("of many labels, all that were found are named, by the author's names", () => {
  const many = { ...BEAR.model, task: /** @type {const} */ ("multi-label") };
  const found = prediction({ dog: 0.9, cat: 0.8, cow: 0.1 }, { labels: ["dog", "cat"], model: many });
  assert.equal(sentenceOf(found, { cat: { name: "kitten" } }), "Dog, kitten");
  const none = prediction({ dog: 0.1, cat: 0.2 }, { label: null, labels: [], model: many });
  assert.equal(sentenceOf(none), "None of the 2 things this model knows");
});

test("classes stand by probability, also those that are numbers", () => {
  const digits = ranked({ probabilities: { 3: 0.1, 7: 0.7, three: 0.2 } });
  assert.deepEqual(digits, [
    ["7", 0.7],
    ["three", 0.2],
    ["3", 0.1],
  ]);
});
