// How much one photo may cost, as voilearn/limits.py says it.
// In: a file's size, or a picture's; out: nothing, or the sentence that tells why it is not taken.

const MAX_BYTES = 50_000_000;
const MAX_PIXELS = 50_000_000;

/**
 * Returns why a file is too large, or nothing.
 * @param {number} bytes
 */
export function tooManyBytes(bytes) {
  if (bytes <= MAX_BYTES) return "";
  return (
    `This file has ${(bytes / 1e6).toFixed(1)} MB; the limit is ${MAX_BYTES / 1e6} MB. ` +
    "Please choose a smaller version of the photo."
  );
}

/**
 * Returns why a picture is too large, or nothing.
 * @param {number} width
 * @param {number} height
 */
export function tooManyPixels(width, height) {
  if (width * height <= MAX_PIXELS) return "";
  const megapixels = Math.round((width * height) / 1e6).toLocaleString("en");
  return (
    `This picture has ${megapixels} megapixels; the limit is ${MAX_PIXELS / 1e6}. ` +
    "Please choose a smaller one."
  );
}
