// How much one photo may cost, as voilearn/limits.py says it.
// In: a file's size, or a picture's; out: the values of the sentence that tells why it is not taken.

const MAX_BYTES = 50_000_000;
const MAX_PIXELS = 50_000_000;

/**
 * Returns the values of the sentence "largeFile", or nothing.
 * @param {number} bytes
 */
export function tooManyBytes(bytes) {
  if (bytes <= MAX_BYTES) return undefined;
  return { megabytes: (bytes / 1e6).toFixed(1), most: MAX_BYTES / 1e6 };
}

/**
 * Returns the values of the sentence "largePicture", or nothing.
 * @param {number} width
 * @param {number} height
 */
export function tooManyPixels(width, height) {
  if (width * height <= MAX_PIXELS) return undefined;
  const megapixels = Math.round((width * height) / 1e6).toLocaleString("en");
  return { megapixels, most: MAX_PIXELS / 1e6 };
}
