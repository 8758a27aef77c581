// One visit with a stub to ask: what becomes of each photo, whatever the stub does.

import assert from "node:assert/strict";
import { test } from "node:test";
import "../scripts/english.js";
import { Lost, Problem, Unseen } from "../../voilearn/page/problem.js";
import { Visit } from "../../voilearn/page/visit.js";

/**
 * @import { AskOptions, Asker, Photo, Prediction, Sent, Settings, Show } from "../../voilearn/page/types.d.ts"
 * @typedef {{ resolve: (told: Prediction) => void, reject: (error: unknown) => void } & AskOptions} Asked
 */

const PREDICTION = /** @type {Prediction} */ ({ label: "grizzly" });

/** Answers when the test does. @implements {Asker} */
class Stub extends EventTarget {
  /** @type {Partial<Settings> | undefined} */
  settings;
  /** @type {(() => Promise<boolean>) | undefined} */
  reconnect;
  /** @type {Asked[]} */
  asked = [];

  /** @param {unknown} _ @param {AskOptions} options @returns {Promise<Prediction>} */
  ask(_, options) {
    return new Promise((resolve, reject) => this.asked.push({ ...options, resolve, reject }));
  }

  examples = async () => [];
  end() {}

  /** @param {string} kind @param {object} [detail] */
  say(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

const READER = {
  /** @param {File} file */
  read: async (file) => ({ blob: file, width: 0, height: 0, scaled: false }),
};

/** A visit with photos of these names. @param {string[]} names */
function visitWith(...names) {
  const stub = new Stub();
  const visit = new Visit(stub, READER);
  visit.take(names.map((name) => new File([name], name)));
  return { stub, visit };
}

/** Resolves when something is so, after a change of the visit. @param {Visit} visit @param {() => boolean} isSo */
async function until(visit, isSo) {
  while (!isSo()) await new Promise((resolve) => visit.addEventListener("change", resolve, { once: true }));
}

/** @param {Visit} visit */
const states = (visit) => visit.photos.map(({ state }) => state).join(" ");

/**
 * Have whoever is asked for this time look at the one photo and go.
 * @param {Stub} stub @param {Visit} visit @param {number} time @param {Lost} how @param {string} then
 */
async function lose(stub, visit, time, how, then) {
  await until(visit, () => stub.asked.length === time);
  stub.asked[time - 1].progress?.(1);
  assert.equal(states(visit), "looking");
  stub.asked[time - 1].reject(how);
  await until(visit, () => states(visit) === then);
}

test("photos are held until somebody is there, then asked about one after the other", async () => {
  const { stub, visit } = visitWith("a", "b");
  await until(visit, () => states(visit) === "held held");
  assert.equal(stub.asked.length, 0);
  assert.equal(visit.shown?.name, "a");
  stub.say("here");
  assert.equal(states(visit), "sending held");
  stub.asked[0].progress?.(1);
  assert.equal(states(visit), "looking held");
  stub.asked[0].resolve(PREDICTION);
  await until(visit, () => states(visit) === "answered sending");
  assert.equal(visit.photos[0].prediction, PREDICTION);
  assert.equal(stub.asked.length, 2);
  stub.asked[1].resolve(PREDICTION);
  await until(visit, () => states(visit) === "answered answered");
});

test("a problem refuses its photo, and the next one is asked about", async () => {
  const { stub, visit } = visitWith("a", "b");
  stub.say("here");
  await until(visit, () => states(visit) === "sending queued");
  const problem = new Problem({ type: "DamagedPhoto", detail: "It is damaged." });
  stub.asked[0].reject(problem);
  await until(visit, () => states(visit) === "refused sending");
  assert.equal(visit.photos[0].error, problem);
  stub.asked[1].reject(new TypeError("a bug, or a file that is gone"));
  await until(visit, () => states(visit) === "refused refused");
  assert.equal(visit.photos[1].error?.type, "PhotoNotFound");
});

test("a busy service is asked again after the seconds it tells, which are counted down", async (t) => {
  const { stub, visit } = visitWith("a");
  stub.say("here");
  await until(visit, () => states(visit) === "sending");
  t.mock.timers.enable({ apis: ["setTimeout"] });
  stub.asked[0].reject(new Problem({ type: "ServiceBusy", retryAfter: 1.2 }));
  await until(visit, () => states(visit) === "busy");
  assert.deepEqual([visit.photos[0].seconds, visit.photos[0].counting], [2, false]);
  t.mock.timers.tick(1000);
  await until(visit, () => visit.photos[0].seconds === 1);
  assert.equal(visit.photos[0].counting, true);
  t.mock.timers.tick(1000);
  await until(visit, () => stub.asked.length === 2);
  stub.asked[1].resolve(PREDICTION);
  await until(visit, () => states(visit) === "answered");
});

test("a photo with which its kernel went is asked about again, but not for ever", async () => {
  const { stub, visit } = visitWith("a");
  stub.say("here");
  for (let time = 1; time <= 5; time++) {
    await until(visit, () => stub.asked.length === time);
    stub.say("lost");
    stub.asked[time - 1].reject(new Lost());
    await until(visit, () => states(visit) !== "sending");
    assert.equal(states(visit), time < 5 ? "held" : "refused");
    stub.say("back");
  }
  assert.equal(visit.photos[0].error?.type, "ServiceError");
  assert.equal(stub.asked.length, 5);
  visit.again(visit.photos[0]); // which the visitor may, as often as at first
  await until(visit, () => stub.asked.length === 6);
  stub.asked[5].reject(new Lost());
  await until(visit, () => states(visit) === "held");
});

test("a photo that may be what ended its kernel is asked about once more alone", async () => {
  const { stub, visit } = visitWith("a");
  stub.say("here");
  await lose(stub, visit, 1, new Lost(), "held");
  await lose(stub, visit, 2, new Lost(), "refused");
  visit.again(visit.photos[0]);
  await lose(stub, visit, 3, new Lost(), "held");
});

test("a photo at which nobody has looked is asked about again for longer", async () => {
  const { stub, visit } = visitWith("a");
  stub.say("here");
  // its state changes at once to that of the next asking
  for (let time = 1; time <= 4; time++) await lose(stub, visit, time, new Unseen(), "sending");
  await lose(stub, visit, 5, new Unseen(), "refused");
});

test("a photo given up is told to the asker, and a late answer is not shown", async () => {
  const { stub, visit } = visitWith("a", "b");
  stub.say("here");
  await until(visit, () => states(visit) === "sending queued");
  visit.cancel(visit.photos[0]);
  assert.ok(stub.asked[0].signal.aborted);
  stub.asked[0].progress?.(1);
  assert.equal(visit.photos[0].state, "cancelled");
  stub.asked[0].resolve(PREDICTION);
  await until(visit, () => states(visit) === "cancelled sending");
  assert.equal(visit.photos[0].prediction, undefined);
  visit.cancel(visit.photos[1]);
  stub.asked[1].reject(new Error("given up"));
  visit.again(visit.photos[0]);
  await until(visit, () => stub.asked.length === 3);
  stub.asked[2].resolve(PREDICTION);
  await until(visit, () => states(visit) === "answered cancelled");
});

test("of more than a hundred photos that wait, the rest is left out and said", () => {
  const { visit } = visitWith(...Array.from({ length: 90 }, (_, at) => `${at}`));
  visit.take(Array.from({ length: 13 }, (_, at) => new File([], `more ${at}`)));
  assert.deepEqual([visit.photos.length, visit.leftOut], [100, 3]);
});

test("of more than a hundred, the oldest that are done make room", async () => {
  const { stub, visit } = visitWith(...Array.from({ length: 100 }, (_, at) => `${at}`));
  stub.say("here");
  await until(visit, () => stub.asked.length === 1);
  stub.asked[0].resolve(PREDICTION);
  await until(visit, () => stub.asked.length === 2);
  visit.take([new File(["new"], "new")]);
  assert.deepEqual([visit.photos.length, visit.leftOut], [100, 0]);
  assert.deepEqual([visit.photos[0].name, visit.photos.at(-1)?.name], ["1", "new"]);
  for (const photo of visit.photos) visit.cancel(photo);
  stub.asked[1].reject(new Error("given up"));
});

test("what is lost comes back where the host knows how, and else is said to be gone", async () => {
  const { stub, visit } = visitWith();
  assert.ok(!visit.reconnects);
  stub.say("here");
  stub.say("lost");
  let there = false;
  let asked = 0;
  stub.reconnect = async () => {
    asked++;
    return there;
  };
  await visit.reconnect();
  assert.equal(visit.line, "gone");
  there = true;
  const back = visit.reconnect();
  assert.equal(visit.line, "reconnecting");
  stub.say("lost"); // as the old connection ends
  assert.equal(visit.line, "reconnecting");
  await visit.reconnect(); // pressed twice
  assert.equal(asked, 2);
  await back;
  assert.equal(visit.line, "opening");
  stub.say("here");
  assert.equal(visit.line, "here");
});

test("whoever is there before the page has done with reconnecting is there", async () => {
  const { stub, visit } = visitWith();
  stub.say("lost");
  stub.reconnect = async () => {
    stub.say("back"); // the connection before, or the new one, was quicker
    return true;
  };
  visit.take([new File(["a"], "a")]);
  await until(visit, () => stub.asked.length === 1);
  assert.equal(visit.line, "here");
  stub.asked[0].resolve(PREDICTION);
  await until(visit, () => states(visit) === "answered");
});

test("a photo that comes while the line is lost brings it back", async () => {
  const { stub, visit } = visitWith();
  stub.say("lost");
  stub.reconnect = async () => true;
  visit.take([new File(["a"], "a")]);
  assert.equal(visit.line, "reconnecting");
  await until(visit, () => visit.line === "opening");
  stub.say("here");
  await until(visit, () => stub.asked.length === 1);
  stub.asked[0].resolve(PREDICTION);
  await until(visit, () => states(visit) === "answered");
});

test("photos that wait are read anew where the author wants them larger", async () => {
  const { stub, visit } = visitWith("a");
  await until(visit, () => states(visit) === "held");
  const { sent } = visit.photos[0];
  stub.settings = { classes: { a: { name: "A" } } };
  stub.say("settings");
  assert.equal(visit.photos[0].sent, sent);
  stub.settings = { photo_size: 2048 };
  stub.say("settings");
  assert.deepEqual(visit.settings, { classes: { a: { name: "A" } }, photo_size: 2048 }); // what is said stays
  await until(visit, () => states(visit) === "held");
  assert.notEqual(visit.photos[0].sent, sent);
});

test("of a host that wants pixels, few are held at a time, and none of a photo that is done", async () => {
  const stub = Object.assign(new Stub(), { wants: { pixels: /** @type {const} */ (true), size: 224 } });
  const pixels = { data: new Uint8Array(40_000_000), width: 1, height: 1 };
  let read = 0;
  const visit = new Visit(stub, {
    read: async () => ({ pixels, width: 1, height: 1, scaled: true, read: ++read }),
  });
  visit.take(["a", "b", "c", "d", "e"].map((name) => new File([name], name)));
  await until(visit, () => states(visit) === "held held held queued queued");
  stub.say("here");
  assert.equal(states(visit), "looking held held queued queued"); // nothing is sent
  stub.asked[0].resolve(PREDICTION);
  await until(visit, () => read === 4 && states(visit) === "answered looking held queued queued");
  assert.equal(visit.photos[0].sent, undefined);
  visit.again(visit.photos[0]);
  for (const photo of visit.photos.slice(1)) visit.cancel(photo);
  stub.asked[1].reject(new Error("given up"));
  await until(visit, () => stub.asked.length === 3);
  assert.equal(states(visit), "looking cancelled cancelled cancelled cancelled");
  assert.equal(read, 5);
  stub.asked[2].resolve(PREDICTION);
  await until(visit, () => states(visit).startsWith("answered"));
});

test("what is shown of a photo may come after its answer, and not of one that is given up or gone", async () => {
  const stub = new Stub();
  /** @type {Show[]} */
  const shows = [];
  /** @type {(file: File, wanted: unknown, show?: Show) => Promise<Sent>} */
  const read = async (file, _, show) => {
    if (show) shows.push(show);
    return { blob: file, width: 4, height: 3, scaled: false };
  };
  const visit = new Visit(stub, { read });
  visit.take(["a", "b", "c"].map((name) => new File([name], name)));
  stub.say("here");
  await until(visit, () => stub.asked.length === 1 && shows.length === 3);
  const [one, other, gone] = visit.photos;
  stub.asked[0].resolve(PREDICTION);
  await until(visit, () => one.state === "answered");
  assert.equal(one.url, undefined);
  visit.cancel(other);
  visit.photos = [one, other];
  for (const show of shows) show(new Blob(["picture"]), new Blob(["thumb"]));
  assert.match(one.url ?? "", /^blob:/);
  assert.notEqual(one.thumb, one.url);
  assert.deepEqual([other.url, gone.url], [undefined, undefined]);
});

test("a host whose model is there before anybody is asks it, and speaks of no loading", (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const wants = { pixels: /** @type {const} */ (true), size: null };
  const stub = Object.assign(new Stub(), { wants });
  const visit = new Visit(stub, READER);
  visit.takeExample(0, "bear 1", "blob:bear");
  stub.say("here");
  t.mock.timers.tick(10_000);
  assert.deepEqual([states(visit), visit.photos[0].loading], ["looking", undefined]);
});

test("a model that is replaced is told, and a page without anybody to ask", () => {
  const { stub, visit } = visitWith();
  stub.say("changed", { sha256: "abc" });
  assert.equal(visit.newest, "abc");
  stub.say("broken");
  assert.equal(visit.line, "broken");
});

test("what goes on before anybody can be asked is told until somebody is there, or nobody will be", () => {
  const { stub, visit } = visitWith();
  stub.say("preparing", { words: "Downloading", share: 0.5 });
  assert.deepEqual([visit.preparing, visit.line], [{ words: "Downloading", share: 0.5 }, "opening"]);
  stub.say("here");
  assert.equal(visit.preparing, undefined);
  stub.say("preparing", { words: "Starting" });
  stub.say("broken", { words: "There is no model." });
  assert.deepEqual([visit.preparing, visit.line, visit.why], [undefined, "broken", "There is no model."]);
  stub.say("back");
  assert.deepEqual([visit.line, visit.why], ["here", undefined]);
});

test("the place in the line is that of the photo that is asked about, and of no other", async () => {
  const { stub, visit } = visitWith("a", "b");
  stub.say("line", { place: 7 }); // of a photo of nobody's
  stub.say("here");
  await until(visit, () => states(visit) === "sending queued");
  stub.say("line", { place: 3 });
  assert.deepEqual(
    visit.photos.map(({ place }) => place),
    [3, undefined],
  );
  stub.asked[0].resolve(PREDICTION);
  await until(visit, () => states(visit) === "answered sending");
  assert.equal(visit.photos[1].place, undefined);
});

test("a photo is read as its asker wants it, or else as the author does", async () => {
  /** @type {unknown[]} */
  const wanted = [];
  /** @param {File} file @param {unknown} wants */
  const read = (file, wants) => {
    wanted.push(wants);
    return READER.read(file);
  };
  const stub = new Stub();
  const visit = new Visit(stub, { read });
  stub.settings = { photo_size: 512 };
  stub.say("settings");
  visit.take([new File(["a"], "a")]);
  await until(visit, () => states(visit) === "held");
  const worker = Object.assign(new Stub(), { wants: { pixels: /** @type {const} */ (true), size: 224 } });
  const other = new Visit(worker, { read });
  other.take([new File(["a"], "a")]);
  await until(other, () => states(other) === "held");
  assert.deepEqual(wanted, [{ longest: 512 }, { pixels: true, size: 224 }]);
});
