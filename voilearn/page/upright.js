// Turns what browsers leave lying: WebKit ignores the EXIF of a PNG, and every browser that of a WebP.
// In: a file of one of these; out: the same without its EXIF, and the orientation that it told.
//
// JPEG, AVIF and HEIC are turned by every browser. XMP and a PNG's texts tell nothing: image.py.

/** @typedef {({ width: number, height: number })} Sides */

const ORIENTATION = 0x0112;
const SHORT = 3;

/** For each orientation, the canvas's transform: a, b, c, d, and the shares of width and height. */
const TURNS = [
  [1, 0, 0, 1, 0, 0],
  [-1, 0, 0, 1, 1, 0],
  [-1, 0, 0, -1, 1, 1],
  [1, 0, 0, -1, 0, 1],
  [0, 1, 1, 0, 0, 0],
  [0, 1, -1, 0, 1, 0],
  [0, -1, -1, 0, 1, 1],
  [0, -1, 1, 0, 0, 1],
];

/**
 * Returns a file that no browser turns, and its orientation: 1 where there is nothing left to turn.
 * @param {Blob} file
 * @param {Uint8Array} bytes  all of it
 */
export function unturned(file, bytes) {
  try {
    const exif = findExif(bytes);
    const orientation = exif ? orientationIn(bytes.subarray(exif.at, exif.end)) : 1;
    if (!exif || orientation === 1) return { file, orientation: 1 };
    const parts = [file.slice(0, exif.from), exif.instead, file.slice(exif.to)];
    return { file: new Blob(parts, { type: file.type }), orientation };
  } catch {
    return { file, orientation: 1 }; // broken EXIF takes nothing away from the picture
  }
}

/**
 * Tells whether a picture's width becomes its height.
 * @param {number} orientation
 */
export function isSideways(orientation) {
  return orientation > 4;
}

/**
 * Draws a picture upright over all of a canvas.
 * @param {Pick<OffscreenCanvasRenderingContext2D, "setTransform" | "drawImage"> & { canvas: Sides }} pen
 * @param {CanvasImageSource} picture
 * @param {number} orientation
 */
export function drawUpright(pen, picture, orientation) {
  const { width, height } = pen.canvas;
  const [a, b, c, d, right, down] = TURNS[orientation - 1];
  pen.setTransform(a, b, c, d, right * width, down * height);
  if (isSideways(orientation)) pen.drawImage(picture, 0, 0, height, width);
  else pen.drawImage(picture, 0, 0, width, height);
}

/**
 * Returns where the EXIF of a PNG or WebP is, and what to cut out for a file without it.
 * @param {Uint8Array} bytes
 */
function findExif(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  /** @param {number} at */
  const text = (at) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (text(0) === "\x89PNG") {
    for (let at = 8, next; at + 12 <= bytes.length; at = next) {
      next = at + 12 + view.getUint32(at);
      if (text(at + 4) === "eXIf") return { at: at + 8, end: next - 4, from: at, to: next, instead: "" };
    }
  } else if (text(8) === "WEBP" && text(0) === "RIFF") {
    for (let at = 12, next; at + 8 <= bytes.length; at = next) {
      const size = view.getUint32(at + 4, true);
      next = at + 8 + size + (size & 1);
      if (text(at) === "EXIF")
        return { at: at + 8, end: at + 8 + size, from: at, to: at + 4, instead: "none" };
    }
  }
  return undefined;
}

/**
 * Reads EXIF as browsers do: one short number, from 1 to 8.
 * @param {Uint8Array} exif
 */
function orientationIn(exif) {
  const start = String.fromCharCode(...exif.subarray(0, 6)) === "Exif\0\0" ? 6 : 0;
  const view = new DataView(exif.buffer, exif.byteOffset + start, exif.byteLength - start);
  const little = view.getUint16(0) === 0x4949;
  const first = view.getUint32(4, little);
  for (let at = first + 2, left = view.getUint16(first, little); left > 0; left--, at += 12) {
    if (view.getUint16(at, little) !== ORIENTATION) continue;
    const single = view.getUint16(at + 2, little) === SHORT && view.getUint32(at + 4, little) === 1;
    const told = view.getUint16(at + 8, little);
    return single && told >= 1 && told <= 8 ? told : 1;
  }
  return 1;
}
