// Tells whether a file holds the whole of its picture: Firefox and WebKit show what there is of one
// that was cut off, and WebKit an empty one in place of one that is damaged.
// In: a file's bytes; out: true, false, or undefined for a kind whose end is not known here.
//
// Where the picture ends is told by its container. The rules are Python's: image.py, and Pillow.

import { textAt } from "./header.js";

/** @typedef {(bytes: Uint8Array, view: DataView) => boolean} Walk */

const PADDING = 4096; // zeros: more than any coder of pictures writes, and a lost end is made of them
const CRC = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

/** @type {[at: number, magic: string, walk: Walk][]} */
const WALKS = [
  [0, "\xff\xd8\xff", jpeg],
  [0, "\x89PNG\r\n\x1a\n", png],
  [8, "WEBP", webp],
  [0, "GIF8", gif],
  [0, "BM", bmp],
  [4, "ftyp", boxes],
];

/**
 * Tells whether all of a picture is there.
 * @param {Uint8Array} bytes
 */
export function isWhole(bytes) {
  const found = WALKS.find(([at, magic]) => textAt(bytes, at, magic.length) === magic);
  if (!found) return undefined;
  try {
    return found[2](bytes, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  } catch {
    return false; // it ends where more was promised
  }
}

/**
 * The mark of its end, after the first scan. What an editor or a phone puts behind it is no matter.
 * @type {Walk}
 */
function jpeg(bytes, view) {
  let at = 2;
  for (
    ;
    view.getUint8(at + 1) !== 0xda;
    at += view.getUint8(at + 1) === 0xff ? 1 : 2 + view.getUint16(at + 2)
  ) {
    if (view.getUint8(at) !== 0xff) return false;
  }
  do at = bytes.indexOf(0xff, at + 1);
  while (at !== -1 && bytes[at + 1] !== 0xd9);
  return at !== -1;
}

/**
 * Each chunk up to the last, with the checksum that it carries.
 * @type {Walk}
 */
function png(bytes, view) {
  for (let at = 8; ; ) {
    const [kind, end] = [textAt(bytes, at + 4, 4), at + 8 + view.getUint32(at)];
    if (view.getUint32(end) !== checksum(bytes.subarray(at + 4, end))) return false;
    if (kind === "IEND") return true;
    at = end + 4;
  }
}

/** @param {Uint8Array} bytes */
function checksum(bytes) {
  let sum = 0xffffffff;
  for (let at = 0; at < bytes.length; at++) sum = CRC[(sum ^ bytes[at]) & 0xff] ^ (sum >>> 8);
  return ~sum >>> 0;
}

/** @type {Walk} */
function webp(bytes, view) {
  const end = 8 + view.getUint32(4, true);
  return end <= bytes.length && !isPadded(bytes, end);
}

/**
 * The blocks of the first frame: nobody looks at another.
 * @type {Walk}
 */
function gif(_, view) {
  /** @param {number} flags */
  const table = (flags) => (flags & 0x80 ? 3 << ((flags & 7) + 1) : 0);
  let at = 13 + table(view.getUint8(10));
  for (;;) {
    const kind = view.getUint8(at);
    if (kind === 0x2c) at += 11 + table(view.getUint8(at + 9));
    else if (kind === 0x21) at += 2;
    else return false;
    while (view.getUint8(at)) at += 1 + view.getUint8(at);
    at += 1;
    if (kind === 0x2c) return true;
  }
}

/**
 * As many rows as it is high, if they are not packed.
 * @type {Walk}
 */
function bmp(bytes, view) {
  const old = view.getUint32(14, true) === 12; // OS/2's header
  const [width, height] = old
    ? [view.getUint16(18, true), view.getUint16(20, true)]
    : [view.getInt32(18, true), Math.abs(view.getInt32(22, true))];
  const bits = view.getUint16(old ? 24 : 28, true);
  const packed = !old && ![0, 3, 6].includes(view.getUint32(30, true));
  const row = 4 * Math.ceil((width * bits) / 32);
  return view.getUint32(10, true) + (packed ? 1 : row * height) <= bytes.length;
}

/**
 * AVIF and HEIC: the box of what describes the picture, and the one of what it is made of.
 * @type {Walk}
 */
function boxes(bytes, view) {
  const missing = new Set(["meta", "mdat"]);
  for (let at = 0; missing.size; ) {
    let size = view.getUint32(at);
    if (size === 1) size = Number(view.getBigUint64(at + 8)); // in 64 bits
    if (size === 0) size = bytes.length - at; // all the rest
    if (size < 8 || at + size > bytes.length || isPadded(bytes, at + size)) return false;
    missing.delete(textAt(bytes, at + 4, 4));
    at += size;
  }
  return true;
}

/** @param {Uint8Array} bytes @param {number} end */
function isPadded(bytes, end) {
  return end > PADDING && bytes.subarray(end - PADDING, end).every((byte) => byte === 0);
}
