// Photos read by a worker: a stub of one, which says what the test has it say.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import "../scripts/english.js";
import { PhotoReader } from "../../voilearn/page/reader.js";

/** @import { Asked, Sent, Told } from "../../voilearn/page/types.d.ts" */

const FILE = new File(["a"], "a.jpg");
const READ = /** @type {Sent} */ ({ blob: FILE, width: 4, height: 3, scaled: false });
const WHOLE = { blob: FILE, width: 0, height: 0, scaled: false };

class StubWorker {
  /** @type {StubWorker[]} */
  static all = [];
  /** @type {Asked[]} */
  asked = [];
  ended = false;
  /** @type {((event: { data: Told }) => void) | undefined} */
  onmessage;
  /** @type {((event: { preventDefault: () => void }) => void) | undefined} */
  onerror;

  constructor() {
    StubWorker.all.push(this);
  }

  /** @param {Asked} asked */
  postMessage(asked) {
    this.asked.push(asked);
  }

  terminate() {
    this.ended = true;
  }
}

const start = () => /** @type {Worker} */ (/** @type {unknown} */ (new StubWorker()));

beforeEach(() => {
  StubWorker.all = [];
  Object.assign(globalThis, { OffscreenCanvas: class {} });
});

test("one worker reads all photos, and each gets what was read of it", async () => {
  const reader = new PhotoReader(start);
  const found = [reader.read(FILE, { longest: 1024 }), reader.read(FILE, { longest: 1024 })];
  const [worker] = StubWorker.all;
  assert.equal(StubWorker.all.length, 1);
  assert.deepEqual(worker.asked[0].wanted, { longest: 1024 });
  const [one, other] = worker.asked.map(({ number }) => number);
  worker.onmessage?.({ data: { number: other, read: { ...READ, width: 5 } } });
  worker.onmessage?.({ data: { number: one, read: READ } });
  assert.deepEqual(
    (await Promise.all(found)).map(({ width }) => width),
    [4, 5],
  );
});

test("what is shown of a photo comes after what is asked about, where there is that", async () => {
  const reader = new PhotoReader(start);
  /** @type {unknown[][]} */
  const shown = [];
  const found = [1, 2].map((at) =>
    reader.read(FILE, { longest: 1024 }, (...given) => shown.push([at, ...given])),
  );
  const [worker] = StubWorker.all;
  const [one, other] = worker.asked.map(({ number }) => number);
  worker.onmessage?.({ data: { number: one, read: READ } });
  assert.deepEqual(await found[0], READ);
  assert.deepEqual(shown, []);
  const [picture, thumb] = [new Blob(["p"]), new Blob(["t"])];
  worker.onmessage?.({ data: { number: one, shown: { picture, thumb } } });
  worker.onmessage?.({ data: { number: other, read: READ } });
  worker.onmessage?.({ data: { number: other, shown: {} } }); // it can't be opened here
  await found[1];
  assert.deepEqual(shown, [[1, picture, thumb]]);
});

test("a worker that was started before the first photo is the one that reads it", async () => {
  const reader = new PhotoReader(start);
  assert.equal(StubWorker.all.length, 0);
  reader.prepare();
  reader.read(FILE, { longest: 1024 });
  assert.equal(StubWorker.all.length, 1);
  assert.equal(StubWorker.all[0].asked.length, 1);
});

test("a photo that is refused is a problem, in words and of the type that Python has", async () => {
  const found = new PhotoReader(start).read(FILE, { longest: 1024 });
  const [{ asked, onmessage }] = StubWorker.all;
  const refused = {
    type: "PhotoTooLarge",
    key: /** @type {const} */ ("largePicture"),
    values: { megapixels: "61", most: 50 },
  };
  onmessage?.({ data: { number: asked[0].number, refused } });
  await assert.rejects(found, { type: "PhotoTooLarge", words: /61 megapixels; the limit is 50/ });
});

test("without a worker a whole file is sent, and where pixels are wanted it is a problem", async () => {
  const denied = () => {
    throw new DOMException("denied", "SecurityError");
  };
  const reader = new PhotoReader(denied);
  reader.prepare();
  assert.deepEqual(await reader.read(FILE, { longest: 1024 }), WHOLE);
  const pixels = new PhotoReader(denied).read(FILE, { pixels: true, size: 224 });
  await assert.rejects(pixels, { type: "VoilearnError", words: /reload the page/ });
  Object.assign(globalThis, { OffscreenCanvas: undefined });
  assert.deepEqual(await new PhotoReader(start).read(FILE, { longest: 1024 }), WHOLE);
  assert.equal(StubWorker.all.length, 0);
});

test("a worker that breaks leaves no photo unread, and the next photo has another worker", async () => {
  const reader = new PhotoReader(start);
  const found = reader.read(FILE, { longest: 1024 });
  const [worker] = StubWorker.all;
  worker.onerror?.({ preventDefault() {} });
  assert.deepEqual(await found, WHOLE);
  assert.equal(worker.ended, true);
  reader.read(FILE, { longest: 1024 });
  assert.equal(StubWorker.all.length, 2);
});

test("a worker that could not get a script reads what it has, and the next photo has another", async () => {
  const reader = new PhotoReader(start);
  const found = [1, 2].map(() => reader.read(FILE, { pixels: true, size: 224 }));
  const [worker] = StubWorker.all;
  const [one, other] = worker.asked.map(({ number }) => number);
  const refused = { type: "UnsupportedPhoto", key: /** @type {const} */ ("noPicture"), lacked: true };
  worker.onmessage?.({ data: { number: one, refused } });
  await assert.rejects(found[0], { type: "UnsupportedPhoto" });
  assert.equal(worker.ended, false);
  worker.onmessage?.({ data: { number: other, read: READ } });
  assert.deepEqual(await found[1], READ);
  assert.equal(worker.ended, false); // what is shown of it is still to come
  worker.onmessage?.({ data: { number: other, shown: {} } });
  assert.equal(worker.ended, true);
  reader.read(FILE, { pixels: true, size: 224 });
  assert.equal(StubWorker.all.length, 2);
});
