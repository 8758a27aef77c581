// Who asks the service, over a service of the test's own: whatever that does, the page knows within
// seconds whether it is there, and a photo is answered, refused or known to be lost.

import assert from "node:assert/strict";
import { test } from "node:test";
import "../scripts/english.js";
import { happen, page } from "../scripts/page.js";
import { Lost, Problem } from "../../voilearn/page/problem.js";
import { HttpAsker } from "../../voilearn/service/asker.js";

/** @import { TestContext } from "node:test" */

const HOME = new URL("http://localhost/bears/");
const SETTINGS = { classes: {}, photo_size: 1024 };
const PHOTO = { blob: new Blob(["a photo"]), width: 0, height: 0, scaled: false };
const [ONE, TWO] = ["1".repeat(64), "2".repeat(64)];
const PREDICTION = { label: "grizzly", probabilities: { grizzly: 1 } };
const ALIVE = ":\n\n";
const [BEAT, LOST_WITHIN] = [2000, 5000];

/** @param {string | null} sha256 */
const model = (sha256) => `event: model\ndata: ${JSON.stringify({ sha256 })}\n\n`;

/** @param {string} type @param {number} status */
const problem = (type, status) =>
  Response.json({ type: `urn:voilearn:${type}`, detail: "A sentence." }, { status });

/** A service: what it answers, and what it was asked. */
class Service {
  /** @type {string[]} */
  asked = [];
  /** @type {() => Response | Promise<Response>} */
  model = () => Response.json({ sha256: ONE });
  /** @type {() => Response | Promise<Response>} */
  events = () => this.stream(model(ONE));
  /** @type {ReadableStreamDefaultController<Uint8Array> | undefined} */
  open;
  photo = {
    status: 200,
    text: JSON.stringify(PREDICTION),
    headers: /** @type {Record<string, string>} */ ({}),
  };

  /** An answer that goes on. @param {string} first */
  stream(first) {
    const body = new ReadableStream({ start: (controller) => void (this.open = controller) });
    this.say(first);
    return new Response(body, { headers: { "content-type": "text/event-stream; charset=utf-8" } });
  }

  /** @param {string} text */
  say(text) {
    this.open?.enqueue(new TextEncoder().encode(text));
  }

  /** @param {URL} url @param {RequestInit} options */
  async fetch(url, { signal, headers }) {
    const path = url.href.replace(HOME.href, "");
    const accepted = path === "v1/events" ? "text/event-stream" : null;
    assert.equal(new Headers(headers).get("accept"), accepted);
    this.asked.push(path);
    const givenUp = new Promise((_, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
    givenUp.catch((reason) => path === "v1/events" && this.open?.error(reason));
    return Promise.race([givenUp, path === "v1/events" ? this.events() : this.model()]);
  }
}

const silence = () => /** @type {Promise<Response>} */ (new Promise(() => {}));
const refused = () => Promise.reject(new TypeError("refused"));

/** Resolves when all that needs no time is done. */
async function turns() {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

/** So many milliseconds go by, bit by bit. @param {TestContext} t @param {number} time */
async function pass(t, time) {
  for (; time > 0; time -= 100) {
    t.mock.timers.tick(Math.min(time, 100));
    await turns();
  }
}

/** A page of a service, and what its asker has told. @param {TestContext} t @param {Service} service */
async function open(t, service) {
  t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
  page.hidden = false;
  const { photo } = service;
  Object.assign(globalThis, {
    fetch: service.fetch.bind(service),
    XMLHttpRequest: class {
      upload = {};
      onload = () => {};
      open() {}
      setRequestHeader() {}
      abort() {}
      /** @param {string} name */
      getResponseHeader = (name) => photo.headers[name] ?? null;
      send() {
        Object.assign(this, { status: photo.status, responseText: photo.text });
        setImmediate(() => this.onload());
      }
    },
  });
  const token = { value: "", keep() {}, forget() {} };
  const asker = new HttpAsker(HOME, SETTINGS, token);
  t.after(() => asker.end());
  /** @type {string[]} */
  const told = [];
  for (const kind of ["here", "lost", "back", "changed", "preparing", "token"]) {
    asker.addEventListener(kind, () => told.push(kind));
  }
  await turns();
  return { asker, told };
}

const ask = (/** @type {HttpAsker} */ asker) => asker.ask(PHOTO, { signal: new AbortController().signal });

test("a page hears that the service is there, and of another model", async (t) => {
  const service = new Service();
  const { told } = await open(t, service);
  assert.deepEqual(told, ["here"]);
  service.say(model(TWO));
  await turns();
  assert.deepEqual(told, ["here", "changed"]);
  assert.deepEqual(service.asked, ["v1/events"]);
});

test("as long as there are signs of life, nothing is asked", async (t) => {
  const service = new Service();
  const { told } = await open(t, service);
  for (let beat = 0; beat < 20; beat++) {
    await pass(t, BEAT);
    service.say(ALIVE);
  }
  assert.deepEqual(told, ["here"]);
  assert.deepEqual(service.asked, ["v1/events"]);
});

test("a service that falls silent is lost within five seconds, and back with its first word", async (t) => {
  const service = new Service();
  const { told } = await open(t, service);
  service.model = service.events = silence;
  await pass(t, LOST_WITHIN);
  assert.deepEqual(told, ["here", "lost"]);
  service.model = () => Response.json({ sha256: ONE });
  service.events = () => service.stream(model(ONE));
  await pass(t, 10_000);
  assert.equal(told.at(-1), "back");
});

test("one that ended is asked for ever more seldom, and at once when the network is back", async (t) => {
  const service = new Service();
  const { told } = await open(t, service);
  service.model = service.events = refused;
  service.open?.close();
  await turns();
  assert.deepEqual(told, ["here", "lost"]);
  await pass(t, 120_000);
  assert.ok(service.asked.length < 50, `${service.asked.length}`);
  service.model = () => Response.json({ sha256: ONE });
  service.events = () => service.stream(model(ONE));
  happen("online");
  await turns();
  assert.equal(told.at(-1), "back");
});

test("a model that is being loaded is no lost service, and photos wait for it", async (t) => {
  const service = new Service();
  service.events = () => service.stream(model(null));
  const { told } = await open(t, service);
  assert.deepEqual(told, ["preparing"]);
  service.say(model(ONE));
  await turns();
  assert.deepEqual(told, ["preparing", "here"]);
});

test("a service that was started anew, and loads, is one to wait for", async (t) => {
  const service = new Service();
  const { told } = await open(t, service);
  await pass(t, BEAT);
  service.say(ALIVE);
  service.events = () => service.stream(model(null));
  service.model = () => problem("ServiceNotReady", 503);
  service.open?.close();
  await turns();
  assert.deepEqual(told.slice(0, 3), ["here", "lost", "preparing"]);
  service.say(model(ONE));
  await turns();
  assert.equal(told.at(-1), "back");
});

test("where a proxy keeps the stream to itself, the page asks from time to time", async (t) => {
  const service = new Service();
  service.events = silence;
  const { told } = await open(t, service);
  await pass(t, 1100);
  assert.deepEqual(told, ["here"]); // it does not wait for what never comes
  await pass(t, 60_000);
  assert.deepEqual(told, ["here"]);
  assert.ok(service.asked.length < 25);
  service.model = silence;
  await pass(t, LOST_WITHIN);
  assert.equal(told.at(-1), "lost");
});

for (const [name, events] of Object.entries({
  "ends after its first word": (/** @type {Service} */ service) => {
    const answer = service.stream(model(ONE));
    service.open?.close();
    return answer;
  },
  "is refused, for too many listen": () => problem("ServiceBusy", 503),
  "is a page to log in": () => new Response("<html>", { headers: { "content-type": "text/html" } }),
})) {
  test(`a stream that ${name} is not asked for again and again`, async (t) => {
    const service = new Service();
    service.events = () => events(service);
    const { told } = await open(t, service);
    await pass(t, 30_000);
    assert.deepEqual(told, ["here"]);
    assert.ok(service.asked.length < 15, `${service.asked.length}`);
  });
}

test("a hidden page asks nothing, and one that is seen again at once", async (t) => {
  const service = new Service();
  const { told } = await open(t, service);
  page.hidden = true;
  page.dispatchEvent(new Event("visibilitychange"));
  await pass(t, 60_000);
  assert.deepEqual(service.asked, ["v1/events"]);
  page.hidden = false;
  page.dispatchEvent(new Event("visibilitychange"));
  await turns();
  assert.deepEqual(service.asked, ["v1/events", "v1/events"]);
  assert.deepEqual(told, ["here"]);
});

test("a service that wants a token is asked no more until there is one", async (t) => {
  const service = new Service();
  service.events = service.model = () => problem("TokenRefused", 401);
  const { asker, told } = await open(t, service);
  assert.deepEqual(told, ["token"]);
  const asked = service.asked.length;
  await pass(t, 60_000);
  assert.equal(service.asked.length, asked);
  service.events = () => service.stream(model(ONE));
  asker.unlock();
  await turns();
  assert.deepEqual(told, ["token", "here"]);
});

test("a photo gets the service's prediction, without the picture that came with it", async (t) => {
  const service = new Service();
  const picture = `data:image/jpeg;base64,${btoa("a picture")}`;
  service.photo.text = JSON.stringify({ ...PREDICTION, preview: picture });
  const { asker } = await open(t, service);
  /** @type {Blob[]} */
  const shown = [];
  const { signal } = new AbortController();
  const answer = await asker.ask(PHOTO, { signal, preview: (found) => shown.push(found) });
  assert.deepEqual(answer, PREDICTION);
  assert.equal(await shown[0].text(), "a picture");
});

/** What an answer becomes: a status, what else is told, and the problem or "lost". */
const REFUSALS = /** @type {const} */ ([
  [503, "ServiceBusy", { "retry-after": "7" }, { type: "ServiceBusy", detail: "A sentence.", retryAfter: 7 }],
  [415, "UnsupportedPhoto", {}, { type: "UnsupportedPhoto", detail: "A sentence." }],
  [413, "", {}, { type: "PhotoTooLarge" }],
  [429, "", {}, { type: "ServiceBusy", retryAfter: 5 }],
  [503, "", { "retry-after": "2" }, { type: "ServiceBusy", retryAfter: 2 }],
  [404, "", {}, { type: "ServiceError" }],
  [500, "", {}, "lost"],
  [522, "", {}, "lost"],
  [404, "", {}, { type: "ServiceError" }],
  [200, "", {}, { type: "ServiceError" }],
  [502, "", {}, "lost"],
  [504, "", {}, "lost"],
  [503, "ServiceNotReady", { "retry-after": "1" }, "lost"],
]);

for (const [status, type, headers, expected] of REFUSALS) {
  test(`${status} of ${type ? "the service" : "a proxy"} ${type} is told as what it is`, async (t) => {
    const service = new Service();
    const { asker } = await open(t, service);
    const text = type ? JSON.stringify({ type: `urn:voilearn:${type}`, detail: "A sentence." }) : "<html>";
    Object.assign(service.photo, { status, text, headers });
    const error = await ask(asker).catch((reason) => reason);
    if (expected === "lost") return assert.ok(error instanceof Lost);
    assert.ok(error instanceof Problem);
    const { detail = "", retryAfter } = /** @type {{ detail?: string, retryAfter?: number }} */ (expected);
    assert.deepEqual([error.type, error.detail, error.retryAfter], [expected.type, detail, retryAfter]);
  });
}

test("photos on their way are lost with the service", async (t) => {
  const service = new Service();
  const { asker } = await open(t, service);
  globalThis.XMLHttpRequest.prototype.send = () => {}; // nothing comes back
  const answer = ask(asker).catch((reason) => reason);
  service.model = service.events = silence;
  await pass(t, LOST_WITHIN);
  assert.ok((await answer) instanceof Lost);
});
