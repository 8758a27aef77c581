// What a visitor is told when something is wrong.
// In: what went wrong; out: an error with the key of its sentence, and whether trying again helps.

/** @import { Key } from "../page/words.js" */

/** @typedef {Record<string, string | number>} Values */

/** The page itself can't go on. */
export class PageError extends Error {
  /**
   * @param {Key} key  of its sentence
   * @param {object} [options]
   * @param {Values} [options.values]
   * @param {Key} [options.what]  is wrong, where the sentence has a place for it
   * @param {boolean} [options.retry]  the same once more may work
   */
  constructor(key, { values = {}, what, retry = true } = {}) {
    super(key);
    this.key = key;
    this.values = values;
    this.what = what;
    this.retry = retry;
  }
}

const NO_MEMORY = /memory|alloc|too large|maximum.*size/i;

/**
 * Returns such an error for whatever was thrown, never with a text of its own.
 * @param {unknown} error
 */
export function inWords(error) {
  if (error instanceof PageError) return error;
  console.error(error);
  const noMemory =
    error instanceof RangeError || NO_MEMORY.test(error instanceof Error ? error.message : String(error));
  return new PageError(noMemory ? "noMemory" : "wrong");
}

/**
 * Returns the error for a browser that lacks something, or nothing. Where one of 2023 lacks no more
 * than what a setting turns off, it is not too old.
 * @param {Partial<typeof globalThis>} [scope]
 */
export function lacking(scope = globalThis) {
  const { DecompressionStream, OffscreenCanvas, createImageBitmap, WebAssembly, Worker } = scope;
  const always = { DecompressionStream, OffscreenCanvas, createImageBitmap };
  const wasm = WebAssembly ? { "WebAssembly SIMD": runsSimd(WebAssembly) } : { WebAssembly };
  const old = namesOf(always);
  const missing = [...old, ...namesOf({ Worker, ...wasm })].join(", ");
  return missing && new PageError(old.length ? "tooOld" : "turnedOff", { values: { missing }, retry: false });
}

/** @param {Record<string, unknown>} features */
function namesOf(features) {
  return Object.keys(features).filter((name) => !features[name]);
}

// The smallest program with a SIMD instruction: (func v128.const 0; i8x16.popcnt; drop).
const SIMD =
  "0061736d01000000 010401600000 03020100 0a19011700 fd0c00000000000000000000000000000000 fd62 1a 0b";

/** @param {typeof WebAssembly} wasm */
function runsSimd(wasm) {
  const bytes = Array.from(SIMD.matchAll(/\w\w/g), ([pair]) => parseInt(pair, 16));
  return wasm.validate(new Uint8Array(bytes));
}
