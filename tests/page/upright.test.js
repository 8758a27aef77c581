// What is turned here and not by the browser: EXIF of PNG and WebP, in each of its oddities.

import assert from "node:assert/strict";
import { test } from "node:test";
import { drawUpright, unturned } from "../../voilearn/page/upright.js";

const SHORT = 3;
const LONG = 4;

/** @param {number} told @param {{ type?: number, count?: number, little?: boolean, prefix?: string }} [oddity] */
function exif(told, { type = SHORT, count = 1, little = true, prefix = "" } = {}) {
  const view = new DataView(new ArrayBuffer(26));
  view.setUint16(0, little ? 0x4949 : 0x4d4d);
  view.setUint16(2, 42, little);
  view.setUint32(4, 8, little);
  view.setUint16(8, 1, little);
  view.setUint16(10, 0x0112, little);
  view.setUint16(12, type, little);
  view.setUint32(14, count, little);
  if (type === LONG) view.setUint32(18, told, little);
  else view.setUint16(18, told, little);
  return Buffer.concat([Buffer.from(prefix, "latin1"), new Uint8Array(view.buffer)]);
}

/** @param {number} number @param {boolean} little */
function four(number, little) {
  const view = new DataView(new ArrayBuffer(4));
  view.setUint32(0, number, little);
  return Buffer.from(view.buffer);
}

/** @param {string} kind @param {Uint8Array} data */
const chunk = (kind, data) =>
  Buffer.concat([four(data.length, false), Buffer.from(kind), data, four(0, false)]);

/** @param {Uint8Array} data @param {boolean} [late] */
function png(data, late = false) {
  const [pixels, told] = [chunk("IDAT", Buffer.from("pixels")), chunk("eXIf", data)];
  const parts = late ? [pixels, told] : [told, pixels];
  return Buffer.concat([
    Buffer.from("\x89PNG\r\n\x1a\n", "latin1"),
    ...parts,
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

/** @param {Uint8Array} data */
function webp(data) {
  /** @param {string} kind @param {Uint8Array} held */
  const part = (kind, held) =>
    Buffer.concat([Buffer.from(kind), four(held.length, true), held, Buffer.alloc(held.length % 2)]);
  const parts = [Buffer.from("WEBP"), part("VP8 ", Buffer.from("odd")), part("EXIF", data)];
  const all = Buffer.concat(parts);
  return Buffer.concat([Buffer.from("RIFF"), four(all.length, true), all]);
}

/** @param {Uint8Array} bytes */
const turn = (bytes) => unturned(new Blob([new Uint8Array(bytes)]), bytes);

for (let told = 1; told <= 8; told++) {
  test(`orientation ${told} is read of a PNG and of a WebP, in either order of bytes`, () => {
    for (const little of [true, false]) {
      assert.equal(turn(png(exif(told, { little }))).orientation, told);
      assert.equal(turn(png(exif(told, { little }), true)).orientation, told);
      assert.equal(turn(webp(exif(told, { little }))).orientation, told);
      assert.equal(turn(webp(exif(told, { little, prefix: "Exif\0\0" }))).orientation, told);
    }
  });
}

test("what is none of the eight, or no short number, counts as upright", () => {
  for (const odd of [
    exif(0),
    exif(9),
    exif(6, { type: LONG }),
    exif(6, { count: 2 }),
    Buffer.from("II"),
    Buffer.alloc(0),
  ]) {
    for (const bytes of [png(odd), webp(odd)]) {
      const { file, orientation } = turn(bytes);
      assert.equal(orientation, 1);
      assert.equal(file.size, bytes.length);
    }
  }
});

test("a JPEG is left to the browser", () => {
  assert.equal(turn(Buffer.from("\xff\xd8\xff\xe1\0\x22Exif\0\0", "latin1")).orientation, 1);
});

test("the file that is decoded tells no orientation, so that no browser turns it too", async () => {
  for (const bytes of [png(exif(6)), webp(exif(6))]) {
    const { file } = turn(bytes);
    const left = new Uint8Array(await file.arrayBuffer());
    assert.equal(turn(left).orientation, 1);
    for (const kind of ["IDAT", "IEND", "VP8 "]) {
      assert.equal(Buffer.from(left).includes(kind), bytes.includes(kind));
    }
  }
});

test("each orientation puts the first pixel where it belongs, and fills the canvas", () => {
  const corners = ["0,0", "40,0", "40,30", "0,30", "0,0", "40,0", "40,30", "0,30"];
  for (const [index, corner] of corners.entries()) {
    /** @type {number[]} */
    let matrix = [];
    /** @type {number[]} */
    let drawn = [];
    const pen = {
      canvas: { width: 40, height: 30 },
      setTransform: (/** @type {number[]} */ ...values) => (matrix = values),
      drawImage: (/** @type {unknown} */ _, /** @type {number[]} */ ...values) => (drawn = values),
    };
    drawUpright(/** @type {any} */ (pen), /** @type {any} */ (undefined), index + 1);
    const [a, b, c, d, e, f] = matrix;
    const [, , width, height] = drawn;
    assert.equal(`${e},${f}`, corner);
    const far = [a * width + c * height + e, b * width + d * height + f];
    assert.deepEqual(
      far.map((side, at) => Math.abs(side - [e, f][at])),
      [40, 30],
    );
  }
});
