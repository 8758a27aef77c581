// The device's asker with a worker that does what the test does: what it tells the page, and when.

import assert from "node:assert/strict";
import { test } from "node:test";
import "../scripts/english.js";
import { WorkerAsker } from "../../voilearn/device/asker.js";
import { PageError } from "../../voilearn/device/errors.js";
import { Lost, Problem } from "../../voilearn/page/problem.js";
import { Visit } from "../../voilearn/page/visit.js";

/**
 * @import { Described, News, Order } from "../../voilearn/device/messages.d.ts"
 * @import { Prediction, Show } from "../../voilearn/page/types.d.ts"
 */

const file = (/** @type {"model" | "runtime"} */ what) =>
  /** @type {const} */ ({ what, name: what, sha256: "0", bytes: 1, packed: 1 });
/** @type {Described} */
const MODEL = {
  name: "bears",
  sha256: "0",
  task: "single-label",
  classes: ["black", "grizzly"],
  thresholds: null,
  size: 224,
  weights: 8,
  heic: { module: "page-1/heic.js", file: file("runtime") },
  files: { network: file("model"), runtime: file("runtime") },
  settings: { classes: { grizzly: { name: "A grizzly bear" } } },
  examples: [{ name: "bear 1", thumb: "examples/a.jpg", photo: "examples/b.jpg" }],
};
const PIXELS = { data: new Uint8Array(3), width: 1, height: 1 };
const SENT = { pixels: PIXELS, width: 1, height: 1, scaled: true };
const BASE = "http://localhost/bears/";

class Stub {
  /** @type {Order[]} */
  orders = [];
  ended = false;
  /** @type {((event: { data: object }) => void) | null} */
  onmessage = null;
  /** @type {((event: { preventDefault: () => void }) => void) | null} */
  onerror = null;

  /** @param {Order} order */
  postMessage(order) {
    this.orders.push(order);
  }

  terminate() {
    this.ended = true;
  }

  /** @template {keyof News} Kind @param {Kind} kind @param {News[Kind]} facts */
  tell(kind, facts) {
    this.onmessage?.({ data: { kind, ...facts } });
  }

  get kinds() {
    return this.orders.map(({ kind }) => kind).join(" ");
  }
}

/** An asker, its workers, and all it says. @param {() => void} [starting] */
function begun(starting) {
  /** @type {Stub[]} */
  const workers = [];
  /** @type {string[]} */
  const said = [];
  const reader = {
    /** @type {(...given: [File, unknown, Show?]) => Promise<typeof SENT>} */
    read: async (_file, _wanted, show) => {
      show?.(new Blob(["picture"]));
      return SENT;
    },
  };
  const start = () => {
    starting?.();
    workers.push(new Stub());
    return /** @type {any} */ (workers.at(-1));
  };
  const asker = new WorkerAsker(MODEL, reader, { start, base: BASE });
  for (const kind of ["here", "preparing", "broken", "kept"]) {
    asker.addEventListener(kind, (event) => {
      const { words, share } = /** @type {CustomEvent} */ (event).detail ?? {};
      said.push([kind, words, share].filter((each) => each !== undefined).join(" "));
    });
  }
  asker.begin();
  return { asker, workers, said };
}

const signal = () => new AbortController().signal;
const told = (/** @type {string} */ key) => (/** @type {unknown} */ error) =>
  error instanceof Problem && error.words !== undefined && error.words.includes(key);

test("the worker is told what to get, and the page what goes on, until it is there", () => {
  const { workers, said } = begun();
  const { network, runtime } = MODEL.files;
  const narrow = true; // its weights have 8 bits
  const start = {
    kind: "start",
    files: { network, runtime },
    narrow,
    joined: false,
    lacked: false,
    base: BASE,
    reload: false,
  };
  assert.deepEqual(workers[0].orders, [start]);
  for (const loaded of [0, 1e6, 1.001e6, 1.3e6, 1.6e6, 1.7e7]) {
    workers[0].tell("downloading", { loaded, total: 1.6e7 });
  }
  workers[0].tell("starting", {});
  workers[0].tell("ready", {});
  assert.deepEqual(said, [
    "preparing Starting…",
    "preparing Downloading the model: 0.0 of 16.0 MB. 0",
    "preparing Downloading the model: 0.0 of 16.0 MB. 0.0625", // words change by tenths
    "preparing Downloading the model: 0.0 of 16.0 MB. 0.08125",
    "preparing Downloading the model: 1.6 of 16.0 MB. 0.1",
    "preparing Downloading the model: 16.0 of 16.0 MB. 1",
    "preparing Starting the model…",
    "here",
  ]);
});

test("a photo that waited is asked about before what came is kept", async () => {
  const { asker, workers, said } = begun();
  const visit = new Visit(asker, { read: async () => SENT });
  visit.take([new File(["a"], "a.jpg")]);
  while (visit.photos[0].state !== "held") await new Promise(setImmediate);
  workers[0].tell("ready", {});
  assert.equal(workers[0].kinds, "start photo keep");
  assert.equal(visit.photos[0].state, "looking"); // nothing is sent anywhere
  workers[0].tell("kept", {});
  workers[0].tell("answer", { number: 1, outputs: { probabilities: [0.25, 0.75] } });
  while (visit.photos[0].state !== "answered") await new Promise(setImmediate);
  assert.equal(visit.photos[0].prediction?.label, "grizzly");
  assert.equal(said.at(-1), "kept");
});

test("pixels go to the worker, and its numbers come back as a Prediction", async () => {
  const { asker, workers } = begun();
  const heic = { module: `${BASE}page-1/heic.js`, file: MODEL.heic?.file, base: BASE };
  assert.deepEqual(asker.wants, { pixels: true, size: 224, heic });
  const answered = asker.ask(SENT, { signal: signal() });
  assert.deepEqual(workers[0].orders.at(-1), { kind: "photo", number: 1, pixels: PIXELS });
  workers[0].tell("answer", { number: 7, outputs: { probabilities: [1, 0] } }); // of another
  workers[0].tell("answer", { number: 1, outputs: { probabilities: [0.1, 0.9] } });
  /** @type {Prediction} */
  const { label, model } = await answered;
  assert.deepEqual([label, model.name, PIXELS.data.length], ["grizzly", "bears", 3]);
});

test("numbers that are no answer are a problem of that photo", async () => {
  const { asker, workers, said } = begun();
  const answered = asker.ask(SENT, { signal: signal() });
  workers[0].tell("answer", { number: 1, outputs: { probabilities: [0.1] } });
  await assert.rejects(answered, told("it gave 1 numbers for its 2 classes"));
  assert.ok(!said.some((each) => each.startsWith("broken")));
});

test("a photo that the runtime fails at is refused, and the runtime begun anew", async () => {
  const { asker, workers, said } = begun();
  const answered = asker.ask(SENT, { signal: signal() });
  workers[0].tell("unanswered", { number: 1, key: "noMemory", values: {} });
  await assert.rejects(answered, told("not enough free memory"));
  assert.deepEqual([workers.length, workers[0].ended], [2, true]);
  assert.equal(said.at(-1), "preparing Starting…");
});

test("where the runtime may lack something, the whole one is asked, with every photo", async () => {
  const { asker, workers, said } = begun();
  const visit = new Visit(asker, { read: async () => SENT });
  visit.take([new File(["a"], "a.jpg")]);
  workers[0].tell("ready", {});
  while (!workers[0].kinds.endsWith("photo")) await new Promise(setImmediate);
  workers[0].tell("lacking", {});
  assert.deepEqual([workers.length, workers[0].ended], [2, true]);
  const [order] = workers[1].orders;
  assert.ok(order.kind === "start" && order.lacked && !order.reload);
  workers[1].tell("ready", {});
  while (!workers[1].kinds.endsWith("photo")) await new Promise(setImmediate);
  assert.ok(!said.some((each) => each.startsWith("broken")));
  assert.equal(visit.photos[0].error, undefined);
  asker.begin();
  assert.ok(workers[2].orders[0].kind === "start" && workers[2].orders[0].lacked); // it stays so
  visit.end();
});

test("what can't be got is told, and got anew when the visitor tries again", async () => {
  const { asker, workers, said } = begun();
  const before = asker.reconnect;
  assert.equal(before, undefined);
  const values = { status: 404 };
  workers[0].tell("failed", { key: "missing", values, what: "model", retry: true });
  assert.match(`${said.at(-1)}`, /^broken The model is missing on the server, which answers 404\./);
  assert.equal(workers[0].ended, true);
  assert.equal(asker.hopeless, undefined);
  assert.equal(await asker.reconnect?.(), true);
  assert.equal(workers[1].orders[0].kind === "start" && workers[1].orders[0].reload, true);
});

test("where trying again is of no use, it is not offered, and no photo waits for it", () => {
  const { asker, said } = begun();
  asker.break(new PageError("tooOld", { values: { missing: "OffscreenCanvas" }, retry: false }));
  assert.match(`${said.at(-1)}`, /^broken This browser is too old for this page/);
  assert.equal(asker.reconnect, undefined);
  assert.ok(told("too old")(asker.hopeless));
});

test("a browser that lets the page have no worker is told at once", () => {
  const { asker, said } = begun(() => {
    throw new Error("not allowed");
  });
  assert.match(`${said.at(-1)}`, /^broken This browser does not let this page run its model here/);
  assert.equal(asker.reconnect, undefined);
});

test("a worker that crashes is told, its photo kept, and trying again answers it", async () => {
  const { asker, workers, said } = begun();
  workers[0].tell("ready", {});
  const answered = asker.ask(SENT, { signal: signal() });
  let prevented = false;
  workers[0].onerror?.({ preventDefault: () => (prevented = true) });
  await assert.rejects(answered, Lost);
  assert.ok(prevented);
  assert.match(`${said.at(-1)}`, /^broken A part of this page is missing or could not run/);
  await assert.rejects(asker.ask(SENT, { signal: signal() }), Lost); // there is nobody
  await asker.reconnect?.();
  const again = asker.ask(SENT, { signal: signal() });
  workers[1].tell("answer", { number: 3, outputs: { probabilities: [1, 0] } });
  assert.equal((await again).label, "black");
});

test("a photo that is given up is, and its late answer no matter", async () => {
  const { asker, workers } = begun();
  const giveUp = new AbortController();
  const answered = asker.ask(SENT, { signal: giveUp.signal });
  giveUp.abort(new Error("given up"));
  await assert.rejects(answered, /given up/);
  assert.deepEqual(workers[0].orders.at(-1), { kind: "cancel", number: 1 });
  workers[0].tell("answer", { number: 1, outputs: { probabilities: [1, 0] } });
});

test("an example is fetched from the page's folder, shown and asked about", async (t) => {
  /** @type {string[]} */
  const fetched = [];
  t.mock.method(globalThis, "fetch", async (/** @type {URL} */ url) => {
    fetched.push(url.href);
    return new Response("photo");
  });
  const { asker, workers } = begun();
  const [[name, picture]] = await asker.examples();
  assert.deepEqual([name, await picture.text()], ["bear 1", "photo"]);
  /** @type {Blob[]} */
  const shown = [];
  const preview = (/** @type {Blob} */ blob) => shown.push(blob);
  const answered = asker.ask({ example: 0 }, { signal: signal(), preview });
  while (workers[0].kinds !== "start photo") await new Promise(setImmediate);
  workers[0].tell("answer", { number: 1, outputs: { probabilities: [1, 0] } });
  assert.equal((await answered).label, "black");
  assert.equal(await shown[0].text(), "picture");
  assert.deepEqual(fetched, [`${BASE}examples/a.jpg`, `${BASE}examples/b.jpg`]);
});

test("an example that is missing or out of reach is a problem of its own", async (t) => {
  const { asker } = begun();
  t.mock.method(globalThis, "fetch", async () => new Response("", { status: 404 }));
  const missing = told("This example is missing on the server, which answers 404.");
  await assert.rejects(asker.ask({ example: 0 }, { signal: signal() }), missing);
  await assert.rejects(asker.examples(), missing);
  t.mock.method(globalThis, "fetch", () => Promise.reject(new TypeError("network")));
  const cut = told("This example could not be downloaded");
  await assert.rejects(asker.ask({ example: 0 }, { signal: signal() }), cut);
  const given = AbortSignal.abort(new Error("given up"));
  await assert.rejects(asker.ask({ example: 0 }, { signal: given }), /given up/);
});
