// Asks the model that runs on this device, in a worker of its own (worker.js).
// In: what the build wrote of the model, a reader for its example photos, and what starts the worker;
// out: an asker (page/types.d.ts).

/**
 * @import { AskOptions, Sent } from "../page/types.d.ts"
 * @import { PhotoReader } from "../page/reader.js"
 * @import { Pixels } from "../page/reduce.js"
 * @import { Described, News, Order } from "./messages.d.ts"
 * @import { Outputs } from "./scope.js"
 */
import { Lost, Problem, Unseen } from "../page/problem.js";
import { say } from "../page/words.js";
import { PageError } from "./errors.js";
import { predictFrom } from "./prediction.js";

/** @typedef {({ resolve: (outputs: Outputs) => void, reject: (reason: unknown) => void })} Awaited */

/**
 * "kept" is an event of its own: all that the model needs is kept for a visit without a network.
 */
export class WorkerAsker extends EventTarget {
  #model;
  #reader;
  #host;
  /** @type {Worker | undefined} */
  #worker;
  #number = 0; // of the photo that was asked about last
  /** @type {Map<number, Awaited>} */
  #awaited = new Map();
  /** @type {PageError | undefined} */
  #broken;
  #lacked = false; // the model calls what a runtime lacks that is not whole
  #told = { words: "", percent: -1 }; // of the download

  /**
   * @param {Described} model
   * @param {Pick<PhotoReader, "read">} reader
   * @param {object} host
   * @param {() => Worker} host.start
   * @param {string} host.base  the address of the page's folder
   */
  constructor(model, reader, host) {
    super();
    this.#model = model;
    this.#reader = reader;
    this.#host = host;
  }

  /** The author's words. */
  get settings() {
    return this.#model.settings;
  }

  /** Pixels are what the worker takes: it opens no file. */
  get wants() {
    const { size, heic } = this.#model;
    const { base } = this.#host;
    const decoder = heic && { ...heic, module: new URL(heic.module, base).href, base };
    return { pixels: /** @type {const} */ (true), size, heic: decoder };
  }

  /** Begins anew, where that may help. */
  get reconnect() {
    return this.#broken?.retry ? async () => this.begin({ reload: true }) : undefined;
  }

  /** Why no photo will ever be answered here, as a problem; undefined if one may be. */
  get hopeless() {
    return this.#broken?.retry === false ? problemOf("UnusableModel", this.#broken) : undefined;
  }

  /**
   * Gets the model ready; returns whether that has begun.
   * @param {object} [options]
   * @param {boolean} [options.reload]  ask the server anew, and no cache
   */
  begin({ reload = false } = {}) {
    this.end();
    this.#broken = undefined;
    this.#told = { words: "", percent: -1 };
    this.#say("preparing", { words: say("starting") });
    try {
      this.#worker = this.#host.start();
    } catch {
      this.break(new PageError("noWorker", { retry: false })); // as in a frame without an origin
      return false;
    }
    this.#worker.onmessage = ({ data: { kind, ...facts } }) => this.#hear(kind, facts);
    this.#worker.onerror = (event) => {
      event.preventDefault();
      this.break(new PageError("noPart"));
    };
    const { base } = this.#host;
    const { files, weights = 32, joined = false } = this.#model;
    const model = { files, narrow: weights < 32, joined, lacked: this.#lacked };
    this.#order({ kind: "start", ...model, base, reload });
    return true;
  }

  /**
   * There is nobody to ask, for this reason.
   * @param {PageError} error
   */
  break(error) {
    this.end();
    this.#broken = error;
    this.#say("broken", { words: wordsOf(error) });
  }

  /** Let go of the worker: what was asked is not answered. */
  end() {
    this.#worker?.terminate();
    this.#worker = undefined;
    this.#giveBack(() => new Lost());
  }

  /** @param {() => Lost} why */
  #giveBack(why) {
    const all = [...this.#awaited.values()];
    this.#awaited.clear();
    for (const { reject } of all) reject(why());
  }

  /**
   * Resolves to the model's Prediction of a photo, or of an example.
   * @param {Sent | { example: number }} photo
   * @param {AskOptions} options
   */
  async ask(photo, { signal, preview }) {
    const pixels = "example" in photo ? await this.#open(photo.example, signal, preview) : photo.pixels;
    const outputs = await this.#predict(/** @type {Pixels} */ (pixels), signal);
    try {
      return predictFrom(outputs, this.#model);
    } catch (error) {
      throw error instanceof PageError ? problemOf("UnusableModel", error) : error;
    }
  }

  /** Resolves to the author's examples, small. */
  async examples() {
    const fetched = this.#model.examples.map(async ({ name, thumb }) => {
      const picture = await this.#fetch(thumb);
      return /** @type {[string, Blob]} */ ([name, picture]);
    });
    return Promise.all(fetched);
  }

  /**
   * @param {number} index
   * @param {AbortSignal} signal
   * @param {AskOptions["preview"]} preview
   */
  async #open(index, signal, preview) {
    const { name, photo } = this.#model.examples[index];
    const file = new File([await this.#fetch(photo, signal)], name);
    const { pixels } = await this.#reader.read(file, this.wants, preview);
    signal.throwIfAborted();
    return pixels;
  }

  /** @param {string} path @param {AbortSignal} [signal] */
  async #fetch(path, signal) {
    const what = { what: /** @type {const} */ ("example") };
    const answer = await fetch(new URL(path, this.#host.base), { signal }).catch(() => {
      signal?.throwIfAborted();
      throw problemOf("ServiceError", new PageError("outOfReach", what));
    });
    if (answer.ok) return answer.blob();
    const values = { status: answer.status };
    throw problemOf("ServiceError", new PageError("missing", { ...what, values }));
  }

  /**
   * Resolves to what the network gave. The pixels stay here: they may be asked
   * about again.
   * @param {Pixels} pixels
   * @param {AbortSignal} signal
   * @returns {Promise<Outputs>}
   */
  #predict(pixels, signal) {
    const number = ++this.#number;
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      this.#awaited.set(number, { resolve, reject });
      signal.addEventListener("abort", () => {
        this.#take(number)?.reject(signal.reason);
        this.#order({ kind: "cancel", number }); // if it is not begun yet
      });
      if (!this.#order({ kind: "photo", number, pixels })) this.#take(number)?.reject(new Lost());
    });
  }

  /** @param {number} number */
  #take(number) {
    const awaited = this.#awaited.get(number);
    this.#awaited.delete(number);
    return awaited;
  }

  /** @param {Order} order */
  #order(order) {
    this.#worker?.postMessage(order);
    return Boolean(this.#worker);
  }

  /** @type {({ [Kind in keyof News]: (facts: News[Kind]) => void })} */
  #news = {
    downloading: ({ loaded, total }) => {
      const share = Math.min(1, loaded / total);
      const [percent, before] = [Math.floor(100 * share), this.#told];
      if (percent === before.percent) return;
      const tenth = Math.floor(percent / 10) > Math.floor(before.percent / 10); // each is read aloud
      const counts = { loaded: megabytes(share * total), total: megabytes(total) };
      this.#told = { words: tenth ? say("downloading", counts) : before.words, percent };
      this.#say("preparing", { words: this.#told.words, share });
    },
    starting: () => this.#say("preparing", { words: say("startingModel") }),
    ready: () => {
      this.#say("here");
      this.#order({ kind: "keep" }); // after the photo that waited: writing takes the time of an answer
    },
    kept: () => this.#say("kept"),
    lacking: () => {
      this.#lacked = true;
      this.#giveBack(() => new Unseen()); // they are asked about again
      this.begin();
    },
    answer: ({ number, outputs }) => this.#take(number)?.resolve(outputs),
    unanswered: ({ number, key, values }) => {
      this.#take(number)?.reject(problemOf("VoilearnError", new PageError(key, { values })));
      this.begin(); // the runtime may be past use
    },
    failed: ({ key, ...told }) => this.break(new PageError(key, told)),
  };

  /**
   * @template {keyof News} Kind
   * @param {Kind} kind
   * @param {News[Kind]} facts
   */
  #hear(kind, facts) {
    this.#news[kind](facts);
  }

  /** @param {string} kind @param {object} [detail] */
  #say(kind, detail) {
    this.dispatchEvent(new CustomEvent(kind, { detail }));
  }
}

/** @param {string} type @param {PageError} error */
function problemOf(type, error) {
  return new Problem({ type, words: wordsOf(error) });
}

/** @param {PageError} error */
function wordsOf({ key, values, what }) {
  return say(key, what ? { ...values, what: say(what) } : values);
}

/** @param {number} bytes */
function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1);
}
