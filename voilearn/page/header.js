// What the beginning of a file tells of the picture in it, before any of it is decoded.
// In: its bytes, or the first of them; out: its kind ("" for no picture we know) and, where told, its size.

/** @typedef {({ kind: string, width: number, height: number })} Header */
/** @typedef {(view: DataView) => [width: number, height: number]} SizeOf */

/** @type {[kind: string, at: number, magic: string, sizeOf: SizeOf][]} */
const KINDS = [
  ["JPEG", 0, "\xff\xd8\xff", jpegSize],
  ["PNG", 0, "\x89PNG\r\n\x1a\n", (view) => [view.getUint32(16), view.getUint32(20)]],
  ["GIF", 0, "GIF8", (view) => [view.getUint16(6, true), view.getUint16(8, true)]],
  ["WebP", 8, "WEBP", webpSize],
  ["BMP", 0, "BM", (view) => [view.getInt32(18, true), Math.abs(view.getInt32(22, true))]],
  ["TIFF", 0, "II*\0", unknown],
  ["TIFF", 0, "MM\0*", unknown],
  ["AVIF", 4, "ftypavif", unknown],
];
for (const brand of ["heic", "heix", "heim", "heis", "hevc", "mif1", "msf1"]) {
  KINDS.push(["HEIC", 4, `ftyp${brand}`, unknown]);
}

/**
 * Returns the kind of a picture, and its size; that is 0 where the header does not tell it.
 * @param {Uint8Array} bytes
 * @returns {Header}
 */
export function readHeader(bytes) {
  const found = KINDS.find(([, at, magic]) => textAt(bytes, at, magic.length) === magic);
  if (!found) return { kind: "", width: 0, height: 0 };
  const [kind, , , sizeOf] = found;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    const [width, height] = sizeOf(view);
    return { kind, width, height };
  } catch {
    return { kind, width: 0, height: 0 }; // cut short: the decoder will say so
  }
}

/** @type {SizeOf} */
function unknown() {
  return [0, 0];
}

/**
 * Walks the segments to the one that begins the picture (SOF, of which C4, C8 and CC are not).
 * @type {SizeOf}
 */
function jpegSize(view) {
  for (let at = 2; ; at += 2 + view.getUint16(at + 2)) {
    while (view.getUint8(at + 1) === 0xff) at++; // padding
    const marker = view.getUint8(at + 1);
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      return [view.getUint16(at + 7), view.getUint16(at + 5)];
    }
  }
}

/** @type {SizeOf} */
function webpSize(view) {
  /** @param {number} at */
  const bits24 = (at) => view.getUint16(at, true) | (view.getUint8(at + 2) << 16);
  switch (view.getUint8(15)) {
    case 0x58: // VP8X
      return [1 + bits24(24), 1 + bits24(27)];
    case 0x4c: // VP8L
      return [1 + (view.getUint32(21, true) & 0x3fff), 1 + ((view.getUint32(21, true) >> 14) & 0x3fff)];
    default:
      return [view.getUint16(26, true) & 0x3fff, view.getUint16(28, true) & 0x3fff];
  }
}

/**
 * Returns a piece of a file as text, a character for each byte.
 * @param {Uint8Array} bytes
 * @param {number} at
 * @param {number} length
 */
export function textAt(bytes, at, length) {
  return String.fromCharCode(...bytes.subarray(at, at + length));
}
