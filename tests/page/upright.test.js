// What is turned here and not by the browser: EXIF of JPEG, PNG and WebP, in each of its oddities.

import assert from "node:assert/strict";
import { test } from "node:test";
import { unturned } from "../../voilearn/page/upright.js";

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

/** @param {number} marker @param {Uint8Array} data */
const segment = (marker, data) =>
  Buffer.concat([Buffer.from([0xff, marker]), four(2 + data.length, false).subarray(2), data]);

/** @param {Uint8Array} data @param {Uint8Array[]} [more]  segments behind it */
function jpeg(data, more = []) {
  const told = segment(0xe1, Buffer.concat([Buffer.from("Exif\0\0"), data]));
  const [start, padding] = [Buffer.from([0xff, 0xd8]), Buffer.from([0xff])];
  const scan = Buffer.from("\xff\xda\0\x02pixels\xff\xd9", "latin1");
  return Buffer.concat([start, segment(0xe0, Buffer.from("JFIF\0")), padding, told, ...more, scan]);
}

const PROFILE = segment(0xe2, Buffer.from("ICC_PROFILE\0\x01\x01colours"));
const QUANTA = segment(0xdb, Buffer.from("quanta"));

/** @param {Uint8Array} bytes */
const turn = (bytes) => unturned(new Blob([new Uint8Array(bytes)]), bytes);

for (let told = 1; told <= 8; told++) {
  test(`orientation ${told} is read of a JPEG, PNG and WebP, in either order of bytes`, () => {
    for (const little of [true, false]) {
      assert.equal(turn(jpeg(exif(told, { little }))).orientation, told);
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
    for (const bytes of [jpeg(odd), png(odd), webp(odd)]) {
      const { file, orientation } = turn(bytes);
      assert.equal(orientation, 1);
      assert.equal(file.size, bytes.length);
    }
  }
});

test("of a JPEG's several EXIF the first tells, and none is left", async () => {
  const other = segment(0xe1, Buffer.concat([Buffer.from("Exif\0\0"), exif(3)]));
  const { file, orientation } = turn(jpeg(exif(8), [QUANTA, other]));
  assert.equal(orientation, 8);
  const left = Buffer.from(await file.arrayBuffer());
  assert.ok(!left.includes("Exif") && left.includes("quanta"));
});

test("a JPEG's colours are what its pixels say: no profile is left, nor told to be kept", async () => {
  for (const told of [1, 6]) {
    const { file, plain } = turn(jpeg(exif(told), [PROFILE, QUANTA, PROFILE]));
    assert.ok(plain);
    const left = Buffer.from(await file.arrayBuffer());
    assert.ok(!left.includes("ICC_PROFILE"));
    assert.ok(left.includes(QUANTA) && left.includes("JFIF"));
  }
  for (const other of [png(exif(6)), webp(exif(1)), Buffer.from("GIF89a")]) assert.ok(!turn(other).plain);
});

test("a JPEG that has nothing to turn or convert is not copied", () => {
  const bytes = jpeg(exif(1), [QUANTA]);
  const file = new Blob([new Uint8Array(bytes)]);
  assert.equal(unturned(file, bytes).file, file);
});

test("a JPEG whose segments end too early is left to the browser", () => {
  for (const end of [3, 20, 40]) {
    const { file, orientation, plain } = turn(jpeg(exif(6)).subarray(0, end));
    assert.deepEqual([file.size, orientation, plain], [end, 1, false]);
  }
  const astray = Buffer.concat([Buffer.from("\xff\xd8\xff\xe0\0\x02", "latin1"), jpeg(exif(6)).subarray(20)]);
  assert.equal(turn(astray).orientation, 1);
});

test("the file that is decoded tells no orientation, so that no browser turns it too", async () => {
  for (const bytes of [jpeg(exif(6)), png(exif(6)), webp(exif(6))]) {
    const { file } = turn(bytes);
    const left = new Uint8Array(await file.arrayBuffer());
    assert.equal(turn(left).orientation, 1);
    for (const kind of ["JFIF", "pixels", "IDAT", "IEND", "VP8 "]) {
      assert.equal(Buffer.from(left).includes(kind), bytes.includes(kind));
    }
  }
});
