// One visit: the photos given, each with its own answer, asked about in turn.
// In: files, and what the kernel says; out: "change" events, after which `photos` is true again.

import { Asker, Lost } from "./asking.js";
import { scaleDown, thumbnail } from "./scaling.js";
import { say } from "./words.js";

const THUMBNAIL = 96; // pixels
const MOST_KEPT = 100; // photos: of older ones nothing is kept
const LOADING_AFTER = 3000; // milliseconds of looking, after which a model is being loaded
const MOST_TRIES = 30; // at a busy service
const MOST_LOST = 5; // times that the kernel goes with a photo on its way
const UNREADABLE = { type: "PhotoNotFound" }; // gone from the disk, or a folder
const DONE = ["answered", "refused", "cancelled"];

export class Visit extends EventTarget {
  photos = []; // {name, file, state, sent, url, thumb, progress, prediction, error, seconds}
  shown; // the one of them that is on the page
  line = "opening"; // or "here", "lost", "reconnecting", "gone", "broken"
  settings = { classes: {}, photo_size: 1024 };
  newest; // the hash of the model in service, where it is newer than an answer
  #asker;
  #model;
  #working = false;

  constructor(model) {
    super();
    this.#model = model;
    this.#take(model.get("settings"));
    model.on("change:settings", () => this.#take(model.get("settings")));
    model.on("broken", () => this.#set({ line: "broken" }));
    this.#asker = new Asker(model, (kind, message) => this.#hear(kind, message));
  }

  // Whether the page can come back without being loaded anew.
  get reconnects() {
    return Boolean(this.#model.reconnect);
  }

  // Take files that were just given, and show the first of them.
  take(files) {
    this.#add(files.map((file) => ({ name: file.name, file })));
  }

  // Take an example of the author's.
  takeExample(index, name, thumb) {
    this.#add([{ name, example: index, url: thumb, thumb }]);
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

  // Have the page's kernel back, or a new one, and go on with the photos that wait.
  async reconnect() {
    if (!this.reconnects) return location.reload();
    if (this.line === "reconnecting") return;
    this.#set({ line: "reconnecting" });
    const found = await this.#model.reconnect();
    if (!found) this.#set({ line: "gone" });
    else if (this.line === "reconnecting") this.#set({ line: "opening" });
  }

  // The page is gone, as that of a cell which is run again.
  end() {
    this.#asker.end();
  }

  #add(photos) {
    for (const photo of photos) Object.assign(photo, { state: "queued", progress: 0 });
    this.photos = [...this.photos, ...photos];
    for (const old of this.photos.splice(0, Math.max(0, this.photos.length - MOST_KEPT))) {
      this.cancel(old);
      if (old.example === undefined) for (const url of [old.url, old.thumb]) URL.revokeObjectURL(url);
    }
    this.#set({ shown: photos[0] });
    if (["lost", "gone"].includes(this.line)) this.reconnect();
    this.#work();
  }

  #forget(photo) {
    this.newest = undefined;
    this.#update(photo, { state: "queued", progress: 0, prediction: undefined, error: undefined });
  }

  // One after the other: all are read, which needs no kernel; then each is asked about.
  async #work() {
    if (this.#working) return;
    this.#working = true;
    try {
      for (let photo; (photo = this.#next()); ) {
        if (photo.sent || photo.example !== undefined) await this.#ask(photo);
        else await this.#read(photo);
      }
    } finally {
      this.#working = false;
    }
  }

  #next() {
    const waiting = this.photos.filter(({ state }) => state === "queued" || state === "held");
    return (
      waiting.find(({ sent, example }) => !sent && example === undefined) ??
      (this.line === "here" ? waiting[0] : this.#hold(waiting))
    );
  }

  #hold(waiting) {
    for (const photo of waiting) this.#update(photo, { state: "held" });
  }

  async #read(photo) {
    this.#update(photo, { state: "reading" });
    const sent = await scaleDown(photo.file, this.settings.photo_size);
    if (photo.state === "cancelled") return;
    this.#update(photo, { sent, state: "queued" });
    if (sent.width) this.#picture(photo, sent.blob); // while the photo is asked about
  }

  async #picture(photo, blob) {
    this.#update(photo, { url: address(blob) });
    const small = await thumbnail(blob, THUMBNAIL).catch(() => undefined);
    if (small) this.#update(photo, { thumb: address(small) });
  }

  async #ask(photo) {
    photo.giveUp = new AbortController();
    const { signal } = photo.giveUp;
    this.#update(photo, { state: photo.sent ? "sending" : "looking", progress: 0 });
    const slow = setTimeout(() => this.#update(photo, { loading: true }), LOADING_AFTER);
    try {
      await this.#answered(photo, await this.#tell(photo, signal));
    } catch (error) {
      if (error instanceof Lost) this.#keep(photo);
      else if (!signal.aborted) this.#update(photo, { state: "refused", error: UNREADABLE });
    } finally {
      clearTimeout(slow);
      photo.loading = false;
    }
  }

  // A photo whose kernel went is asked about again once there is one: it may be what ended it.
  #keep(photo) {
    photo.lost = (photo.lost ?? 0) + 1;
    if (photo.lost < MOST_LOST) return this.#update(photo, { state: "held" });
    this.#update(photo, { state: "refused", error: { type: "ServiceError", message: say("gone") } });
  }

  #tell(photo, signal) {
    if (!photo.sent) return this.#asker.askExample(photo.example, { signal });
    const onProgress = (progress) =>
      this.#update(photo, { progress, state: progress < 1 ? "sending" : "looking" });
    const { blob, width } = photo.sent;
    return this.#asker.ask(blob, { preview: !width, onProgress, signal });
  }

  async #answered(photo, { prediction, error, buffers = [] }) {
    if (buffers.length) this.#picture(photo, new Blob([buffers[0]], { type: "image/jpeg" }));
    if (photo.state === "cancelled") return;
    if (prediction) return this.#update(photo, { state: "answered", prediction });
    photo.tries = (photo.tries ?? 0) + 1;
    if (error.retry_after && photo.tries < MOST_TRIES) return this.#wait(photo, error.retry_after);
    this.#update(photo, { state: "refused", error });
  }

  // Count down until the photo may be asked about again.
  async #wait(photo, seconds) {
    for (let left = Math.ceil(seconds); left > 0; left--) {
      this.#update(photo, { state: "busy", seconds: left });
      await new Promise((resolve) => setTimeout(resolve, 1000));
      if (photo.state === "cancelled") return;
    }
    this.#update(photo, { state: "queued" });
  }

  #hear(kind, message) {
    if (kind === "here" && this.line !== "here") {
      this.#set({ line: "here" });
      this.#work();
    } else if (kind === "lost" && ["here", "opening"].includes(this.line)) {
      this.#set({ line: "lost" });
    } else if (kind === "upgraded") {
      this.#set({ newest: message.sha256 });
    }
  }

  #take(settings) {
    if (settings) this.#set({ settings: { ...this.settings, ...settings } });
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

function address(picture) {
  return URL.createObjectURL(picture instanceof Blob ? picture : new Blob([picture], { type: "image/jpeg" }));
}
