// Turns a photo upright and scales it down before it is sent: a phone's has megabytes.
// In: a file; out: what to send, as small as the model's eyes need.
//
// A phone's photo has 4 MB, of which the model sees 224 pixels. Chromium and Firefox decode a JPEG at
// a half or a quarter of its size (ImageDecoder), as Pillow's `draft` does.

/** @import { Scaled } from "./types.d.ts" */

const MOST_BYTES = 300_000;
const [BEST, ...WORSE] = [0.9, 0.8, 0.65, 0.5, 0.35]; // qualities of a JPEG

// As the Python side decodes: upright, colour profiles ignored.
/** @type {ImageBitmapOptions} */
const AS_PYTHON_DECODES = { imageOrientation: "from-image", colorSpaceConversion: "none" };

/**
 * Resolves to what to send for a photo; a small one is sent as it is.
 * @param {File} file
 * @param {number} longest  its longest side, in pixels
 * @returns {Promise<Scaled>}
 */
export async function scaleDown(file, longest) {
  const whole = { blob: file, width: 0, height: 0, scaled: false }; // the server may know its kind
  const large = file.size > MOST_BYTES;
  const early = large && decode(file, 2 * longest); // while its size is read
  if (early) early.catch(() => {}); // told below
  const size = await pixelsOf(file).catch(() => undefined);
  if (!size) return whole;
  const [width, height] = size;
  const scale = Math.min(1, longest / Math.max(width, height));
  if (scale === 1 && !large) return { ...whole, width, height };
  try {
    const picture = await (early || decode(file, 2 * longest));
    const canvas = drawn(picture, sideOf(scale * width), sideOf(scale * height));
    picture.close();
    const blob = await encode(canvas);
    return blob.size < file.size ? { blob, width, height, scaled: true } : { ...whole, width, height };
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

/** @param {ImageBitmap | VideoFrame} picture @param {number} width @param {number} height */
function drawn(picture, width, height) {
  const [canvas, pen] = paper(width, height);
  pen.drawImage(picture, 0, 0, width, height);
  return canvas;
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
