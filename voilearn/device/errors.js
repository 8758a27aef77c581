// What a visitor is told when something is wrong.
// In: what went wrong; out: an error whose message is a sentence, and whether trying again helps.

/** A photo that can't be answered: the next one may be. */
export class PhotoError extends Error {
  /**
   * @param {string} type  that of the same error in Python
   * @param {string} sentence
   */
  constructor(type, sentence) {
    super(sentence);
    this.type = type;
  }
}

/** The page itself can't go on. */
export class PageError extends Error {
  /**
   * @param {string} sentence
   * @param {object} [options]
   * @param {boolean} [options.retry]  the same once more may work
   */
  constructor(sentence, { retry = true } = {}) {
    super(sentence);
    this.retry = retry;
  }
}

const NO_MEMORY = /memory|alloc|too large|maximum.*size/i;

/**
 * Returns an error of one of the two kinds for whatever was thrown, never with a text of its own.
 * @param {unknown} error
 */
export function inWords(error) {
  if (error instanceof PhotoError || error instanceof PageError) return error;
  console.error(error);
  if (error instanceof RangeError || NO_MEMORY.test(error instanceof Error ? error.message : String(error))) {
    return new PageError(
      "This device has not enough free memory for that. Please close other tabs or apps and try " +
        "again, or choose a smaller photo.",
    );
  }
  return new PageError("Something went wrong on this page. Please try again, or reload the page.");
}

/**
 * Returns the sentence for a browser that lacks something, or nothing.
 * @param {Partial<typeof globalThis>} [scope]
 */
export function tooOld(scope = globalThis) {
  /** @type {Record<string, unknown>} */
  const needed = {
    "web workers": scope.Worker,
    DecompressionStream: scope.DecompressionStream,
    OffscreenCanvas: scope.OffscreenCanvas,
    createImageBitmap: scope.createImageBitmap,
    "WebAssembly with SIMD": runsSimd(scope),
  };
  const missing = Object.keys(needed).filter((name) => !needed[name]);
  if (!missing.length) return "";
  return (
    `This browser is too old for this page: it has no ${missing.join(", no ")}. ` +
    "Please update it, or open the page in a current Chrome, Edge, Firefox or Safari."
  );
}

// The smallest program with a SIMD instruction: (func v128.const 0; i8x16.popcnt; drop).
const SIMD =
  "0061736d01000000 010401600000 03020100 0a19011700 fd0c00000000000000000000000000000000 fd62 1a 0b";

/** @param {Partial<typeof globalThis>} scope */
function runsSimd({ WebAssembly }) {
  const bytes = Array.from(SIMD.matchAll(/\w\w/g), ([pair]) => parseInt(pair, 16));
  return WebAssembly?.validate(new Uint8Array(bytes));
}
