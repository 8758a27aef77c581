// Has the browser decode a file, and to no more pixels than are wanted, where it can.
// In: a file, its size as its header tells it, and by how much it will be made smaller; out: a picture.
//
// A JPEG can be decoded at so many eighths of its size, as Python's decoder does it, too: of a photo
// of 12 megapixels that makes 12 MB in place of 48, and in half of the time. Of the browsers,
// Chromium's ImageDecoder can be asked.

/** @typedef {({ width: number, height: number })} Size */
/** @typedef {Size & { source: ImageBitmap | VideoFrame, file: Size }} Picture  `file`: not made smaller */
/** @typedef {Size & { plain: boolean }} Told  what a file's beginning tells, and that it is but pixels */

// Like the Python side: colour profiles are ignored, EXIF is not. Where there is neither, it is left
// out: Chromium takes a third longer to convert nothing.
/** @type {ImageBitmapOptions} */
const AS_PYTHON_DECODES = {
  imageOrientation: "from-image",
  colorSpaceConversion: "none",
  premultiplyAlpha: "premultiply",
};

/**
 * Resolves to a file's picture, or to undefined if this browser can't decode it.
 * @param {Blob} file
 * @param {Told} told
 * @param {number} factor  by which both sides will be smaller
 * @returns {Promise<Picture | undefined>}
 */
export async function decoded(file, told, factor) {
  const small = told.plain && factor >= 2 ? await decodedSmall(file, told, Math.ceil(8 / factor)) : undefined;
  if (small) return small;
  return whole(await createImageBitmap(file, told.plain ? {} : AS_PYTHON_DECODES).catch(() => undefined));
}

/** @param {ImageBitmap | undefined} source */
export function whole(source) {
  return source && { source, width: source.width, height: source.height, file: source };
}

/**
 * @param {Blob} file  a JPEG
 * @param {Told} told
 * @param {number} eighths
 * @returns {Promise<Picture | undefined>}
 */
async function decodedSmall(file, told, eighths) {
  if (!("userAgentData" in navigator && "ImageDecoder" in globalThis)) return undefined; // Chromium alone
  const [width, height] = [told.width, told.height].map((side) => Math.ceil((side * eighths) / 8));
  let decoder;
  try {
    const data = await file.arrayBuffer();
    decoder = new ImageDecoder({
      data,
      transfer: [data],
      type: "image/jpeg",
      colorSpaceConversion: "none",
      desiredWidth: width,
      desiredHeight: height,
    });
    const { image } = await decoder.decode();
    const { displayWidth, displayHeight } = image;
    if (displayWidth === width && displayHeight === height)
      return { source: image, width, height, file: told };
    image.close(); // it lies on its side, or is not what its header told
  } catch {
    // what is wrong with it the other way tells
  } finally {
    decoder?.close();
  }
  return undefined;
}
