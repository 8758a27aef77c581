// Whether a browser's canvases can be read: faithful ones, such as change a little, and noise.

import assert from "node:assert/strict";
import { test } from "node:test";
import { showsPixels } from "../../voilearn/page/pixels.js";

/** @param {(level: number, at: number) => number} change */
function pen(change) {
  const made = (/** @type {number} */ width, /** @type {number} */ height) => ({
    data: new Uint8ClampedArray(4 * width * height),
  });
  let kept = made(0, 0);
  return /** @type {any} */ ({
    createImageData: made,
    putImageData: (/** @type {typeof kept} */ drawn) => (kept = { data: drawn.data.map(change) }),
    getImageData: () => kept,
  });
}

const BROWSERS = /** @type {const} */ ([
  ["one that shows them", (/** @type {number} */ level) => level, true],
  [
    "one that changes the last bit",
    (/** @type {number} */ level, /** @type {number} */ at) => level ^ (at % 3 ? 0 : 1),
    true,
  ],
  ["one that makes them all white", () => 255, false],
  ["one that makes them all nothing", () => 0, false],
  [
    "one that gives noise",
    (/** @type {number} */ _, /** @type {number} */ at) => (at * 7919 + 13) % 251,
    false,
  ],
]);
for (const [name, change, shows] of BROWSERS) {
  test(`${name} ${shows ? "can" : "can't"} be read`, () => assert.equal(showsPixels(pen(change)), shows));
}
