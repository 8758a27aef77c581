// The shapes that the page's scripts hand to each other; types only, which no visitor downloads.

import type { Problem } from "./problem.js";
import type { Pixels } from "./reduce.js";
import type { Key } from "./words.js";

/** What the model says of a photo, the same whoever was asked: voilearn/prediction.py. */
export interface Prediction {
  label: string | null; // the likeliest of `labels`
  probability: number; // of that; with no label, of the likeliest class
  probabilities: Record<string, number>;
  labels: string[];
  in_scope: boolean | null; // null for a model without a scope
  model: ModelInfo;
  runtime?: string | null; // the libraries that gave it; none from an older service
  agreement?: number | null; // how far a compiled model was from the learner, at most
}

export interface ModelInfo {
  name: string;
  sha256: string; // of the export.pkl, whichever runtime runs it
  task: "single-label" | "multi-label";
  classes: string[]; // in the order of the model's outputs
}

/** What the author says, and how large a photo is sent: voilearn/settings.py. */
export interface Settings {
  classes: Classes;
  photo_size: number; // pixels on the longest side
  title?: string;
  introduction?: string;
  language?: string; // of the author's words
}

/** What the author says of classes, by their labels. */
export type Classes = Record<string, { name?: string; description?: string; colour?: string }>;

/**
 * The browser's twin of Python's `Classify`: it is handed a photo and gives back the Prediction,
 * wherever the model is. Each host of the page brings one of its own.
 *
 * Its events are "settings" (when those change), "here", "lost", "back", "changed" (whose
 * `detail.sha256` is of another model), "preparing" (whose `detail` is Preparing: what goes on before
 * anybody can be asked), "line" (whose `detail.place` is how many photos are before the one that is
 * asked about), and "broken": there is nobody to ask (`detail.words` may say why).
 */
export interface Asker extends EventTarget {
  /** Rejects with a Problem, or Lost, or the signal's reason. */
  ask(photo: Sent | { example: number }, options: AskOptions): Promise<Prediction>;
  /** Resolves to the author's. */
  examples(): Promise<[name: string, picture: Picture][]>;
  settings: Partial<Settings> | undefined; // where they are known yet
  reconnect: (() => Promise<boolean>) | undefined; // undefined where the host can't
  wants?: Wanted; // of a photo; else a file of the settings' `photo_size`
  end(): void;
}

export interface AskOptions {
  signal: AbortSignal;
  progress?: (share: number) => void; // called with what share of the photo is there
  preview?: (picture: Blob) => void; // called with a picture of it
}

export type Picture = Blob | BufferSource;

/** One photo of a visit: a file, or an example; answered, it has a prediction or an error. */
export interface Photo {
  name: string;
  state: State;
  progress: number; // the share of it that was sent
  file?: File;
  example?: number;
  given?: string; // the address of an example's picture, which is the gallery's
  sent?: Sent;
  url?: string; // the address of a picture that can be shown
  thumb?: string; // of a small one
  prediction?: Prediction;
  error?: Problem;
  giveUp?: AbortController;
  slow?: ReturnType<typeof setTimeout>; // runs out when a model is being loaded
  loading?: boolean; // one is
  seconds?: number; // until it is asked about again
  counting?: boolean; // those are not the first
  place?: number; // how many photos are before it
  lost?: number; // how often who was asked about it went
  tries?: number;
}

export type State = "queued" | "held" | "reading" | "sending" | "looking" | "busy" | Done;
export type Done = "answered" | "refused" | "cancelled";

/** What a host wants of a photo: its pixels, or a file. */
export type Wanted =
  | { pixels: true; size: number | null; heic?: Heic } // the longest side that the model resizes to
  | { pixels?: false; longest: number }; // pixels, about, on the longest side

/** Whose `decode` opens HEIC photos where the browser can't. */
export interface Heic {
  module: string; // its address
  base: string; // of the folder that `file` is in
  file: Large;
}

/** A file of megabytes, as the build wrote it. */
export interface Large {
  what: Key & ("model" | "runtime"); // as it is told of where it can't be had
  name: string;
  sha256: string;
  bytes: number;
  packed: number; // bytes
}

/** What is sent for a photo: one of the two. */
export interface Sent {
  blob?: Blob;
  pixels?: Pixels;
  width: number; // the original's, in pixels; 0 where the browser can't open the file
  height: number;
  scaled: boolean; // `blob` is another file than the original
}

/** What is shown of a photo, where the browser can open it. */
export interface Shown {
  picture?: Blob;
  thumb?: Blob; // a small square
}
export type Show = (picture: Blob, thumb?: Blob) => void;

/** What goes on before anybody can be asked, in a sentence, with the share that is done. */
export interface Preparing {
  words: string;
  share?: number;
}

/** Between the page and its photo worker. */
export interface Asked {
  number: number;
  file: File;
  wanted: Wanted;
}
/** Of each photo: `read`, and last `shown`, or that it is `refused`. */
export type Told = { number: number } & Part;
export type Part =
  | { read: Sent; shown?: undefined; refused?: undefined }
  | { read?: undefined; shown: Shown; refused?: undefined }
  | { read?: undefined; shown?: undefined; refused: Refused };
export interface Refused {
  type: string;
  key: Key;
  values?: Record<string, string | number>;
  lacked?: boolean; // a script, which this worker may never get: browsers remember that they failed
}
