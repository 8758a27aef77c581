// Reads photos off the page's own thread, so that it never stalls.
// In: a file and what is wanted of it, with a number; out: the same number, with what was read, and
// then with what is shown of it.

/**
 * @import { Asked, Told } from "./types.d.ts"
 * @import { Key } from "./words.js"
 */
import { canReadPixels, readPhoto, Refusal } from "./photo.js";

canReadPixels(); // what takes time once, the first photo need not wait for

let turn = Promise.resolve(); // one photo after the other: a phone has no room for two

/** @param {MessageEvent<Asked>} event */
self.onmessage = ({ data }) => {
  turn = turn.then(() => read(data));
};

/** @param {Asked} asked */
async function read({ number, file, wanted }) {
  /** @type {(told: Told) => void} */
  const tell = (told) => {
    const pixels = told.read?.pixels?.data.buffer; // given away: a phone has no room for copies
    self.postMessage(told, { transfer: pixels ? [pixels] : [] });
  };
  try {
    for await (const part of readPhoto(file, wanted)) tell({ number, ...part });
  } catch (error) {
    const { type, key, values, lacked } =
      error instanceof Refusal ? error : { type: "VoilearnError", key: keyOf(error) };
    tell({ number, refused: { type, key, values, lacked } });
  }
}

/** @param {unknown} error @returns {Key} */
function keyOf(error) {
  console.error(error);
  return error instanceof RangeError ? "noMemory" : "wrong";
}
