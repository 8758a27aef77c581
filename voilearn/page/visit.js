// One visit: the photos given, each with its own answer, asked about in turn.
// In: files, an asker and a reader; out: "change" events, after which `photos` is true again.
//
// The asker is handed a photo and gives back the Prediction, wherever the model is: types.d.ts.

/**
 * @import { Asker, Photo, Picture, Preparing, Sent, Settings, State } from "./types.d.ts"
 * @import { PhotoReader } from "./reader.js"
 */
import { Lost, Problem, Unseen } from "./problem.js";
import { say } from "./words.js";

const MOST_KEPT = 100; // photos: of older ones nothing is kept
const MOST_AHEAD = 100_000_000; // bytes of pixels that are read before they are asked about
const LOADING_AFTER = 3000; // milliseconds of looking, after which a model is being loaded
const MOST_TRIES = 30; // at a busy service
const MOST_LOST = 5; // times that who was asked goes, with a photo on its way there
const SEEN = 3; // for as many counts one who has seen it, which may be why
const ONCE_MORE = 500; // milliseconds, to twice as many, so that not all ask at once
const UNREADABLE = new Problem({ type: "PhotoNotFound" }); // gone from the disk, or a folder
const DONE = ["answered", "refused", "cancelled"];
const NEW = { state: /** @type {State} */ ("queued"), progress: 0 };

export class Visit extends EventTarget {
  /** @type {Photo[]} */
  photos = [];
  /** @type {Photo | undefined} */
  shown; // the one of them that is on the page
  /** @type {"opening" | "here" | "lost" | "reconnecting" | "gone" | "broken"} */
  line = "opening";
  /** @type {Preparing | undefined} */
  preparing; // what goes on before anybody can be asked
  /** @type {string | undefined} */
  why; // there is nobody to ask
  /** @type {Settings} */
  settings = { classes: {}, photo_size: 1024 };
  /** @type {string | undefined} */
  newest; // the hash of the model in service, where it is newer than an answer
  leftOut = 0; // photos of the last choice, for which there was no room
  #asker;
  #reader;
  /** @type {Photo | undefined} */
  #asked; // about which there is no answer yet
  /** @type {Set<"read" | "ask">} */
  #going = new Set(); // what goes on

  /** @param {Asker} asker @param {Pick<PhotoReader, "read">} reader */
  constructor(asker, reader) {
    super();
    this.#asker = asker;
    this.#reader = reader;
    this.#take(asker.settings);
    /** @type {(kind: string, hear: (event: CustomEvent) => void) => void} */
    const on = (kind, hear) => asker.addEventListener(kind, /** @type {EventListener} */ (hear));
    on("settings", () => this.#take(asker.settings));
    on("here", () => this.#found());
    on("back", () => this.#found());
    on("lost", () => ["here", "opening"].includes(this.line) && this.#set({ line: "lost" }));
    on("broken", ({ detail }) => this.#set({ line: "broken", preparing: undefined, why: detail?.words }));
    on("preparing", ({ detail }) => this.#set({ preparing: detail }));
    on("line", ({ detail }) => this.#asked && this.#update(this.#asked, { place: detail.place }));
    on("changed", ({ detail }) => this.#set({ newest: detail.sha256 }));
  }

  /** Whether the page can come back without being loaded anew. */
  get reconnects() {
    return Boolean(this.#asker.reconnect);
  }

  /**
   * Take files that were just given, and show the first of them.
   * @param {File[]} files
   */
  take(files) {
    this.#add(files.map((file) => ({ ...NEW, name: file.name, file })));
  }

  /**
   * Take an example of the author's.
   * @param {number} index
   * @param {string} name
   * @param {string} thumb  the address of its picture
   */
  takeExample(index, name, thumb) {
    this.#add([{ ...NEW, name, example: index, given: thumb, url: thumb, thumb }]);
  }

  /**
   * Show a photo of this visit.
   * @param {Photo} photo
   */
  show(photo) {
    this.#set({ shown: photo });
  }

  /**
   * Ask about a photo once more.
   * @param {Photo} photo
   */
  again(photo) {
    photo.lost = photo.tries = 0;
    this.#forget(photo);
    this.#work();
  }

  /**
   * Give up on a photo.
   * @param {Photo} photo
   */
  cancel(photo) {
    photo.giveUp?.abort(new DOMException("cancelled", "AbortError"));
    this.#update(photo, { state: "cancelled" });
    this.#work(); // there may be room for another
  }

  /** Resolves to the author's examples, as [name, address of a picture]. */
  async examples() {
    const told = await this.#asker.examples();
    return told.map(([name, picture]) => /** @type {const} */ ([name, address(picture)]));
  }

  /** Have somebody to ask back, or anew, and go on with the photos that wait. */
  async reconnect() {
    const { line } = this;
    if (line === "reconnecting") return;
    this.#set({ line: "reconnecting" });
    const found = await this.#asker.reconnect?.();
    if (this.line === "here") return; // the first word came before
    if (found) this.#set({ line: "opening" });
    else if (this.line === "reconnecting") this.#set({ line: "gone" });
  }

  /** The page is gone, as that of a cell which is run again. */
  end() {
    this.#asker.end();
  }

  /** @param {Photo[]} photos */
  #add(photos) {
    const taken = photos.slice(0, MOST_KEPT - this.photos.filter((photo) => !isDone(photo)).length);
    let excess = this.photos.length + taken.length - MOST_KEPT;
    const old = this.photos.filter((photo) => isDone(photo) && excess-- > 0);
    this.photos = [...this.photos.filter((photo) => !old.includes(photo)), ...taken];
    for (const photo of old) freePictures(photo);
    this.#set({ leftOut: photos.length - taken.length, shown: taken[0] ?? this.shown });
    if (this.reconnects && ["lost", "gone", "broken"].includes(this.line)) this.reconnect();
    this.#work();
  }

  /** @param {Photo} photo */
  #forget(photo) {
    this.#update(photo, { state: "queued", progress: 0, prediction: undefined, error: undefined });
  }

  // Photos are read one after the other, which needs no asker; meanwhile, each is asked about.
  #work() {
    this.#each(
      "read",
      (photo) => !isReady(photo) && this.#hasRoom(),
      (photo) => this.#read(photo),
    );
    if (this.line === "here") this.#each("ask", isReady, (photo) => this.#ask(photo));
    else for (const photo of this.photos.filter(isReady)) this.#hold(photo);
  }

  #hasRoom() {
    const ahead = this.photos.map(({ sent }) => sent?.pixels?.data.length ?? 0);
    return ahead.reduce((sum, bytes) => sum + bytes, 0) < MOST_AHEAD;
  }

  /**
   * @param {"read" | "ask"} what
   * @param {(photo: Photo) => boolean} mayGo
   * @param {(photo: Photo) => Promise<void>} go
   */
  async #each(what, mayGo, go) {
    if (this.#going.has(what)) return;
    this.#going.add(what);
    const next = () => this.photos.find((photo) => isWaiting(photo) && mayGo(photo));
    try {
      for (let photo; (photo = next()) && (what === "read" || this.line === "here"); ) await go(photo);
    } finally {
      this.#going.delete(what);
    }
  }

  /** @param {Photo} photo */
  #hold(photo) {
    if (isWaiting(photo)) this.#update(photo, { state: "held" });
  }

  /** @param {Photo} photo */
  async #read(photo) {
    this.#update(photo, { state: "reading" });
    const wanted = this.#asker.wants ?? { longest: this.settings.photo_size };
    const sent = await this.#reader
      .read(/** @type {File} */ (photo.file), wanted, (...shown) => this.#picture(photo, ...shown))
      .catch((error) => this.#update(photo, { state: "refused", error }));
    if (!sent) return this.#work();
    if (photo.state === "cancelled") return;
    this.#update(photo, { sent, state: "queued" });
    this.#work();
  }

  /** @param {Photo} photo @param {Blob} picture @param {Blob} [thumb] */
  #picture(photo, picture, thumb) {
    if (photo.state === "cancelled" || !this.photos.includes(photo)) return;
    freePictures(photo);
    const url = address(picture);
    this.#update(photo, { url, thumb: photo.given ?? (thumb ? address(thumb) : url) });
  }

  /** @param {Photo} photo */
  async #ask(photo) {
    photo.giveUp = new AbortController();
    const { signal } = photo.giveUp;
    this.#asked = photo;
    this.#update(photo, { place: undefined, state: photo.sent?.blob ? "sending" : "looking", progress: 0 });
    try {
      const prediction = await this.#tell(photo, signal);
      if (photo.state !== "cancelled") this.#update(photo, { state: "answered", prediction });
    } catch (error) {
      if (error instanceof Lost) await this.#keep(photo, error);
      else if (error instanceof Problem) await this.#refused(photo, error, signal);
      else if (!signal.aborted) this.#update(photo, { state: "refused", error: UNREADABLE });
    } finally {
      clearTimeout(photo.slow);
      photo.loading = false;
      this.#asked = undefined;
      this.#work(); // those that wait are held, or there is room for another
    }
  }

  /**
   * A photo with which whoever was asked went is asked about again. It may be what ended that: then
   * once, for there may be many more who can be asked.
   * @param {Photo} photo
   * @param {Lost} lost
   */
  async #keep(photo, lost) {
    const wasSeen = photo.state === "looking" && !(lost instanceof Unseen);
    photo.lost = (photo.lost ?? 0) + (wasSeen ? SEEN : 1);
    if (photo.lost >= MOST_LOST) {
      const error = new Problem({ type: "ServiceError", words: this.why ?? say("gone") });
      return this.#update(photo, { state: "refused", error });
    }
    this.#update(photo, { state: "held" });
    if (wasSeen) await pause(ONCE_MORE * (1 + Math.random()));
  }

  /** @param {Photo} photo @param {AbortSignal} signal */
  #tell(photo, signal) {
    /** @param {Blob} picture */
    const preview = (picture) => this.#picture(photo, picture);
    if (photo.example !== undefined) {
      this.#look(photo);
      return this.#asker.ask({ example: photo.example }, { signal, preview });
    }
    /** @param {number} share */
    const progress = (share) => {
      this.#update(photo, { progress: share });
      if (share === 1) this.#look(photo);
    };
    const sent = /** @type {Sent} */ (photo.sent);
    return this.#asker.ask(sent, { signal, progress, preview: sent.width ? undefined : preview });
  }

  /**
   * All that is asked for is there; if the answer takes long, a model is being loaded.
   * @param {Photo} photo
   */
  #look(photo) {
    this.#update(photo, { state: "looking" });
    if (this.#asker.wants?.pixels) return; // its model was loaded before
    clearTimeout(photo.slow);
    photo.slow = setTimeout(() => this.#update(photo, { loading: true }), LOADING_AFTER);
  }

  /** @param {Photo} photo @param {Problem} error @param {AbortSignal} signal */
  async #refused(photo, error, signal) {
    if (photo.state === "cancelled") return;
    photo.tries = (photo.tries ?? 0) + 1;
    clearTimeout(photo.slow);
    if (error.retryAfter && photo.tries < MOST_TRIES) return this.#wait(photo, error.retryAfter, signal);
    this.#update(photo, { state: "refused", error });
  }

  /**
   * Count down until the photo may be asked about again.
   * @param {Photo} photo
   * @param {number} seconds
   * @param {AbortSignal} signal
   */
  async #wait(photo, seconds, signal) {
    for (let left = Math.ceil(seconds); left > 0; left--) {
      this.#update(photo, { state: "busy", seconds: left, counting: left < Math.ceil(seconds) });
      await pause(1000);
      if (signal.aborted) return;
    }
    this.#update(photo, { state: "queued" });
  }

  #found() {
    this.#set({ line: "here", preparing: undefined, why: undefined });
    this.#work();
  }

  /** @param {Partial<Settings> | undefined} settings */
  #take(settings) {
    if (!settings) return;
    const size = this.settings.photo_size;
    this.#set({ settings: { ...this.settings, ...settings } });
    if (size === this.settings.photo_size) return;
    for (const photo of this.photos.filter(isWaiting)) photo.sent = undefined; // read it again
    this.#work();
  }

  /** @param {Photo} photo @param {Partial<Photo>} changes */
  #update(photo, changes) {
    if (photo.state === "cancelled" && !("prediction" in changes)) return;
    Object.assign(photo, changes);
    if (isDone(photo) && photo.sent?.pixels) photo.sent = undefined; // the file is kept, and small
    this.dispatchEvent(new Event("change"));
  }

  /** @param {Partial<Pick<Visit, "photos" | "shown" | "line" | "preparing" | "why" | "settings" | "newest" | "leftOut">>} changes */
  #set(changes) {
    Object.assign(this, changes);
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {number} milliseconds */
const pause = (milliseconds) => new Promise((go) => setTimeout(go, milliseconds));

/**
 * Tells whether there is nothing more to come for a photo.
 * @param {Photo} photo
 */
export function isDone({ state }) {
  return DONE.includes(state);
}

/** @param {Photo} photo */
function isWaiting({ state }) {
  return state === "queued" || state === "held";
}

/**
 * Tells whether a photo can be asked about: it has been read, or the author has it.
 * @param {Photo} photo
 */
function isReady({ sent, example }) {
  return Boolean(sent) || example !== undefined;
}

/**
 * Let go of what a photo is shown by, but for an example's: that is the gallery's.
 * @param {Photo} photo
 */
function freePictures({ url, thumb, given }) {
  for (const each of new Set([url, thumb])) if (each && each !== given) URL.revokeObjectURL(each);
}

/** @param {Picture} picture */
function address(picture) {
  return URL.createObjectURL(picture instanceof Blob ? picture : new Blob([picture], { type: "image/jpeg" }));
}
