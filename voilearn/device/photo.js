// Opens whatever a visitor chose as one picture: upright, RGB, not much larger than it has to be.
// In: a file, whatever its name claims; out: its pixels and a preview, or a PhotoError.

import { tooManyBytes, tooManyPixels } from "../page/limits.js";
import { showsPixels } from "../page/pixels.js";
import { drawUpright, isSideways, unturned } from "../page/upright.js";
import { isWhole } from "../page/whole.js";
import { PhotoError } from "./errors.js";
import { readHeader } from "./header.js";
import { factorFor, readReduced, turned } from "./reduce.js";

const PREVIEW = 640; // pixels on the longest side

// Like the Python side: colour profiles are ignored, EXIF is not.
/** @type {ImageBitmapOptions} */
const AS_PYTHON_DECODES = {
  imageOrientation: "from-image",
  colorSpaceConversion: "none",
  premultiplyAlpha: "premultiply",
};

/**
 * Resolves to a photo's pixels and a preview.
 * @param {File} file
 * @param {number | null} size  the longest side that the model resizes photos to; null for none
 */
export async function readPhoto(file, size) {
  if (!file.size) throw new PhotoError("EmptyPhoto", "EmptyPhoto");
  checkSize("largeFile", tooManyBytes(file.size));
  if (!showsPixels(penOf(new OffscreenCanvas(16, 16)))) {
    throw new PhotoError("HiddenPixels", "HiddenPixels");
  }
  const { picture, orientation } = await decode(file);
  try {
    checkSize("largePicture", tooManyPixels(picture.width, picture.height));
    const pixels = readReduced(picture, factorFor(picture.width, picture.height, size));
    return { preview: shrink(picture, orientation), pixels: turned(pixels, orientation) };
  } finally {
    picture.close();
  }
}

/** @param {File} file */
async function decode(file) {
  const bytes = await read(file);
  const { kind, width, height } = readHeader(bytes);
  checkSize("largePicture", tooManyPixels(width, height));
  if (!kind) throw undecodable(kind);
  const lying = unturned(file, bytes);
  const picture = await createImageBitmap(lying.file, AS_PYTHON_DECODES).catch(() => {
    throw undecodable(kind);
  });
  if (isWhole(bytes) !== false) return { picture, orientation: lying.orientation };
  picture.close();
  throw new PhotoError("DamagedPhoto", "DamagedPhoto");
}

/** @param {File} file */
async function read(file) {
  const buffer = await file.arrayBuffer().catch(() => {
    throw new PhotoError("PhotoNotFound", "unreadable");
  });
  return new Uint8Array(buffer);
}

/** @param {ImageBitmap} picture @param {number} orientation */
function shrink(picture, orientation) {
  const scale = Math.min(1, PREVIEW / Math.max(picture.width, picture.height));
  const [width, height] = [picture.width, picture.height].map((side) =>
    Math.max(1, Math.round(scale * side)),
  );
  const canvas = isSideways(orientation)
    ? new OffscreenCanvas(height, width)
    : new OffscreenCanvas(width, height);
  const pen = penOf(canvas);
  pen.imageSmoothingQuality = "medium";
  drawUpright(pen, picture, orientation);
  return canvas.transferToImageBitmap();
}

/** @param {OffscreenCanvas} canvas */
function penOf(canvas) {
  return /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d"));
}

/** @param {"largeFile" | "largePicture"} key @param {Record<string, string | number>} [much] */
function checkSize(key, much) {
  if (much) throw new PhotoError("PhotoTooLarge", key, much);
}

/** @param {string} kind  as the header tells it */
function undecodable(kind) {
  switch (kind) {
    case "HEIC":
    case "TIFF":
      return new PhotoError("UnsupportedPhoto", "unopenable", { kind });
    case "":
      return new PhotoError("UnsupportedPhoto", "noPicture");
    default:
      return new PhotoError("DamagedPhoto", "DamagedPhoto");
  }
}
