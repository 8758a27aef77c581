// Takes from a file what each browser heeds in its own way: WebKit ignores the EXIF of a PNG, every
// browser that of a WebP; Chromium draws a turned JPEG in four times the time, WebKit converts colours.
// In: a file; out: one that no browser turns, and the orientation that it told.
//
// AVIF and HEIC are turned by every browser. XMP and a PNG's texts tell nothing: image.py.

import { textAt } from "./header.js";

/**
 * @typedef {({ from: number, to: number, instead: string })} Cut  what to put in the place of bytes
 * @typedef {({ exif?: Uint8Array, exifCuts: Cut[], profileCuts: Cut[] })} Extras
 */

const ORIENTATION = 0x0112;
const SHORT = 3;

/**
 * Returns a file that no browser turns, and its orientation: 1 where there is nothing left to turn.
 * `plain` tells that there is nothing but pixels in it, which every browser decodes alike.
 * @param {Blob} file
 * @param {Uint8Array} bytes  all of it
 */
export function unturned(file, bytes) {
  const plain = textAt(bytes, 0, 2) === "\xff\xd8";
  try {
    const { exif, exifCuts, profileCuts } = extrasOf(bytes);
    const orientation = exif ? orientationIn(exif) : 1;
    const cuts = orientation === 1 ? profileCuts : [...exifCuts, ...profileCuts];
    return { file: cuts.length ? without(file, cuts) : file, orientation, plain };
  } catch {
    return { file, orientation: 1, plain: false }; // broken EXIF takes nothing away from the picture
  }
}

/** @param {Blob} file @param {Cut[]} cuts */
function without(file, cuts) {
  /** @type {BlobPart[]} */
  const parts = [];
  let at = 0;
  for (const { from, to, instead } of cuts.sort((one, other) => one.from - other.from)) {
    parts.push(file.slice(at, from), instead);
    at = to;
  }
  return new Blob([...parts, file.slice(at)], { type: file.type });
}

/**
 * Tells whether a picture's width becomes its height.
 * @param {number} orientation
 */
export function isSideways(orientation) {
  return orientation > 4;
}

/**
 * Finds the EXIF of a JPEG, PNG or WebP, and a JPEG's profile of colours.
 * @param {Uint8Array} bytes
 * @returns {Extras}
 */
function extrasOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (textAt(bytes, 0, 2) === "\xff\xd8") return jpegExtras(bytes, view);
  if (textAt(bytes, 0, 4) === "\x89PNG") return pngExtras(bytes, view);
  if (textAt(bytes, 8, 4) === "WEBP" && textAt(bytes, 0, 4) === "RIFF") return webpExtras(bytes, view);
  return { exifCuts: [], profileCuts: [] };
}

/**
 * Walks the segments to the one that begins the first scan. Of several with EXIF, the first tells.
 * @param {Uint8Array} bytes
 * @param {DataView} view
 */
function jpegExtras(bytes, view) {
  /** @type {Extras} */
  const found = { exifCuts: [], profileCuts: [] };
  for (let at = 2, to; ; at = to) {
    while (view.getUint8(at + 1) === 0xff) at++; // padding
    const marker = view.getUint16(at);
    if (marker === 0xffda) return found;
    if (marker <= 0xff00) throw new RangeError("no marker");
    to = at + 2 + view.getUint16(at + 2);
    const cut = { from: at, to, instead: "" };
    if (marker === 0xffe1 && textAt(bytes, at + 4, 6) === "Exif\0\0") {
      found.exif ??= bytes.subarray(at + 4, to);
      found.exifCuts.push(cut);
    }
    if (marker === 0xffe2 && textAt(bytes, at + 4, 12) === "ICC_PROFILE\0") found.profileCuts.push(cut);
  }
}

/**
 * @param {Uint8Array} bytes
 * @param {DataView} view
 * @returns {Extras}
 */
function pngExtras(bytes, view) {
  for (let at = 8, to; at + 12 <= bytes.length; at = to) {
    to = at + 12 + view.getUint32(at);
    if (textAt(bytes, at + 4, 4) !== "eXIf") continue;
    return {
      exif: bytes.subarray(at + 8, to - 4),
      exifCuts: [{ from: at, to, instead: "" }],
      profileCuts: [],
    };
  }
  return { exifCuts: [], profileCuts: [] };
}

/**
 * @param {Uint8Array} bytes
 * @param {DataView} view
 * @returns {Extras}
 */
function webpExtras(bytes, view) {
  for (let at = 12, to; at + 8 <= bytes.length; at = to) {
    const size = view.getUint32(at + 4, true);
    to = at + 8 + size + (size & 1);
    if (textAt(bytes, at, 4) !== "EXIF") continue;
    return {
      exif: bytes.subarray(at + 8, at + 8 + size),
      exifCuts: [{ from: at, to: at + 4, instead: "none" }],
      profileCuts: [],
    };
  }
  return { exifCuts: [], profileCuts: [] };
}

/**
 * Reads EXIF as browsers do: one short number, from 1 to 8.
 * @param {Uint8Array} exif
 */
function orientationIn(exif) {
  const start = textAt(exif, 0, 6) === "Exif\0\0" ? 6 : 0;
  const view = new DataView(exif.buffer, exif.byteOffset + start, exif.byteLength - start);
  const little = view.getUint16(0) === 0x4949;
  const first = view.getUint32(4, little);
  for (let at = first + 2, left = view.getUint16(first, little); left > 0; left--, at += 12) {
    if (view.getUint16(at, little) !== ORIENTATION) continue;
    const single = view.getUint16(at + 2, little) === SHORT && view.getUint32(at + 4, little) === 1;
    const told = view.getUint16(at + 8, little);
    return single && told >= 1 && told <= 8 ? told : 1;
  }
  return 1;
}
