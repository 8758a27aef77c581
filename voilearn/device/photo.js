// Opens whatever a visitor chose as one picture: upright, RGB, not much larger than it has to be.
// In: a file, whatever its name claims; out: its pixels and a preview, or a PhotoError.

import { PhotoError } from "./errors.js";
import { HEADER_BYTES, readHeader } from "./header.js";
import { factorFor, readReduced } from "./reduce.js";

const MAX_BYTES = 50_000_000;
const MAX_PIXELS = 50_000_000;
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
  checkBytes(file.size);
  const picture = await decode(file);
  try {
    checkPixels(picture.width, picture.height);
    const preview = await shrink(picture);
    return { preview, pixels: readReduced(picture, factorFor(picture.width, picture.height, size)) };
  } finally {
    picture.close();
  }
}

/** @param {File} file */
async function decode(file) {
  const start = await file
    .slice(0, HEADER_BYTES)
    .arrayBuffer()
    .catch(() => {
      throw new PhotoError("PhotoNotFound", "unreadable");
    });
  const { kind, width, height } = readHeader(new Uint8Array(start));
  checkPixels(width, height);
  try {
    return await createImageBitmap(file, AS_PYTHON_DECODES);
  } catch {
    throw undecodable(kind);
  }
}

/** @param {ImageBitmap} picture */
function shrink(picture) {
  const scale = Math.min(1, PREVIEW / Math.max(picture.width, picture.height));
  return createImageBitmap(picture, {
    resizeWidth: Math.max(1, Math.round(scale * picture.width)),
    resizeHeight: Math.max(1, Math.round(scale * picture.height)),
    resizeQuality: "medium",
  });
}

/** @param {number} bytes */
function checkBytes(bytes) {
  if (!bytes) throw new PhotoError("EmptyPhoto", "EmptyPhoto");
  if (bytes <= MAX_BYTES) return;
  const values = { megabytes: (bytes / 1e6).toFixed(1), most: MAX_BYTES / 1e6 };
  throw new PhotoError("PhotoTooLarge", "largeFile", values);
}

/** @param {number} width @param {number} height */
function checkPixels(width, height) {
  if (width * height <= MAX_PIXELS) return;
  const values = { megapixels: Math.round((width * height) / 1e6), most: MAX_PIXELS / 1e6 };
  throw new PhotoError("PhotoTooLarge", "largePicture", values);
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
      return new PhotoError("DamagedPhoto", "brokenPicture", { kind });
  }
}
