// Makes a large picture smaller by the averages of boxes, as Pillow's Image.reduce does.
// In: a decoded picture and a factor; out: its pixels as RGB bytes, row by row.
//
// A canvas's own smoothing looks at a few pixels of many and differs between browsers. The picture
// is drawn 1:1, strip by strip, so a phone needs neither a canvas of 50 megapixels nor a copy.

const STRIP = 1_000_000; // pixels drawn at a time: 4 MB
const AT_ONCE = 128; // pixels whose sum of a channel fits into 15 bits

/**
 * Returns the largest factor that leaves both sides at least three times the size the model resizes
 * to. With twice, as Python's decoder of JPEGs leaves, answers moved ten times as far from those to
 * the whole photo.
 * @param {number} width
 * @param {number} height
 * @param {number | null} size
 */
export function factorFor(width, height, size) {
  return size ? Math.max(1, Math.floor(Math.min(width, height) / (3 * size))) : 1;
}

/**
 * Returns the smallest factor that leaves no side longer than so many pixels.
 * @param {number} longest
 * @param {number} width
 * @param {number} height
 */
export function factorTo(longest, width, height) {
  return Math.max(1, Math.ceil(Math.max(width, height) / longest));
}

/**
 * @typedef {object} Pixels
 * @property {Uint8Array} data  3 bytes a pixel
 * @property {number} width
 * @property {number} height
 */

/**
 * Returns a picture's pixels, transparency laid over white.
 * @param {ImageBitmap} picture
 * @param {number} factor
 * @returns {Pixels}
 */
export function readReduced(picture, factor) {
  const width = Math.ceil(picture.width / factor);
  const height = Math.ceil(picture.height / factor);
  const data = new Uint8Array(3 * width * height);
  const rows = factor * Math.max(1, Math.floor(STRIP / (picture.width * factor)));
  const canvas = new OffscreenCanvas(picture.width, Math.min(rows, picture.height));
  const pen = /** @type {OffscreenCanvasRenderingContext2D} */ (
    canvas.getContext("2d", { alpha: false, willReadFrequently: true })
  );
  pen.fillStyle = "white";
  for (let top = 0; top < picture.height; top += rows) {
    const strip = drawStrip(pen, picture, top, Math.min(rows, picture.height - top));
    averageBoxes(strip, factor, data.subarray((3 * width * top) / factor));
  }
  canvas.width = canvas.height = 0; // Safari keeps the memory of one that is merely forgotten
  return { data, width, height };
}

/**
 * Returns a picture's pixels upright.
 * @param {Pixels} pixels
 * @param {number} orientation  as EXIF tells it
 * @returns {Pixels}
 */
export function turned({ data, width, height }, orientation) {
  if (orientation === 1) return { data, width, height };
  const [across, down] = orientation > 4 ? [height, width] : [width, height];
  const mirrored = [2, 3, 7, 6].includes(orientation);
  const upended = [3, 4, 7, 8].includes(orientation);
  const upright = new Uint8Array(data.length);
  for (let y = 0, to = 0; y < down; y++) {
    for (let x = 0; x < across; x++, to += 3) {
      const [left, top] = [mirrored ? across - 1 - x : x, upended ? down - 1 - y : y];
      const from = 3 * (orientation > 4 ? width * left + top : width * top + left);
      for (let channel = 0; channel < 3; channel++) upright[to + channel] = data[from + channel];
    }
  }
  return { data: upright, width: across, height: down };
}

/**
 * @param {OffscreenCanvasRenderingContext2D} pen
 * @param {ImageBitmap} picture
 * @param {number} top
 * @param {number} rows
 */
function drawStrip(pen, picture, top, rows) {
  pen.fillRect(0, 0, picture.width, rows);
  pen.drawImage(picture, 0, -top);
  return pen.getImageData(0, 0, picture.width, rows);
}

/**
 * Writes the average of each box of factor x factor pixels; those at the edges may be smaller.
 * @param {({ data: Uint8ClampedArray, width: number, height: number })} strip
 * @param {number} factor
 * @param {Uint8Array} into
 */
export function averageBoxes({ data, width, height }, factor, into) {
  const pixels = new Uint32Array(data.buffer, data.byteOffset, width * height);
  const columns = Math.ceil(width / factor);
  for (let top = 0, row = 0; top < height; top += factor, row++) {
    const rows = Math.min(factor, height - top);
    const sums = new Uint32Array(3 * columns);
    for (let y = top; y < top + rows; y++) addRow(pixels, width * y, width, factor, sums);
    const last = width - factor * (columns - 1);
    for (let column = 0; column < columns; column++) {
      const count = rows * (column === columns - 1 ? last : factor);
      for (let at = 3 * column; at < 3 * column + 3; at++) {
        into[3 * columns * row + at] = average(sums[at], count);
      }
    }
  }
}

/**
 * Red and blue are summed in one number, 16 bits each, which halves the time.
 * @param {Uint32Array} pixels  each 0xAABBGGRR: every browser's machine is little-endian
 * @param {number} at  where the row begins
 * @param {number} width
 * @param {number} factor
 * @param {Uint32Array} sums  of each box, in red, green and blue
 */
function addRow(pixels, at, width, factor, sums) {
  for (let x = 0, column = 0; x < width; column += 3) {
    for (const end = Math.min(x + factor, width); x < end; ) {
      let redAndBlue = 0;
      let green = 0;
      for (const stop = Math.min(x + AT_ONCE, end); x < stop; x++, at++) {
        redAndBlue += pixels[at] & 0xff00ff;
        green += pixels[at] & 0x00ff00;
      }
      sums[column] += redAndBlue & 0xffff;
      sums[column + 1] += green >>> 8;
      sums[column + 2] += redAndBlue >>> 16;
    }
  }
}

/**
 * Rounds to the nearest level in fixed point, with the very roundings of Pillow (Reduce.c).
 * @param {number} sum
 * @param {number} pixels
 */
function average(sum, pixels) {
  const multiplier = Math.floor(2 ** 24 / pixels);
  return Math.floor(((sum + (pixels >> 1)) * multiplier) / 2 ** 24);
}
