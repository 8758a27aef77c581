// Opens whatever a visitor chose as one picture: upright, RGB, not much larger than it has to be.
// In: a file, whatever its name claims, and what the model's host wants of it; out: that, then pictures
// to show, or a Refusal.
//
// A phone's photo has 4 MB, of which a model sees 224 pixels. Every browser scales in another way, so
// what is sent is made here: by the averages of boxes, which are Pillow's too.

/**
 * @import { Part, Shown, Wanted } from "./types.d.ts"
 * @import { Key } from "./words.js"
 * @import { Size } from "./decode.js"
 * @import { Header } from "./header.js"
 * @import { Pixels } from "./reduce.js"
 */
import { decoded, whole } from "./decode.js";
import { readHeader } from "./header.js";
import { tooManyBytes, tooManyPixels } from "./limits.js";
import { showsPixels } from "./pixels.js";
import { factorFor, factorTo, readReduced, turned } from "./reduce.js";
import { isSideways, unturned } from "./upright.js";
import { isWhole } from "./whole.js";

const MOST_BYTES = 300_000;
const [BEST, ...WORSE] = [0.92, 0.85, 0.75, 0.6, 0.45]; // qualities of a JPEG
const PREVIEW = 1024; // pixels on the longest side
const THUMBNAIL = 96; // pixels, of a square

/** A photo that can't be answered: the next one may be. */
export class Refusal extends Error {
  /**
   * @param {string} type  that of the same error in Python
   * @param {Key} key  of its sentence
   * @param {Record<string, string | number>} [values]
   * @param {boolean} [lacked]  because a script could not be had: a worker begun anew asks for it again
   */
  constructor(type, key, values = {}, lacked = false) {
    super(key);
    this.type = type;
    this.key = key;
    this.values = values;
    this.lacked = lacked;
  }
}

/**
 * Yields what a host wants of a photo, so that it can be asked about, and then what is shown of it.
 * Where a file is wanted, a small one stays as it is; so does one that this browser can't open, for the
 * host knows more kinds, and what is wrong with a file.
 * @param {File} file
 * @param {Wanted} wanted
 * @returns {AsyncGenerator<Part>}
 */
export async function* readPhoto(file, wanted) {
  if (!file.size) throw new Refusal("EmptyPhoto", "EmptyPhoto");
  checkSize("largeFile", tooManyBytes(file.size));
  const bytes = await bytesOf(file);
  const header = readHeader(bytes);
  checkSize("largePicture", tooManyPixels(header.width, header.height));
  try {
    yield* opened(file, bytes, header, wanted);
  } catch (error) {
    if (wanted.pixels || (error instanceof Refusal && error.type === "PhotoTooLarge")) throw error;
    yield { read: { blob: file, width: 0, height: 0, scaled: false } };
    yield { shown: {} };
  }
}

/** Tells whether this browser lets a page see pixels. A worker's first canvas takes Chromium 50 ms. */
export function canReadPixels() {
  return showsPixels(penOf(new OffscreenCanvas(16, 16)));
}

/**
 * @param {File} file
 * @param {Uint8Array} bytes
 * @param {Header} header
 * @param {Wanted} wanted
 * @returns {AsyncGenerator<Part>}
 */
async function* opened(file, bytes, header, wanted) {
  if (!canReadPixels()) throw new Refusal("HiddenPixels", "HiddenPixels");
  const { kind } = header;
  if (!kind) throw undecodable(kind);
  const { file: lying, orientation, plain } = unturned(file, bytes);
  const least = Math.min(...factors(wanted, header));
  const decoding = decoded(lying, { ...header, plain }, least);
  const isAll = isWhole(bytes) !== false; // while a thread of the browser decodes
  const picture = (await decoding) ?? whole(await decodedHeic(bytes, kind, wanted));
  if (!picture) throw undecodable(kind);
  const { width, height } = picture.file;
  let made;
  try {
    if (!isAll) throw undecodable(kind);
    checkSize("largePicture", tooManyPixels(width, height));
    made = await readReduced(picture, factors(wanted, picture), plain);
  } finally {
    picture.source.close();
  }
  const [pixels, toShow = pixels] = made.map((each) => turned(each, orientation));
  const size = isSideways(orientation) ? { width: height, height: width } : { width, height };
  if (wanted.pixels) {
    const canvas = toShow === pixels && canvasOf(pixels); // they are given away
    yield { read: { ...size, pixels, scaled: true } };
    yield { shown: await shownOf(canvas || canvasOf(toShow)) };
  } else {
    const canvas = canvasOf(pixels);
    const smaller = file.size > MOST_BYTES ? await smallJpegOf(canvas) : file;
    const blob = smaller.size < file.size ? smaller : file;
    yield { read: { ...size, blob, scaled: blob !== file } };
    yield { shown: await shownOf(canvas, blob !== file || orientation === 1 ? blob : undefined) };
  }
}

/**
 * Returns by how much a picture is made smaller for its host, and, if that is another, to be shown.
 * @param {Wanted} wanted
 * @param {Size} picture
 */
function factors(wanted, { width, height }) {
  if (!wanted.pixels) return [factorTo(wanted.longest, width, height)];
  return [...new Set([factorFor(width, height, wanted.size), factorTo(PREVIEW, width, height)])];
}

/**
 * Resolves to the picture of a HEIC photo, where the host brings a decoder; to undefined if there is
 * none.
 * @param {Uint8Array} bytes
 * @param {string} kind
 * @param {Wanted} wanted
 * @returns {Promise<ImageBitmap | undefined>}
 */
async function decodedHeic(bytes, kind, wanted) {
  if (kind !== "HEIC" || !wanted.pixels || !wanted.heic) return undefined;
  /** @param {number} width @param {number} height */
  const check = (width, height) => checkSize("largePicture", tooManyPixels(width, height));
  let picture;
  try {
    const { default: decode } = await import(wanted.heic.module);
    picture = await decode(bytes, wanted.heic, check);
  } catch (error) {
    if (error instanceof Refusal) throw error;
    console.error(error);
    throw undecodable(kind, true);
  }
  if (!picture) throw new Refusal("DamagedPhoto", "DamagedPhoto");
  return picture;
}

/**
 * Resolves to what is shown; without it, a photo is answered all the same.
 * @param {OffscreenCanvas} canvas
 * @param {Blob} [picture]  a file that is upright
 * @returns {Promise<Shown>}
 */
async function shownOf(canvas, picture) {
  try {
    return {
      picture: picture ?? (await jpegOf(within(canvas, PREVIEW), 0.85)),
      thumb: await thumbOf(canvas),
    };
  } catch (error) {
    console.error(error);
    return {};
  }
}

/** @param {File} file */
async function bytesOf(file) {
  const buffer = await file.arrayBuffer().catch(() => {
    throw new Refusal("PhotoNotFound", "unreadable");
  });
  return new Uint8Array(buffer);
}

/** @param {Pixels} pixels */
function canvasOf({ data, width, height }) {
  const canvas = new OffscreenCanvas(width, height);
  const pen = penOf(canvas);
  const image = pen.createImageData(width, height);
  const { data: drawn } = image;
  for (let from = 0, to = 0; from < data.length; from += 3, to += 4) {
    drawn[to] = data[from];
    drawn[to + 1] = data[from + 1];
    drawn[to + 2] = data[from + 2];
    drawn[to + 3] = 255;
  }
  pen.putImageData(image, 0, 0);
  return canvas;
}

/** @param {OffscreenCanvas} canvas @param {number} longest */
function within(canvas, longest) {
  const scale = Math.min(1, longest / Math.max(canvas.width, canvas.height));
  if (scale === 1) return canvas;
  const [width, height] = [canvas.width, canvas.height].map((side) => Math.max(1, Math.round(scale * side)));
  const small = new OffscreenCanvas(width, height);
  penOf(small).drawImage(canvas, 0, 0, width, height);
  return small;
}

/** @param {OffscreenCanvas} canvas */
function thumbOf(canvas) {
  const { width, height } = canvas;
  const least = Math.min(width, height);
  const small = new OffscreenCanvas(THUMBNAIL, THUMBNAIL);
  penOf(small).drawImage(
    canvas,
    (width - least) / 2,
    (height - least) / 2,
    least,
    least,
    0,
    0,
    THUMBNAIL,
    THUMBNAIL,
  );
  return jpegOf(small, 0.8);
}

/** @param {OffscreenCanvas} canvas */
async function smallJpegOf(canvas) {
  let blob = await jpegOf(canvas, BEST);
  for (const quality of WORSE) {
    if (blob.size <= MOST_BYTES) break;
    blob = await jpegOf(canvas, quality);
  }
  return blob;
}

/** @param {OffscreenCanvas} canvas @param {number} quality */
function jpegOf(canvas, quality) {
  return canvas.convertToBlob({ type: "image/jpeg", quality });
}

/** @param {OffscreenCanvas} canvas */
function penOf(canvas) {
  const pen = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
  pen.imageSmoothingQuality = "medium";
  return pen;
}

/** @param {"largeFile" | "largePicture"} key @param {Record<string, string | number>} [much] */
function checkSize(key, much) {
  if (much) throw new Refusal("PhotoTooLarge", key, much);
}

/** @param {string} kind  as the header tells it @param {boolean} [lacked] */
function undecodable(kind, lacked) {
  switch (kind) {
    case "HEIC":
    case "TIFF":
      return new Refusal("UnsupportedPhoto", "unopenable", { kind }, lacked);
    case "":
      return new Refusal("UnsupportedPhoto", "noPicture");
    default:
      return new Refusal("DamagedPhoto", "DamagedPhoto");
  }
}
