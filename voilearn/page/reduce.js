// Makes a large picture smaller by the averages of boxes, as Pillow's Image.reduce does.
// In: a decoded picture and factors; out: its pixels as RGB bytes, row by row, for each.
//
// A canvas's own smoothing looks at a few pixels of many and differs between browsers.

/** @import { Picture } from "./decode.js" */
/** @import { Strip } from "./strips.js" */
import { stripsOf } from "./strips.js";

const STRIP = 1_000_000; // pixels at a time: 4 MB

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
 * Returns the factor that leaves the longer side nearest to so many pixels. One that leaves it no
 * longer would take half of what a model needs from a picture that is hardly longer.
 * @param {number} longest
 * @param {number} width
 * @param {number} height
 */
export function factorTo(longest, width, height) {
  return Math.max(1, Math.round(Math.max(width, height) / longest));
}

/**
 * @typedef {object} Pixels
 * @property {Uint8Array} data  3 bytes a pixel
 * @property {number} width
 * @property {number} height
 */

/**
 * Resolves to a picture's pixels, transparency laid over white, for each factor.
 * @param {Picture} picture
 * @param {number[]} factors
 * @param {boolean} [plain]  its pixels lie as they were decoded
 * @returns {Promise<Pixels[]>}
 */
export async function readReduced(picture, factors, plain = false) {
  const found = factors.map((factor) => {
    const width = Math.ceil(picture.width / factor);
    const height = Math.ceil(picture.height / factor);
    return { data: new Uint8Array(3 * width * height), width, height };
  });
  const step = factors.reduce((product, factor) => product * factor); // whole boxes of each
  const rows = step * Math.max(1, Math.floor(STRIP / (picture.width * step)));
  const strips = await stripsOf(picture, rows, plain);
  for (let top = 0; top < picture.height; top += rows) {
    const strip = await strips.read(top, Math.min(rows, picture.height - top));
    for (const [at, { data, width }] of found.entries()) {
      averageBoxes(strip, factors[at], data.subarray((3 * width * top) / factors[at]));
    }
  }
  strips.close();
  return found;
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
  const [right, below] = orientation > 4 ? [3 * width, 3] : [3, 3 * width]; // bytes to the next pixel
  const upright = new Uint8Array(data.length);
  for (let y = 0, to = 0; y < down; y++) {
    let from = below * (upended ? down - 1 - y : y) + (mirrored ? right * (across - 1) : 0);
    for (let x = 0; x < across; x++, from += mirrored ? -right : right) {
      upright[to++] = data[from];
      upright[to++] = data[from + 1];
      upright[to++] = data[from + 2];
    }
  }
  return { data: upright, width: across, height: down };
}

/**
 * Writes the average of each box of factor x factor pixels; those at the edges may be smaller.
 * @param {Strip} strip
 * @param {number} factor
 * @param {Uint8Array} into
 */
export function averageBoxes({ data, width, height, blueFirst = false }, factor, into) {
  const pixels = new Uint32Array(data.buffer, data.byteOffset, width * height);
  if (factor === 1) return takeColours(pixels, blueFirst, into);
  for (let top = 0, to = 0; top < height; top += factor) {
    const bottom = Math.min(top + factor, height);
    for (let left = 0; left < width; left += factor) {
      const right = Math.min(left + factor, width);
      let low = 0; // red, where blue is not first
      let middle = 0;
      let high = 0;
      for (let y = top; y < bottom; y++) {
        for (let at = width * y + left, end = width * y + right; at < end; at++) {
          const pixel = pixels[at];
          low += pixel & 0xff;
          middle += (pixel >>> 8) & 0xff;
          high += (pixel >>> 16) & 0xff;
        }
      }
      const count = (bottom - top) * (right - left);
      into[to++] = average(blueFirst ? high : low, count);
      into[to++] = average(middle, count);
      into[to++] = average(blueFirst ? low : high, count);
    }
  }
}

/** @param {Uint32Array} pixels @param {boolean} blueFirst @param {Uint8Array} into */
function takeColours(pixels, blueFirst, into) {
  const [red, blue] = blueFirst ? [16, 0] : [0, 16]; // bits from the right
  for (let at = 0, to = 0; at < pixels.length; at++) {
    const pixel = pixels[at];
    into[to++] = pixel >>> red;
    into[to++] = pixel >>> 8;
    into[to++] = pixel >>> blue;
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
