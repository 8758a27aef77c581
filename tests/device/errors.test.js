// What a visitor is told of whatever was thrown: one of our sentences, never another text.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inWords, PageError, PhotoError, tooOld } from "../../voilearn/device/errors.js";

test("our own errors are told as they are", () => {
  for (const error of [
    new PhotoError("EmptyPhoto", "It is empty."),
    new PageError("No.", { retry: false }),
  ]) {
    assert.equal(inWords(error), error);
  }
});

test("whatever else was thrown is a fixed sentence, and its own text goes to the console", (t) => {
  const told = t.mock.method(console, "error", () => {});
  for (const thrown of [new Error("secret"), "secret", undefined, null, { message: "secret" }]) {
    const { message } = inWords(thrown);
    assert.match(message, /^Something went wrong on this page\./);
    assert.equal(told.mock.calls.at(-1)?.arguments[0], thrown);
  }
});

test("too little memory is told as that", (t) => {
  t.mock.method(console, "error", () => {});
  for (const thrown of [new RangeError("offset"), new Error("failed to allocate"), "Out of memory"]) {
    assert.match(inWords(thrown).message, /not enough free memory/);
  }
});

test("what a browser lacks is named", () => {
  const scope = /** @type {any} */ ({
    Worker: class {},
    DecompressionStream: class {},
    OffscreenCanvas: class {},
    createImageBitmap: () => {},
    WebAssembly,
  });
  assert.equal(tooOld(scope), "");
  assert.match(tooOld({ ...scope, OffscreenCanvas: undefined }), /it has no OffscreenCanvas\. Please update/);
  const old = { ...scope, Worker: undefined, WebAssembly: { validate: () => false } };
  assert.match(tooOld(old), /no web workers, no WebAssembly with SIMD\./);
  assert.match(tooOld({ ...scope, WebAssembly: undefined }), /no WebAssembly with SIMD/);
});
