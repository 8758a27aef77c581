// The page's kernel and who asks it, over a websocket of the test's own: whatever becomes of that, a
// photo is either on its way or known to be lost.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { happen, page, Socket } from "../scripts/page.js";
import { KernelAsker } from "../../voilearn/notebook/asker.js";
import { Kernel } from "../../voilearn/notebook/kernel.js";
import { Lost } from "../../voilearn/page/problem.js";

/**
 * @import { TestContext } from "node:test"
 * @import { Prediction } from "../../voilearn/page/types.d.ts"
 */

const SETTINGS = { classes: {}, photo_size: 1024 };
const SOON = 3000; // milliseconds without a word, after which a kernel is lost
const OPENS_WITHIN = 4000;
const PHOTO = new Blob([new Uint8Array(700_000)]); // of three pieces
const ANSWER = { kind: "answer", prediction: /** @type {Prediction} */ ({ label: "grizzly" }) };

/** A page whose kernel is there, and what its asker has told. @param {TestContext} t */
function connected(t) {
  t.mock.timers.enable({ apis: ["setTimeout", "setInterval"] });
  const kernel = new Kernel();
  const asker = new KernelAsker(kernel);
  t.after(() => asker.end());
  /** @type {string[]} */
  const told = [];
  for (const kind of ["here", "lost", "back"]) asker.addEventListener(kind, () => told.push(kind));
  kernel.connect("ws://localhost/one", "comm", SETTINGS);
  Socket.last.open();
  Socket.last.say("comm", { kind: "here" });
  assert.deepEqual(told, ["here"]);
  return { t, kernel, asker, told };
}

/** Ask about a photo; what became of it is looked at later. @param {KernelAsker} asker */
function ask(asker, photo = /** @type {Blob | { example: number }} */ (PHOTO)) {
  const giveUp = new AbortController();
  const sent = photo instanceof Blob ? { blob: photo, width: 0, height: 0, scaled: false } : photo;
  const answer = asker.ask(sent, { signal: giveUp.signal });
  answer.catch(() => {});
  return { answer, giveUp };
}

/** Resolves when all that needs no time is done: reading a piece of a photo takes some turns. */
async function turns() {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** So many milliseconds go by, bit by bit: a timer may set another. @param {TestContext} t @param {number} time */
function pass(t, time) {
  for (; time > 0; time -= 500) t.mock.timers.tick(Math.min(time, 500));
}

/** What the last socket was told of photos. */
const given = () => Socket.last.sent.filter(({ kind }) => kind !== "here");
const kinds = () => given().map(({ kind }) => kind);

beforeEach(() => {
  Socket.all.length = 0;
  page.hidden = false;
});

/** What may come over a page while a piece of a photo is read. @type {Record<string, (all: ReturnType<typeof connected>) => void>} */
const LOSSES = {
  "the connection breaks": () => Socket.last.break(),
  "the connection is being closed": () => Socket.last.close(),
  "the connection breaks, and the next one opens": ({ t }) => {
    Socket.last.break();
    t.mock.timers.tick(1);
    Socket.last.open();
  },
  "the page joins another kernel": ({ kernel }) => kernel.connect("ws://localhost/two", "other", SETTINGS),
  "the page joins another kernel, which is there": ({ kernel }) => {
    kernel.connect("ws://localhost/two", "other", SETTINGS);
    Socket.last.open();
    Socket.last.say("other", { kind: "here" });
  },
  "the kernel falls silent": ({ t }) => pass(t, 20_000 + SOON),
  "the page ends": ({ asker }) => asker.end(),
};

for (const [what, happens] of Object.entries(LOSSES)) {
  test(`a photo is lost at once when, while it is read, ${what}`, async (t) => {
    const all = connected(t);
    const { answer } = ask(all.asker);
    happens(all);
    await assert.rejects(answer, Lost); // though no time passes any more
    await turns();
    assert.deepEqual(kinds(), []); // no piece of it went to whoever is there now
  });
}

test("between two pieces, too, a lost connection is a lost photo", async (t) => {
  const { asker, told } = connected(t);
  const { answer } = ask(asker);
  await turns();
  assert.deepEqual(kinds(), ["photo"]);
  Socket.last.break();
  await assert.rejects(answer, Lost);
  assert.deepEqual(told, ["here", "lost"]);
});

test("what was asked of a kernel that is gone is lost, and an example too", async (t) => {
  const { asker } = connected(t);
  const { answer } = ask(asker, /** @type {any} */ ({ example: 0 }));
  assert.deepEqual(kinds(), ["example"]);
  Socket.last.break();
  await assert.rejects(answer, Lost);
});

test("a connection that is being closed takes no photo, which is known at once", async (t) => {
  const { asker, told } = connected(t);
  Socket.last.close();
  const { answer } = ask(asker, /** @type {any} */ ({ example: 0 }));
  await assert.rejects(answer, Lost);
  assert.deepEqual(told, ["here", "lost"]);
});

test("a photo refused while its next piece is read is not sent on", async (t) => {
  const { asker } = connected(t);
  const { answer } = ask(asker);
  await turns();
  const [{ number }] = given();
  Socket.last.say("comm", { kind: "received", number });
  Socket.last.say("comm", { ...ANSWER, number });
  assert.equal((await answer).label, "grizzly");
  assert.deepEqual(kinds(), ["photo"]);
});

test("a photo given up while it is read is not sent", async (t) => {
  const { asker } = connected(t);
  const { answer, giveUp } = ask(asker);
  giveUp.abort();
  await assert.rejects(answer, { name: "AbortError" });
  await turns();
  assert.deepEqual(kinds(), ["cancel"]);
});

test("a connection that never opens is given up for another, ever more seldom", (t) => {
  connected(t);
  Socket.last.break();
  t.mock.timers.tick(1); // the first attempt is at once
  assert.equal(Socket.all.length, 2);
  for (const [pause, sockets] of /** @type {const} */ ([
    [3000, 3],
    [6000, 4],
    [12_000, 5],
  ])) {
    pass(t, OPENS_WITHIN);
    pass(t, pause - 1);
    assert.equal(Socket.all.length, sockets - 1);
    t.mock.timers.tick(1);
    assert.equal(Socket.all.length, sockets);
  }
  Socket.last.open();
  Socket.last.say("comm", { kind: "here" });
  Socket.last.break(); // once it was there, the next attempt is at once again
  t.mock.timers.tick(1);
  assert.equal(Socket.all.length, 6);
});

test("of a connection that seems open and is silent, another one is had", (t) => {
  const { told } = connected(t);
  pass(t, 1500 + SOON);
  assert.deepEqual(told, ["here", "lost"]);
  t.mock.timers.tick(1);
  assert.equal(Socket.all.length, 2);
  Socket.last.open();
  Socket.last.say("comm", { kind: "here" });
  assert.deepEqual(told, ["here", "lost", "back"]);
});

for (const [what, happens] of /** @type {const} */ ([
  ["the network is back", () => happen("online")],
  ["somebody looks at the page", () => page.dispatchEvent(new Event("visibilitychange"))],
])) {
  test(`a lost connection does not wait any longer when ${what}`, (t) => {
    const { told } = connected(t);
    Socket.last.break();
    t.mock.timers.tick(1);
    Socket.last.break();
    assert.equal(Socket.all.length, 2);
    happens();
    assert.equal(Socket.all.length, 3);
    happens(); // one that is on its way is left alone
    assert.equal(Socket.all.length, 3);
    Socket.last.open();
    happens(); // and one that is there
    Socket.last.say("comm", { kind: "here" });
    happens();
    assert.equal(told.at(-1), "back");
    assert.equal(Socket.all.length, 3);
  });
}

test("a page that nobody looks at says nothing, and loses nothing", (t) => {
  const { told } = connected(t);
  page.hidden = true;
  page.dispatchEvent(new Event("visibilitychange"));
  const said = Socket.last.sent.length;
  pass(t, 60_000);
  assert.equal(Socket.last.sent.length, said);
  assert.deepEqual(told, ["here"]);
});

test("of an old connection nothing is heard any more", (t) => {
  const { kernel, told } = connected(t);
  const old = Socket.last;
  kernel.connect("ws://localhost/two", "other", SETTINGS);
  assert.deepEqual(told, ["here", "lost"]);
  old.say("comm", { kind: "here" });
  old.break();
  assert.deepEqual(told, ["here", "lost"]);
  assert.equal(Socket.all.length, 2);
});

test("a page that is put away has no connection, until it joins a kernel again", (t) => {
  const { kernel } = connected(t);
  kernel.close();
  assert.equal(Socket.last.readyState, Socket.CLOSING);
  pass(t, 1000);
  assert.equal(Socket.all.length, 1);
  kernel.connect("ws://localhost/two", "other", SETTINGS);
  assert.equal(Socket.all.length, 2);
});
