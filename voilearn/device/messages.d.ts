// What the page and its worker say to each other; types only, which no visitor downloads.

import type { Key } from "../page/words.js";
import type { Large } from "./download.js";
import type { Values } from "./errors.js";

/** To the worker: to start, once; then each photo, of which it answers the last. */
export type Order = ({ kind: "start" } & Start) | ({ kind: "photo" } & Numbered);

export interface Start {
  model: { size: number | null; files: { network: Large; runtime: Large } };
  base: string; // the address of the page's folder
  reload: boolean; // ask the server anew, and no cache
  served: boolean; // a service worker answers for the page
}

export interface Numbered {
  number: number;
  file: File;
}

/** To the page: the facts of each kind of news. */
export interface News {
  downloading: { loaded: number; total: number }; // bytes
  starting: object;
  ready: object;
  kept: object; // for a visit without a network
  read: { number: number; preview: ImageBitmap };
  answer: { number: number; probabilities: number[]; seconds: number };
  refused: { number: number; type: string } & Told;
  failed: { what?: Key; retry: boolean } & Told;
}

/** A sentence: its key, and what stands in its places. */
export interface Told {
  key: Key;
  values: Values;
}
