// What an asker throws: it is told apart by its class, and says what it was told.

import assert from "node:assert/strict";
import { test } from "node:test";
import { Lost, Problem } from "../../voilearn/page/problem.js";

test("a problem has its type, its sentence by both names, and when to try again", () => {
  const problem = new Problem({ type: "ServiceBusy", detail: "Too many.", retryAfter: 3 });
  const { type, detail, message, retryAfter } = problem;
  assert.deepEqual([type, detail, message, retryAfter], ["ServiceBusy", "Too many.", "Too many.", 3]);
  assert.ok(problem instanceof Error && !(problem instanceof Lost));
});

test("one of which only the type was told has an empty sentence, and is for good", () => {
  const { detail, message, retryAfter } = new Problem({ type: "PhotoNotFound" });
  assert.deepEqual([detail, message, retryAfter], ["", "", undefined]);
});
