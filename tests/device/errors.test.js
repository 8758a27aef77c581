// What a visitor is told of whatever was thrown: one of our sentences, never another text.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inWords, lacking, PageError } from "../../voilearn/device/errors.js";

test("our own errors are told as they are", () => {
  const error = new PageError("noPart", { retry: false });
  assert.equal(inWords(error), error);
});

test("whatever else was thrown is a fixed sentence, and its own text goes to the console", (t) => {
  const told = t.mock.method(console, "error", () => {});
  for (const thrown of [new Error("secret"), "secret", undefined, null, { message: "secret" }]) {
    assert.equal(inWords(thrown).key, "wrong");
    assert.equal(told.mock.calls.at(-1)?.arguments[0], thrown);
  }
});

test("too little memory is told as that", (t) => {
  t.mock.method(console, "error", () => {});
  for (const thrown of [new RangeError("offset"), new Error("failed to allocate"), "Out of memory"]) {
    assert.equal(inWords(thrown).key, "noMemory");
  }
});

const BROWSER = /** @type {any} */ ({
  Worker: class {},
  DecompressionStream: class {},
  OffscreenCanvas: class {},
  createImageBitmap: () => {},
  WebAssembly,
});
const NO_SIMD = { validate: () => false };

test("a browser that has it all lacks nothing", () => {
  assert.equal(lacking(BROWSER), "");
});

for (const [without, key, missing] of /** @type {const} */ ([
  [{ WebAssembly: undefined }, "turnedOff", "WebAssembly"], // Lockdown Mode, javascript.options.wasm, jitless
  [{ WebAssembly: NO_SIMD }, "turnedOff", "WebAssembly SIMD"],
  [{ Worker: undefined }, "turnedOff", "Worker"],
  [{ Worker: undefined, WebAssembly: undefined }, "turnedOff", "Worker, WebAssembly"],
  [{ DecompressionStream: undefined }, "tooOld", "DecompressionStream"],
  [{ OffscreenCanvas: undefined, WebAssembly: NO_SIMD }, "tooOld", "OffscreenCanvas, WebAssembly SIMD"],
  [{ createImageBitmap: undefined, WebAssembly: undefined }, "tooOld", "createImageBitmap, WebAssembly"],
])) {
  test(`a browser without ${missing} is told as one where that is ${key}`, () => {
    const lack = /** @type {PageError} */ (lacking({ ...BROWSER, ...without }));
    assert.deepEqual([lack.key, lack.values.missing, lack.retry], [key, missing, false]);
  });
}
