// Opens HEIC photos, as iPhones take them, where the browser can't: with libheif, which only the
// first of them downloads. Imported by the page's photo worker.
// In: a photo's bytes, and which file of the page's folder the decoder is; out: its picture.

import { getFile, keepFiles } from "./download.js";

/**
 * @import { Heic } from "../page/types.d.ts"
 * @import { Library } from "./libheif.js"
 */

/** @type {Promise<Library> | undefined} */
let loading;

/**
 * Resolves to a photo's picture, upright; to undefined if it is damaged. Throws PageError if the
 * decoder can't be had.
 * @param {Uint8Array} bytes
 * @param {Heic} heic
 * @param {(width: number, height: number) => void} check  throws where that is too large
 */
export default async function decode(bytes, heic, check) {
  loading ??= load(heic);
  const library = await loading.catch((error) => {
    loading = undefined; // the next photo tries again
    throw error;
  });
  const decoder = new library.HeifDecoder();
  const images = decoder.decode(bytes);
  const image = images.find((each) => each.is_primary()) ?? images[0];
  try {
    if (!image) return undefined;
    const [width, height] = [image.get_width(), image.get_height()];
    check(width, height);
    const pixels = new ImageData(width, height);
    const drawn = await new Promise((resolve) => image.display(pixels, resolve));
    return drawn ? await createImageBitmap(pixels) : undefined;
  } finally {
    for (const each of images) each.free();
  }
}

/** @param {Heic} heic */
async function load({ file, base }) {
  const asked = getFile(file, { base, reload: false, progressed() {} });
  const [{ default: libheif }, binary] = await Promise.all([import("./libheif.js"), asked]);
  keepFiles([[file, binary]], base); // in its own time
  return libheif({ wasmBinary: binary });
}
