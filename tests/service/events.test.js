// A stream of events is read as it comes, in pieces of any size.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readEvents } from "../../voilearn/service/events.js";

const TEXT = 'event: model\ndata: {"sha256": "ä"}\n\n:\n\nevent: place\ndata: {"place": 3}\n\n';
const EVENTS = [
  ["model", { sha256: "ä" }],
  ["", null],
  ["place", { place: 3 }],
];

/**
 * What is heard of a stream that comes in pieces of so many bytes.
 * @param {number} size
 * @param {string} [end]  what comes last
 */
async function heard(size, end = "") {
  const bytes = new TextEncoder().encode(TEXT + end);
  const stream = new ReadableStream({
    start(controller) {
      for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.subarray(at, at + size));
      controller.close();
    },
  });
  /** @type {[string, unknown][]} */
  const found = [];
  await readEvents(new Response(stream), (name, told) => found.push([name, told]));
  return found;
}

test("events and comments are told in their order, however they are cut", async () => {
  for (const size of [1, 2, 3, 7, 30, 1000]) assert.deepEqual(await heard(size), EVENTS);
});

test("what is cut off at the end is not told", async () => {
  assert.deepEqual(await heard(9, 'event: model\ndata: {"sha256"'), EVENTS);
});
