// Asks the kernel about photos, and notices within seconds when nobody is there to be asked.
// In: a widget's model (or kernel.js, which looks like one); out: an asker (page/types.d.ts).
//
// A websocket that is cut stays open for minutes, and a kernel may die behind one that is not. So the
// page says "here" while it is looked at, and no word back is a lost kernel. The same word keeps the
// kernel from being culled.

/**
 * @import { AskOptions, Sent, Settings } from "../page/types.d.ts"
 * @import { Heard, Message, Model } from "./messages.d.ts"
 */
import { Lost, Problem } from "../page/problem.js";

// Below the 10 MiB at which servers close a connection, above what a scaled photo has: so that is
// one message and one answer.
const PIECE = 320_000; // bytes
const HEARTBEAT = 1500; // milliseconds between two words to the kernel, while the page is seen
const PATIENCE = 3000; // milliseconds without one back, after which it is lost
const PATIENCE_SENDING = 20_000; // the same while a piece is on its way: a line may be slow

export class KernelAsker extends EventTarget {
  #model;
  // of the last photo; a kernel may hear of photos from more than this page, each from 1 on
  #number = 1e5 * crypto.getRandomValues(new Uint32Array(1))[0];
  /** @type {Set<(message: Heard<Message["kind"]> | Lost) => void>} */
  #heard = new Set(); // who listens to the kernel's messages
  #sending = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #waiting; // the timer that runs out if the kernel stays silent
  #ended = new AbortController();
  /** @type {boolean | undefined} */
  #there; // whether the kernel is; undefined before it was

  /** @param {Model} model */
  constructor(model) {
    super();
    this.#model = model;
    model.on("change:settings", () => this.#say("settings"));
    model.on("broken", () => this.#break());
    model.on("msg:custom", (message, buffers) => this.#hear(message, buffers));
    model.on("lost", () => this.#lose());
    model.on("found", () => this.#greet());
    const { signal } = this.#ended;
    document.addEventListener("visibilitychange", () => this.#look(), { signal });
    addEventListener("online", () => this.#look(), { signal });
    const heart = setInterval(() => this.#greet(), HEARTBEAT);
    signal.addEventListener("abort", () => clearInterval(heart));
    this.#greet();
  }

  /**
   * The author's words, where they are known yet.
   * @returns {Settings | undefined}
   */
  get settings() {
    return this.#model.get("settings");
  }

  /** What brings the kernel back, or another one, where the host knows how. */
  get reconnect() {
    return this.#model.reconnect;
  }

  /** Say no more to the kernel. */
  end() {
    this.#ended.abort();
    this.#lose();
  }

  /**
   * Resolves to the kernel's Prediction of a photo, or of an example.
   * @param {Sent | { example: number }} photo
   * @param {AskOptions} options
   */
  async ask(photo, { signal, progress, preview }) {
    const number = ++this.#number;
    const answered = this.#answer(number, ["answer", "error"], signal);
    answered.catch(() => {}); // told below, or while a piece is on its way
    signal.addEventListener("abort", () => this.#send({ kind: "cancel", number }));
    if ("example" in photo) this.#send({ kind: "example", number, index: photo.example });
    else
      await this.#give(/** @type {Blob} */ (photo.blob), number, answered, {
        signal,
        progress,
        preview: Boolean(preview),
      });
    const told = await answered;
    if (told.buffers.length) preview?.(new Blob([told.buffers[0]], { type: "image/jpeg" }));
    if (told.kind === "answer") return told.prediction;
    const { type, message, retry_after } = told.error;
    throw new Problem({ type, detail: message, retryAfter: retry_after });
  }

  /**
   * Sends a photo, piece by piece, until it is there or an answer came that it will not be needed.
   * @param {Blob} photo
   * @param {number} number
   * @param {Promise<unknown>} answered
   * @param {Omit<AskOptions, "preview"> & { preview: boolean }} options
   */
  async #give(photo, number, answered, { signal, progress, preview }) {
    this.#sending = true;
    try {
      for (let at = 0; at < photo.size || at === 0; at += PIECE) {
        // the kernel may go while the piece is read, and another one be there by then
        const piece = await Promise.race([answered, photo.slice(at, at + PIECE).arrayBuffer()]);
        if (!(piece instanceof ArrayBuffer)) break;
        const received = this.#answer(number, ["received", "error"], signal, PATIENCE_SENDING);
        const kind = at ? { kind: "piece" } : { kind: "photo", size: photo.size, preview };
        this.#send({ ...kind, number }, [piece]);
        if ((await received).kind === "error") break; // the answer says why
        progress?.(Math.min(1, (at + PIECE) / photo.size));
      }
    } finally {
      this.#sending = false;
    }
  }

  /** Resolves to the examples, as [name, picture]. */
  async examples() {
    const number = ++this.#number;
    const told = this.#answer(number, ["examples"], new AbortController().signal);
    this.#send({ kind: "examples", number });
    const { names, buffers } = await told;
    return names.map((name, at) => /** @type {[string, BufferSource]} */ ([name, buffers[at]]));
  }

  /**
   * Returns whether it went on its way; if not, nothing that was asked will be answered.
   * @param {object} message
   * @param {ArrayBuffer[]} [buffers]
   */
  #send(message, buffers) {
    const went = this.#model.send(message, undefined, buffers) !== false;
    if (!went && this.#there) this.#lose();
    return went;
  }

  /**
   * Resolves to the first message of one of these kinds about this number.
   * @template {Message["kind"]} Kind
   * @param {number} number
   * @param {Kind[]} kinds
   * @param {AbortSignal} signal
   * @param {number} [patience]  milliseconds; 0 for any
   * @returns {Promise<Heard<Kind>>}
   */
  #answer(number, kinds, signal, patience = 0) {
    return new Promise((resolve, reject) => {
      const late = patience ? setTimeout(() => refuse(new Lost()), patience) : undefined;
      const done = () => {
        clearTimeout(late);
        this.#heard.delete(hear);
      };
      /** @param {unknown} reason */
      const refuse = (reason) => {
        done();
        reject(reason);
      };
      /** @param {Heard<Message["kind"]> | Lost} message */
      const hear = (message) => {
        if (message instanceof Lost) return refuse(message);
        const kind = kinds.find((each) => each === message.kind);
        if (!kind || message.number !== number) return;
        done();
        resolve(/** @type {Heard<Kind>} */ (message));
      };
      this.#heard.add(hear);
      signal.addEventListener("abort", () => refuse(signal.reason));
    });
  }

  /** @param {Message} message @param {BufferSource[]} [buffers] */
  #hear(message, buffers = []) {
    this.#calm();
    if (!this.#there) this.#say(this.#there === undefined ? "here" : "back");
    this.#there = true;
    if (message.kind === "upgraded") this.#say("changed", { sha256: message.sha256 });
    for (const hear of [...this.#heard]) hear({ ...message, buffers });
  }

  #greet() {
    if (document.hidden || this.#ended.signal.aborted) return this.#calm();
    if (this.#model.waiting) return; // for its kernel, which was never there yet
    if (!this.#send({ kind: "here" })) return;
    const patience = this.#sending ? PATIENCE_SENDING : PATIENCE;
    this.#waiting ??= setTimeout(() => {
      this.#lose();
      this.#model.renew?.();
    }, patience);
  }

  // Somebody looks at the page again, or the network is back: a lost connection waits no longer.
  #look() {
    if (this.#there === false && !document.hidden) this.#model.wake?.();
    this.#greet();
  }

  #calm() {
    clearTimeout(this.#waiting);
    this.#waiting = undefined;
  }

  #lose() {
    this.#calm();
    this.#there = false;
    this.#say("lost");
    for (const hear of [...this.#heard]) hear(new Lost());
  }

  #break() {
    this.#there = false;
    this.#say("broken");
  }

  /** @param {string} kind @param {object} [detail] */
  #say(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}
