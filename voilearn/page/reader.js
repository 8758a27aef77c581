// Has photos read in a worker (photo.js), one visit's by one.
// In: files, and what the asker wants of them; out: what is sent and shown, or a Problem.

/** @import { Sent, Show, Told, Wanted } from "./types.d.ts" */
import { Problem } from "./problem.js";
import { say } from "./words.js";

/**
 * @typedef {object} Waiting
 * @property {(sent: Sent) => void} resolve
 * @property {(problem: Problem) => void} reject
 * @property {() => void} unread
 * @property {Show} [show]
 */

export class PhotoReader {
  #start;
  /** @type {Worker | undefined} */
  #worker;
  /** @type {Map<number, Waiting>} */
  #waiting = new Map();
  #number = 0;
  #lacks = false; // a script that only a worker begun anew asks for again

  /** @param {() => Worker} start  where the browser lets a page have a worker, starts the photos' own */
  constructor(start) {
    this.#start = start;
  }

  /** Have the worker started, so that the first photo need not wait for that. */
  prepare() {
    try {
      this.#worker ??= this.#open();
    } catch {
      // the first photo meets that again
    }
  }

  /**
   * Resolves to what is wanted of a photo. A browser without what that takes sends the whole file.
   * @param {File} file
   * @param {Wanted} wanted
   * @param {Show} [show]  called later, with what is shown of it
   * @returns {Promise<Sent>}
   */
  read(file, wanted, show) {
    const number = ++this.#number;
    return new Promise((resolve, reject) => {
      const unread = () => {
        if (wanted.pixels) reject(new Problem({ type: "VoilearnError", words: say("noPart") }));
        else resolve({ blob: file, width: 0, height: 0, scaled: false });
      };
      this.#waiting.set(number, { resolve, reject, unread, show });
      try {
        this.#worker ??= this.#open();
        this.#worker.postMessage({ number, file, wanted });
      } catch {
        this.#fail();
      }
    });
  }

  #open() {
    if (!globalThis.OffscreenCanvas) throw new Error("no OffscreenCanvas");
    const worker = this.#start();
    worker.onmessage = ({ data }) => this.#hear(data);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#fail();
    };
    return worker;
  }

  /** @param {Told} told */
  #hear({ number, read, shown, refused }) {
    const waiting = this.#waiting.get(number);
    if (read) return waiting?.resolve(read);
    this.#waiting.delete(number);
    this.#lacks ||= Boolean(refused?.lacked);
    if (this.#lacks && !this.#waiting.size) this.#end(); // the next photo asks for it again
    if (shown?.picture) waiting?.show?.(shown.picture, shown.thumb);
    if (!refused) return;
    const { type, key, values } = refused;
    waiting?.reject(new Problem({ type, words: say(key, values) }));
  }

  #end() {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#lacks = false;
  }

  #fail() {
    this.#end();
    const all = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { unread } of all) unread();
  }
}

/**
 * Starts a worker from its script's text, where there is no file of its own to start it from.
 * @param {string} script
 */
export function workerOf(script) {
  return new Worker(URL.createObjectURL(new Blob([script], { type: "text/javascript" })));
}
