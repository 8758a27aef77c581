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
  checkSize(tooManyBytes(file.size));
  if (!showsPixels(penOf(new OffscreenCanvas(16, 16)))) throw hidden();
  const { picture, orientation } = await decode(file);
  try {
    checkSize(tooManyPixels(picture.width, picture.height));
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
  checkSize(tooManyPixels(width, height));
  if (!kind) throw undecodable(kind);
  const lying = unturned(file, bytes);
  const picture = await createImageBitmap(lying.file, AS_PYTHON_DECODES).catch(() => {
    throw undecodable(kind);
  });
  if (isWhole(bytes) !== false) return { picture, orientation: lying.orientation };
  picture.close();
  throw damaged();
}

/** @param {File} file */
async function read(file) {
  if (!file.size) {
    throw new PhotoError("EmptyPhoto", "This file is empty: it has 0 bytes. Please choose the photo again.");
  }
  const buffer = await file.arrayBuffer().catch(() => {
    throw new PhotoError("PhotoNotFound", "This file can't be read any more. Please choose the photo again.");
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

/** @param {string} sentence  that says why, or nothing */
function checkSize(sentence) {
  if (sentence) throw new PhotoError("PhotoTooLarge", sentence);
}

function hidden() {
  return new PhotoError(
    "HiddenPixels",
    "This browser hides pictures from pages, as a protection against fingerprinting, so the model " +
      "can't see the photo. Please allow this page to read canvases, or use another browser.",
  );
}

function damaged() {
  return new PhotoError(
    "DamagedPhoto",
    "This picture is damaged or incomplete, so it can't be opened. " +
      "Please choose the original file again, or another photo.",
  );
}

/** @param {string} kind  as the header tells it */
function undecodable(kind) {
  switch (kind) {
    case "HEIC":
    case "TIFF":
      return new PhotoError(
        "UnsupportedPhoto",
        `This is a ${kind === "HEIC" ? "HEIC photo" : "TIFF picture"}, which this browser can't open. ` +
          "Please save it as a JPEG and choose that.",
      );
    case "":
      return new PhotoError(
        "UnsupportedPhoto",
        "This file is not a picture this browser can open. " +
          "Please choose a photo: JPEG, PNG, WebP, GIF, BMP or AVIF.",
      );
    default:
      return damaged();
  }
}
