// Rows of a picture, without a canvas where a browser has its pixels to copy; by a canvas where not.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { stripsOf } from "../../voilearn/page/strips.js";

/** @typedef {({ x: number, y: number, width: number, height: number })} Rect */

const SIZE = { width: 4, height: 3 };
const PICTURE = { ...SIZE, file: SIZE, source: /** @type {ImageBitmap} */ ({}) };
const DRAWN = 7; // what stands in each byte that a canvas tells
/** @type {{ format?: string | null, codedWidth?: number, copies?: boolean, isFirefox?: boolean }} */
let browser = {};
let open = 0;

class StubFrame {
  format = browser.format;
  codedWidth = browser.codedWidth ?? 4;
  codedHeight = 3;

  constructor() {
    open++;
  }

  /** @param {Uint8ClampedArray} into @param {{ rect: Rect }} where */
  async copyTo(into, { rect }) {
    if (browser.copies === false) throw new TypeError("not this one");
    into.fill(rect.y, 0, 4 * rect.width * rect.height);
  }

  close() {
    open--;
  }
}

class StubCanvas {
  /** @param {number} width @param {number} height */
  constructor(width, height) {
    Object.assign(this, { width, height });
  }

  getContext() {
    const getImageData = (/** @type {number[]} */ ...[, , width, height]) => ({
      data: new Uint8ClampedArray(4 * width * height).fill(DRAWN),
      width,
      height,
    });
    return { fillRect() {}, drawImage() {}, getImageData };
  }
}

const navigator = { get: () => (browser.isFirefox ? {} : { userAgentData: {} }), configurable: true };
Object.defineProperty(globalThis, "navigator", navigator);

beforeEach(() => {
  [browser, open] = [{ format: "BGRX" }, 0];
  Object.assign(globalThis, { VideoFrame: StubFrame, OffscreenCanvas: StubCanvas });
});

for (const [format, blueFirst] of /** @type {const} */ ([
  ["BGRX", true],
  ["RGBX", false],
])) {
  test(`rows are copied of a frame of ${format}, which is let go in the end`, async () => {
    browser = { format };
    const strips = await stripsOf(PICTURE, 2, true);
    const strip = await strips.read(1, 2);
    assert.deepEqual([strip.width, strip.height, strip.blueFirst], [4, 2, blueFirst]);
    assert.deepEqual(new Set(strip.data.subarray(0, 32)), new Set([1]));
    assert.equal(open, 1);
    strips.close();
    assert.equal(open, 0);
  });
}

test("a canvas draws what is not plain, what may be transparent, and what no frame can be had of", async () => {
  const plain = [false, true, true, true, true, true, true];
  for (const [index, told] of [
    { format: "BGRX" },
    { format: "BGRX", isFirefox: true },
    { format: "BGRA" },
    { format: "I420" },
    { format: null },
    { format: "BGRX", codedWidth: 3 }, // it lies on its side
    { format: "BGRX", copies: false },
  ].entries()) {
    browser = told;
    const strip = await (await stripsOf(PICTURE, 2, plain[index])).read(0, 2);
    assert.deepEqual(new Set(strip.data), new Set([DRAWN]), JSON.stringify(told));
    assert.ok(!strip.blueFirst);
    assert.equal(open, 0);
  }
  Object.assign(globalThis, { VideoFrame: undefined });
  assert.equal((await (await stripsOf(PICTURE, 2, true)).read(0, 1)).data[0], DRAWN);
});
