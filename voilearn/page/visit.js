// One visit: the photos given, each with its own answer, asked about in turn.
// In: files, and an asker; out: "change" events, after which `photos` is true again.
//
// An asker is the browser's twin of Python's `Classify`: it is handed a photo and gives back the
// Prediction, wherever the model is. Each host of the page brings one of its own:
//
//   ask(photo, {signal, progress, preview}) -> Promise<Prediction>
//     `photo` is a Blob, or {example: n}. `progress` is called with what share of it is there, and
//     `preview`, where given, with a picture of it. Throws a Problem, or Lost, or the signal's reason.
//   examples() -> Promise<[[name, picture], …]>   the author's
//   settings                                      the author's words; event "settings" when they change
//   reconnect() -> Promise<boolean>, or undefined where the host can't
//   end()
//   events "here", "lost", "back", "changed" (detail.sha256: of another model), and "broken": there
//     will be nobody to ask
import { Lost, Problem } from "./problem.js";
import { scaleDown, thumbnail } from "./scaling.js";
import { say } from "./words.js";

const THUMBNAIL = 96; // pixels
const MOST_KEPT = 100; // photos: of older ones nothing is kept
const LOADING_AFTER = 3000; // milliseconds of looking, after which a model is being loaded
const MOST_TRIES = 30; // at a busy service
const MOST_LOST = 5; // times that the kernel goes with a photo on its way
const UNREADABLE = new Problem({ type: "PhotoNotFound" }); // gone from the disk, or a folder
const DONE = ["answered", "refused", "cancelled"];

export class Visit extends EventTarget {
  photos = []; // {name, file or example, state, sent, url, thumb, progress, prediction, error, …}
  shown; // the one of them that is on the page
  line = "opening"; // or "here", "lost", "reconnecting", "gone", "broken"
  settings = { classes: {}, photo_size: 1024 };
  newest; // the hash of the model in service, where it is newer than an answer
  leftOut = 0; // photos of the last choice, for which there was no room
  #asker;
  #going = new Set(); // "read", "ask": what goes on

  constructor(asker) {
    super();
    this.#asker = asker;
    this.#take(asker.settings);
    const on = (kind, hear) => asker.addEventListener(kind, hear);
    on("settings", () => this.#take(asker.settings));
    on("here", () => this.#found());
    on("back", () => this.#found());
    on("lost", () => ["here", "opening"].includes(this.line) && this.#set({ line: "lost" }));
    on("broken", () => this.#set({ line: "broken" }));
    on("changed", ({ detail }) => this.#set({ newest: detail.sha256 }));
  }

  // Whether the page can come back without being loaded anew.
  get reconnects() {
    return Boolean(this.#asker.reconnect);
  }

  // Take files that were just given, and show the first of them.
  take(files) {
    this.#add(files.map((file) => ({ name: file.name, file })));
  }

  // Take an example of the author's.
  takeExample(index, name, thumb) {
    this.#add([{ name, example: index, given: thumb, url: thumb, thumb }]);
  }

  // Show a photo of this visit.
  show(photo) {
    this.#set({ shown: photo });
  }

  // Ask about a photo once more.
  again(photo) {
    photo.lost = photo.tries = 0;
    this.#forget(photo);
    this.#work();
  }

  // Give up on a photo.
  cancel(photo) {
    photo.giveUp?.abort(new DOMException("cancelled", "AbortError"));
    this.#update(photo, { state: "cancelled" });
  }

  // Resolves to the author's examples, as [name, address of a picture].
  async examples() {
    const told = await this.#asker.examples();
    return told.map(([name, picture]) => [name, address(picture)]);
  }

  // Have somebody to ask back, or anew, and go on with the photos that wait.
  async reconnect() {
    if (this.line === "reconnecting") return;
    this.#set({ line: "reconnecting" });
    const found = await this.#asker.reconnect();
    if (found) this.#set({ line: "opening" });
    else if (this.line === "reconnecting") this.#set({ line: "gone" });
  }

  // The page is gone, as that of a cell which is run again.
  end() {
    this.#asker.end();
  }

  #add(photos) {
    const taken = photos.slice(0, MOST_KEPT - this.photos.filter((photo) => !isDone(photo)).length);
    for (const photo of taken) Object.assign(photo, { state: "queued", progress: 0 });
    let excess = this.photos.length + taken.length - MOST_KEPT;
    const old = this.photos.filter((photo) => isDone(photo) && excess-- > 0);
    this.photos = [...this.photos.filter((photo) => !old.includes(photo)), ...taken];
    for (const photo of old) freePictures(photo);
    this.#set({ leftOut: photos.length - taken.length, shown: taken[0] ?? this.shown });
    if (this.reconnects && ["lost", "gone", "broken"].includes(this.line)) this.reconnect();
    this.#work();
  }

  #forget(photo) {
    this.#update(photo, { state: "queued", progress: 0, prediction: undefined, error: undefined });
  }

  // Photos are read one after the other, which needs no asker; meanwhile, each is asked about.
  #work() {
    this.#each(
      "read",
      (photo) => !isReady(photo),
      (photo) => this.#read(photo),
    );
    if (this.line === "here") this.#each("ask", isReady, (photo) => this.#ask(photo));
    else for (const photo of this.photos.filter(isReady)) this.#hold(photo);
  }

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

  #hold(photo) {
    if (isWaiting(photo)) this.#update(photo, { state: "held" });
  }

  async #read(photo) {
    this.#update(photo, { state: "reading" });
    const sent = await scaleDown(photo.file, this.settings.photo_size);
    if (photo.state === "cancelled") return;
    this.#update(photo, { sent, state: "queued" });
    if (sent.width) this.#picture(photo, sent.blob);
    const next = this.line === "here" && !this.#going.has("ask");
    this.#work();
    if (!next) this.#shrink(photo); // else once it is answered: that takes the same processors
  }

  #picture(photo, blob) {
    if (photo.url !== photo.given) URL.revokeObjectURL(photo.url);
    this.#update(photo, { picture: blob, url: address(blob) });
  }

  async #shrink(photo) {
    if (photo.thumb || !photo.picture) return;
    const small = await thumbnail(photo.picture, THUMBNAIL).catch(() => undefined);
    if (small && !photo.thumb) this.#update(photo, { thumb: address(small) });
  }

  async #ask(photo) {
    photo.giveUp = new AbortController();
    const { signal } = photo.giveUp;
    this.#update(photo, { state: photo.sent ? "sending" : "looking", progress: 0 });
    try {
      const prediction = await this.#tell(photo, signal);
      if (photo.state !== "cancelled") this.#update(photo, { state: "answered", prediction });
    } catch (error) {
      if (error instanceof Lost) this.#keep(photo);
      else if (error instanceof Problem) await this.#refused(photo, error);
      else if (!signal.aborted) this.#update(photo, { state: "refused", error: UNREADABLE });
    } finally {
      clearTimeout(photo.slow);
      photo.loading = false;
      this.#shrink(photo);
      if (this.line !== "here") this.#work(); // those that wait are held
    }
  }

  // A photo with which the asker's host went is asked about again: it may be what ended it.
  #keep(photo) {
    photo.lost = (photo.lost ?? 0) + 1;
    if (photo.lost < MOST_LOST) return this.#update(photo, { state: "held" });
    const error = new Problem({ type: "ServiceError", detail: say("gone") });
    this.#update(photo, { state: "refused", error });
  }

  #tell(photo, signal) {
    const preview = (picture) => this.#picture(photo, picture);
    if (!photo.sent) {
      this.#look(photo);
      return this.#asker.ask({ example: photo.example }, { signal, preview });
    }
    const progress = (share) => {
      this.#update(photo, { progress: share });
      if (share === 1) this.#look(photo);
    };
    const { blob, width } = photo.sent;
    return this.#asker.ask(blob, { signal, progress, preview: width ? undefined : preview });
  }

  // All that is asked for is there; if the answer takes long, a model is being loaded.
  #look(photo) {
    this.#update(photo, { state: "looking" });
    clearTimeout(photo.slow);
    photo.slow = setTimeout(() => this.#update(photo, { loading: true }), LOADING_AFTER);
  }

  async #refused(photo, error) {
    if (photo.state === "cancelled") return;
    photo.tries = (photo.tries ?? 0) + 1;
    clearTimeout(photo.slow);
    if (error.retryAfter && photo.tries < MOST_TRIES) return this.#wait(photo, error.retryAfter);
    this.#update(photo, { state: "refused", error });
  }

  // Count down until the photo may be asked about again.
  async #wait(photo, seconds) {
    const { signal } = photo.giveUp;
    for (let left = Math.ceil(seconds); left > 0; left--) {
      this.#update(photo, { state: "busy", seconds: left, counting: left < Math.ceil(seconds) });
      await new Promise((resolve) => setTimeout(resolve, 1000));
      if (signal.aborted) return;
    }
    this.#update(photo, { state: "queued" });
  }

  #found() {
    this.#set({ line: "here" });
    this.#work();
  }

  #take(settings) {
    if (!settings) return;
    const size = this.settings.photo_size;
    this.#set({ settings: { ...this.settings, ...settings } });
    if (size === this.settings.photo_size) return;
    for (const photo of this.photos.filter(isWaiting)) photo.sent = undefined; // read it again
    this.#work();
  }

  #update(photo, changes) {
    if (photo.state === "cancelled" && !("prediction" in changes)) return;
    Object.assign(photo, changes);
    this.dispatchEvent(new Event("change"));
  }

  #set(changes) {
    Object.assign(this, changes);
    this.dispatchEvent(new Event("change"));
  }
}

// Whether there is nothing more to come for a photo.
export function isDone({ state }) {
  return DONE.includes(state);
}

function isWaiting({ state }) {
  return state === "queued" || state === "held";
}

// Whether a photo can be asked about: it has been read, or the author has it.
function isReady({ sent, example }) {
  return Boolean(sent) || example !== undefined;
}

// Let go of what a photo is shown by, but for an example's: that is the gallery's.
function freePictures({ url, thumb, given }) {
  for (const each of [url, thumb]) if (each !== given) URL.revokeObjectURL(each);
}

function address(picture) {
  return URL.createObjectURL(picture instanceof Blob ? picture : new Blob([picture], { type: "image/jpeg" }));
}
