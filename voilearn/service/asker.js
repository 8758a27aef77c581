// Asks the service that this page came from, and notices within seconds when it is gone.
// In: where it is, the author's words, and a visitor's token; out: an asker (page/types.d.ts).
//
// A page that is seen has one answer open, on which the service says every two seconds that it is
// there (open_pages.py). Where a proxy keeps that to itself, the page asks from time to time instead.

/**
 * @import { AskOptions, Prediction, Sent, Settings } from "../page/types.d.ts"
 * @import { Token } from "./token.js"
 */
import { Lost, Problem, Unseen } from "../page/problem.js";
import { say } from "../page/words.js";
import { readEvents } from "./events.js";

const SILENT_AFTER = 3500; // milliseconds without a sign of life, after which the service is asked
const OPENS_WITHIN = 1000; // the same before the first one; a shorter stream is no way to hear of it
const NO_STREAM_AFTER = 4000; // before the first one, after which none will come
const ANSWERS_WITHIN = 1200;
const FIRST_ANSWERS_WITHIN = 3500; // over a line that may be slow
const ASKS_EVERY = 3500; // where there is no stream
const STREAM = "text/event-stream";
const STREAM_AGAIN = 20; // questions, after which one is tried again
const AGAIN = 500; // until the first attempt to have a lost service back; then twice as long, up to
const SELDOM = 20_000;
const BUSY_AGAIN = 5; // seconds, of a proxy that says it is busy, and not until when
const PHOTO = "image/*"; // of whatever kind: a person chose it

export class HttpAsker extends EventTarget {
  settings;
  #home;
  #token;
  #name = [...crypto.getRandomValues(new Uint32Array(4))]
    .map((part) => part.toString(36).padStart(7, "0"))
    .join("");
  /** @type {boolean | undefined} */
  #there; // whether the service is; undefined before it was
  #loading = false; // it is, without a model
  /** @type {string | undefined} */
  #model; // the hash of the one that answers
  #questions = STREAM_AGAIN; // that were asked since a stream was tried
  /** @type {AbortController | undefined} */
  #following;
  #wake = () => {}; // ends the pause between two attempts
  #locked = false; // until another token is given
  #ended = new AbortController();
  /** @type {Set<() => void>} */
  #asked = new Set(); // for each photo on its way: what gives it up

  /**
   * @param {URL} home  of the service
   * @param {Settings} settings
   * @param {Pick<Token, "value" | "keep" | "forget">} token
   */
  constructor(home, settings, token) {
    super();
    this.#home = home;
    this.settings = settings;
    this.#token = token;
    const { signal } = this.#ended;
    document.addEventListener("visibilitychange", () => this.#look(), { signal });
    addEventListener("online", () => this.#look(), { signal });
    this.#look();
  }

  /** Show the service this token. */
  unlock() {
    this.#locked = false;
    this.#rest();
    this.#look();
  }

  /** Look for the service now; resolves to whether it is there. */
  reconnect = async () => {
    this.#wake();
    return this.#question(this.#ended.signal);
  };

  /** Ask no more. */
  end() {
    this.#ended.abort();
    this.#rest();
    this.#lose();
  }

  /**
   * Resolves to the service's Prediction of a photo, or of an example.
   * @param {Sent | { example: number }} photo
   * @param {AskOptions} options
   * @returns {Promise<Prediction>}
   */
  async ask(photo, { signal, progress, preview }) {
    if ("example" in photo) {
      const path = `v1/examples/${photo.example}`;
      if (preview) this.#show(path, signal, preview);
      return this.#send(path, null, signal);
    }
    const path = preview ? "v1/classify?preview=1" : "v1/classify";
    const { preview: picture, ...prediction } = await this.#send(path, photo.blob, signal, progress);
    if (picture) preview?.(pictureOf(picture));
    return prediction;
  }

  /** Resolves to the examples, as [name, picture]. */
  async examples() {
    const answer = await this.#fetch("v1/examples", this.#ended.signal);
    if (!answer.ok) throw new Lost();
    /** @type {{ examples: { name: string, picture: string }[] }} */
    const { examples } = await answer.json();
    return examples.map(({ name, picture }) => /** @type {[string, Blob]} */ ([name, pictureOf(picture)]));
  }

  // Somebody looks at the page, or the network is back: follow the service, and wait no longer.
  #look() {
    if (document.hidden || this.#ended.signal.aborted) this.#rest();
    else if (this.#following) this.#wake();
    else if (!this.#locked) {
      this.#following = new AbortController();
      this.#follow(this.#following.signal);
    }
  }

  #rest() {
    this.#following?.abort();
    this.#following = undefined;
    this.#wake();
  }

  /** @param {AbortSignal} signal */
  async #follow(signal) {
    for (let failures = 0; !signal.aborted; ) {
      let streamed = false;
      if (this.#questions >= STREAM_AGAIN) {
        streamed = await this.#stream(signal);
        if (signal.aborted) return;
        if (!streamed) this.#questions = 0;
      }
      const there = await this.#question(signal);
      if (signal.aborted) return;
      if (there) {
        failures = 0;
        if (!streamed) await this.#pause(ASKS_EVERY);
      } else {
        this.#questions = STREAM_AGAIN; // it may be another one that comes back
        await this.#pause(Math.min(AGAIN * 2 ** failures++, SELDOM) * (0.75 + Math.random() / 2));
      }
    }
  }

  /**
   * Listens until the service says no more; resolves to whether that is a way to hear of it.
   * @param {AbortSignal} signal
   */
  #stream(signal) {
    const late = setTimeout(() => this.#question(signal, FIRST_ANSWERS_WITHIN), OPENS_WITHIN);
    const began = Date.now();
    let heard = 0; // when something was, last
    return within(signal, NO_STREAM_AFTER, async (inner, giveMore) => {
      // some proxies, as a hub's, hand on at once only what was asked for so
      const answer = await this.#fetch("v1/events", inner, { Accept: STREAM });
      if (!isStream(answer)) return;
      await readEvents(answer, (name, told) => {
        clearTimeout(late);
        giveMore(SILENT_AFTER);
        heard = Date.now();
        if (name === "model") this.#find(told.sha256);
        if (name === "place") this.#say("line", told);
        if (!this.#there && !this.#loading) this.#question(signal); // it was given up too early
      });
    })
      .catch(() => {}) // it broke, or was given up
      .then(() => clearTimeout(late))
      .then(() => heard - began > OPENS_WITHIN);
  }

  /**
   * Asks which model answers; resolves to whether the service is there.
   * @param {AbortSignal} signal
   * @param {number} [patience]  milliseconds
   */
  async #question(signal, patience = ANSWERS_WITHIN) {
    this.#questions++;
    try {
      const [answer, told] = await within(signal, patience, async (inner) => {
        const answer = await this.#fetch("v1/model", inner);
        return [answer, await answer.json()];
      });
      if (answer.ok) this.#find(told.sha256);
      else if (told.type === "urn:voilearn:ServiceNotReady") this.#find(null);
      else if (answer.status !== 401) throw new Lost();
      return true;
    } catch {
      if (!signal.aborted) this.#lose();
      return false;
    }
  }

  /**
   * @param {string} path
   * @param {AbortSignal} signal
   * @param {Record<string, string>} [headers]
   */
  async #fetch(path, signal, headers = {}) {
    const shown = this.#token.value;
    const answer = await fetch(new URL(path, this.#home), {
      headers: { ...this.#headers(), ...headers },
      cache: "no-store",
      signal,
    });
    if (answer.status === 401) this.#lock(shown);
    return answer;
  }

  #headers() {
    /** @type {Record<string, string>} */
    const headers = { "X-Voilearn-Page": this.#name };
    if (this.#token.value) headers.Authorization = `Bearer ${this.#token.value}`;
    return headers;
  }

  /**
   * The model that is in service, or null while it is loaded.
   * @param {string | null} sha256
   */
  #find(sha256) {
    this.#token.keep();
    if (sha256 === null && this.#there) this.#lose(); // it is another one, which has to load
    this.#loading = sha256 === null;
    if (sha256 === null) return this.#say("preparing", { words: say("startingModel") });
    if (this.#model && this.#model !== sha256) this.#say("changed", { sha256 });
    this.#model = sha256;
    if (this.#there) return;
    const kind = this.#there === undefined ? "here" : "back";
    this.#there = true;
    this.#say(kind);
  }

  #lose() {
    this.#there = false;
    this.#loading = false;
    this.#say("lost");
    for (const giveUp of [...this.#asked]) giveUp();
  }

  /**
   * The service wants another token.
   * @param {string} shown
   */
  #lock(shown) {
    if (this.#locked || shown !== this.#token.value) return;
    this.#locked = true;
    this.#rest();
    if (this.#there) this.#lose();
    this.#token.forget();
    this.#say("token", { wrong: shown !== "" });
  }

  /**
   * Sends a photo, or asks about what the service has; resolves to what it answers.
   * @param {string} path
   * @param {Blob | null | undefined} photo
   * @param {AbortSignal} signal
   * @param {(share: number) => void} [progress]
   * @returns {Promise<Prediction & { preview?: string }>}
   */
  #send(path, photo, signal, progress) {
    const request = new XMLHttpRequest(); // fetch does not tell how much is sent
    const shown = this.#token.value;
    request.open("POST", new URL(path, this.#home));
    for (const [name, value] of Object.entries(this.#headers())) request.setRequestHeader(name, value);
    if (photo) request.setRequestHeader("Content-Type", PHOTO);
    request.upload.onprogress = ({ loaded, total }) => progress?.(Math.min(0.99, loaded / total));
    request.upload.onload = () => progress?.(1);
    return new Promise((resolve, reject) => {
      const giveUp = () => {
        this.#asked.delete(giveUp);
        request.abort();
        reject(signal.aborted ? signal.reason : new Lost());
      };
      this.#asked.add(giveUp);
      signal.addEventListener("abort", giveUp);
      request.onerror = () => this.#question(this.#ended.signal).finally(giveUp);
      request.onload = async () => {
        this.#asked.delete(giveUp);
        const problem = problemOf(request);
        if (request.status === 401) this.#lock(shown);
        if (problem instanceof Lost) await this.#question(this.#ended.signal);
        if (problem) reject(problem);
        else resolve(JSON.parse(request.responseText));
      };
      request.send(photo);
    });
  }

  /**
   * An example as it can be shown, which is not worth an error.
   * @param {string} path
   * @param {AbortSignal} signal
   * @param {(picture: Blob) => void} preview
   */
  async #show(path, signal, preview) {
    const answer = await this.#fetch(path, signal).catch(() => undefined);
    if (answer?.ok) preview(await answer.blob());
  }

  /** @param {number} milliseconds */
  #pause(milliseconds) {
    return new Promise((resolve) => {
      this.#wake = () => resolve(undefined);
      setTimeout(resolve, milliseconds);
    });
  }

  /** @param {string} kind @param {object} [detail] */
  #say(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

/**
 * Does work with a signal that ends with another, or after so long, unless it is given more.
 * @template T
 * @param {AbortSignal} outer
 * @param {number} milliseconds
 * @param {(inner: AbortSignal, giveMore: (milliseconds: number) => void) => Promise<T>} work
 */
async function within(outer, milliseconds, work) {
  const inner = new AbortController();
  const end = () => inner.abort();
  let timer = setTimeout(end, milliseconds);
  outer.addEventListener("abort", end);
  if (outer.aborted) end();
  try {
    return await work(inner.signal, (more) => {
      clearTimeout(timer);
      timer = setTimeout(end, more);
    });
  } finally {
    clearTimeout(timer);
    outer.removeEventListener("abort", end);
  }
}

/** @param {Response} answer */
function isStream({ ok, headers }) {
  return ok && headers.get("content-type")?.startsWith(STREAM);
}

/**
 * Why a request has no Prediction, if so. What no service of ours says is of a proxy before it.
 * @param {XMLHttpRequest} request
 */
function problemOf(request) {
  const { status } = request;
  const retryAfter = Number(request.getResponseHeader("retry-after")) || undefined;
  let told;
  try {
    told = JSON.parse(request.responseText);
  } catch {
    told = {};
  }
  if (status === 200 && told.probabilities) return undefined;
  const [, type] = /^urn:voilearn:(\w+)$/.exec(told.type) ?? [];
  if (status === 401 || type === "ServiceNotReady") return new Unseen();
  if (type) return new Problem({ type, detail: told.detail, retryAfter });
  if (status === 413) return new Problem({ type: "PhotoTooLarge" });
  if (status === 429 || status === 503) {
    return new Problem({ type: "ServiceBusy", retryAfter: retryAfter ?? BUSY_AGAIN });
  }
  return status >= 500 ? new Lost() : new Problem({ type: "ServiceError" });
}

/**
 * A picture in a data URI, which no policy of the page lets it fetch.
 * @param {string} uri
 */
function pictureOf(uri) {
  const bytes = Uint8Array.from(atob(uri.slice(uri.indexOf(",") + 1)), (sign) => sign.charCodeAt(0));
  return new Blob([bytes], { type: "image/jpeg" });
}
