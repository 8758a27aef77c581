// Tells whether this browser shows a page the pixels of its canvases. One that resists fingerprinting
// may hand out random ones, or all white: to a model, noise.
// In: a canvas's pen; out: whether what it draws can be read.

const SIDE = 16; // pixels
const LEVELS = 16; // of 255 that a channel may be off: the milder protection of Brave and Firefox changes one

/**
 * Tells whether known pixels are read back as they were drawn.
 * @param {Pick<OffscreenCanvasRenderingContext2D, "createImageData" | "putImageData" | "getImageData">} pen
 */
export function showsPixels(pen) {
  const drawn = pen.createImageData(SIDE, SIDE);
  for (let at = 0; at < drawn.data.length; at++) drawn.data[at] = at % 4 === 3 ? 255 : (at * 37) % 256;
  pen.putImageData(drawn, 0, 0);
  const { data } = pen.getImageData(0, 0, SIDE, SIDE);
  return drawn.data.every((level, at) => Math.abs(level - data[at]) <= LEVELS);
}
