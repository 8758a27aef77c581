// Turns a photo upright and scales it down before it is sent: a phone's has megabytes.
// In: a file; out: what to send, as small as the model's eyes need.
//
// A phone's photo has 4 MB, of which the model sees 224 pixels. Chromium and Firefox decode a JPEG at
// a half or a quarter of its size (ImageDecoder), as Pillow's `draft` does.

/** @import { Scaled } from "./types.d.ts" */
import { tooManyBytes, tooManyPixels } from "./limits.js";
import { showsPixels } from "./pixels.js";
import { Problem } from "./problem.js";
import { drawUpright, isSideways, unturned } from "./upright.js";
import { isWhole } from "./whole.js";
import { say } from "./words.js";

const MOST_BYTES = 300_000;
const [BEST, ...WORSE] = [0.9, 0.8, 0.65, 0.5, 0.35]; // qualities of a JPEG

// As the Python side decodes: upright, colour profiles ignored.
/** @type {ImageBitmapOptions} */
const AS_PYTHON_DECODES = { imageOrientation: "from-image", colorSpaceConversion: "none" };

/**
 * Resolves to what to send for a photo. A small one is sent as it is; so is one that the browser may
 * show as it is not: the server knows more kinds, and what is wrong with a file. Rejects with a
 * Problem for a picture that is too large for any server of ours.
 * @param {File} file
 * @param {number} longest  its longest side, in pixels
 * @returns {Promise<Scaled>}
 */
export async function scaleDown(file, longest) {
  const whole = { blob: file, width: 0, height: 0, scaled: false };
  if (tooManyBytes(file.size)) return whole; // the server says so at the first piece
  const bytes = new Uint8Array(await file.arrayBuffer().catch(() => new ArrayBuffer(0)));
  if (!isWhole(bytes)) return whole;
  const large = file.size > MOST_BYTES;
  const { file: lying, orientation } = unturned(file, bytes);
  const early = large && decode(lying, 2 * longest); // while its size is read
  if (early) early.catch(() => {}); // told below
  const size = await pixelsOf(lying).catch(() => undefined);
  if (!size) return whole;
  const [width, height] = isSideways(orientation) ? [size[1], size[0]] : size;
  const much = tooManyPixels(width, height);
  if (much) throw new Problem({ type: "PhotoTooLarge", detail: say("largePicture", much) });
  const scale = Math.min(1, longest / Math.max(width, height));
  if (scale === 1 && !large) return orientation === 1 ? { ...whole, width, height } : whole;
  try {
    const picture = await (early || decode(lying, 2 * longest));
    if (!showsPixels(paper(16, 16)[1])) return whole;
    const [canvas, pen] = paper(sideOf(scale * width), sideOf(scale * height));
    drawUpright(pen, picture, orientation);
    picture.close();
    const blob = await encode(canvas);
    if (blob.size < file.size) return { blob, width, height, scaled: true };
    return orientation === 1 ? { ...whole, width, height } : whole;
  } catch {
    return whole;
  }
}

/** @param {number} length */
function sideOf(length) {
  return Math.max(1, Math.round(length));
}

/**
 * Reads no more of the file than its header: resolves to its upright width and height.
 * @param {Blob} file
 */
async function pixelsOf(file) {
  const img = new Image();
  img.src = URL.createObjectURL(file);
  try {
    await new Promise((resolve, reject) => Object.assign(img, { onload: resolve, onerror: reject }));
    if (!img.naturalWidth) throw new Error("no size");
    return [img.naturalWidth, img.naturalHeight];
  } finally {
    URL.revokeObjectURL(img.src);
  }
}

/**
 * Decodes a photo. Most browsers can decode a JPEG at a half or a quarter of its size, in half the
 * time.
 * @param {Blob} file
 * @param {number} enough  the length that its longest side needs
 */
async function decode(file, enough) {
  if (file.type === "image/jpeg" && globalThis.ImageDecoder) {
    const [data, wanted] = [file.stream(), { desiredWidth: enough, desiredHeight: enough }];
    const decoder = new ImageDecoder({ data, type: file.type, ...wanted, colorSpaceConversion: "none" });
    const found = await decoder.decode().catch(() => undefined);
    decoder.close();
    if (found) return found.image;
  }
  return createImageBitmap(file, AS_PYTHON_DECODES);
}

/**
 * Resolves to the same as a square picture, for the history.
 * @param {Blob} blob
 * @param {number} side  in pixels
 */
export async function thumbnail(blob, side) {
  const picture = await createImageBitmap(blob, AS_PYTHON_DECODES);
  const least = Math.min(picture.width, picture.height);
  const [canvas, pen] = paper(side, side);
  const [left, top] = [(picture.width - least) / 2, (picture.height - least) / 2];
  pen.drawImage(picture, left, top, least, least, 0, 0, side, side);
  picture.close();
  return jpegOf(canvas, 0.8);
}

/**
 * @param {number} width
 * @param {number} height
 * @returns {[HTMLCanvasElement, CanvasRenderingContext2D]}
 */
function paper(width, height) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const pen = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.imageSmoothingQuality = "high";
  pen.fillStyle = "#fff"; // under what is transparent, as on the Python side
  pen.fillRect(0, 0, width, height);
  return [canvas, pen];
}

/** @param {HTMLCanvasElement} canvas */
async function encode(canvas) {
  let blob = await jpegOf(canvas, BEST);
  for (const quality of WORSE) {
    if (blob.size <= MOST_BYTES) break;
    blob = await jpegOf(canvas, quality);
  }
  return blob;
}

/**
 * @param {HTMLCanvasElement} canvas
 * @param {number} quality
 * @returns {Promise<Blob>}
 */
function jpegOf(canvas, quality) {
  return new Promise((resolve, reject) => {
    const done = /** @param {Blob | null} blob */ (blob) =>
      blob ? resolve(blob) : reject(new Error("no JPEG"));
    canvas.toBlob(done, "image/jpeg", quality);
  });
}
