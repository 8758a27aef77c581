// Hands out a picture's pixels some rows at a time, so a phone needs no copy of 50 megapixels.
// In: a decoded picture; out: its rows, 4 bytes a pixel, transparency laid over white.
//
// Chromium's VideoFrame gives what is in memory as it is; a canvas first has to draw it, which takes
// five times as long. Firefox converts the whole picture for each strip, and is slower than by a canvas.

/** @import { Picture } from "./decode.js" */
/** @typedef {({ data: Uint8ClampedArray, width: number, height: number, blueFirst?: boolean })} Strip */
/** @typedef {({ read: (top: number, rows: number) => Strip | Promise<Strip>, close: () => void })} Strips */

const OPAQUE = ["RGBX", "BGRX"];

/**
 * @param {Picture} picture
 * @param {number} most  rows at a time
 * @param {boolean} plain  its pixels lie as they were decoded
 * @returns {Promise<Strips>}
 */
export async function stripsOf(picture, most, plain) {
  const quick = plain && "userAgentData" in navigator; // which Chromium alone has
  return (quick && (await ofFrame(picture, most))) || ofCanvas(picture, most);
}

/**
 * @param {Picture} picture
 * @param {number} most
 * @returns {Promise<Strips | undefined>}
 */
async function ofFrame(picture, most) {
  const { width, height } = picture;
  const data = new Uint8ClampedArray(4 * width * Math.min(most, height));
  /** @param {VideoFrame} frame @param {number} y @param {number} rows */
  const copy = (frame, y, rows) => frame.copyTo(data, { rect: { x: 0, y, width, height: rows } });
  /** @type {VideoFrame | undefined} */
  let frame;
  try {
    const made = new VideoFrame(picture.source, { timestamp: 0 });
    frame = made;
    const { format, codedWidth, codedHeight } = made;
    if (OPAQUE.includes(format ?? "") && codedWidth === width && codedHeight === height) {
      await copy(made, 0, 1);
      const blueFirst = format === "BGRX";
      const read = async (/** @type {number} */ top, /** @type {number} */ rows) => {
        await copy(made, top, rows);
        return { data, width, height: rows, blueFirst };
      };
      return { read, close: () => made.close() };
    }
  } catch {
    // this browser has none, or none of pictures, or does not let one be copied
  }
  frame?.close();
  return undefined;
}

/**
 * @param {Picture} picture
 * @param {number} most
 * @returns {Strips}
 */
function ofCanvas(picture, most) {
  const { width, height } = picture;
  const canvas = new OffscreenCanvas(width, Math.min(most, height));
  const pen = /** @type {OffscreenCanvasRenderingContext2D} */ (
    canvas.getContext("2d", { alpha: false, willReadFrequently: true })
  );
  pen.fillStyle = "white";
  return {
    read: (top, rows) => {
      pen.fillRect(0, 0, width, rows);
      pen.drawImage(picture.source, 0, -top);
      return pen.getImageData(0, 0, width, rows);
    },
    close: () => {
      canvas.width = canvas.height = 0; // Safari keeps the memory of one that is merely forgotten
    },
  };
}
