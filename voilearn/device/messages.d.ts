// What the build writes of the model, and what the page and its worker say to each other; types only,
// which no visitor downloads.

import type { Heic, Large, Settings } from "../page/types.d.ts";
import type { Pixels } from "../page/reduce.js";
import type { Key } from "../page/words.js";
import type { Values } from "./errors.js";
import type { Model } from "./prediction.js";
import type { Outputs } from "./scope.js";

export interface Described extends Model {
  size: number | null; // of the longest side that the model resizes photos to
  weights?: number; // bits of a weight in the model's file
  joined?: boolean; // its layers are what a runtime makes of them
  files: Files;
  heic?: Omit<Heic, "base">; // with the module's path
  settings: Pick<Settings, "classes">;
  examples: { name: string; thumb: string; photo: string }[]; // with the paths of both pictures
}

export interface Files {
  network: Large;
  runtime: Large;
  whole?: Large; // runtime, where the other is but what models like this one call of it
}

/** To the worker: to start, once; each photo, or that it is given up; to keep what it has got. */
export type Order =
  | ({ kind: "start" } & Start)
  | ({ kind: "photo" } & Numbered)
  | { kind: "cancel"; number: number }
  | { kind: "keep" };

export interface Start {
  files: Files;
  narrow: boolean; // the model holds its weights in fewer bits than it computes with
  joined: boolean; // its layers are joined already
  lacked: boolean; // the runtime that is not whole was tried
  base: string; // the address of the page's folder
  reload: boolean; // ask the server anew, and no cache
}

export interface Numbered {
  number: number;
  pixels: Pixels;
}

/** To the page: the facts of each kind of news. */
export interface News {
  downloading: { loaded: number; total: number }; // bytes
  starting: object;
  ready: object;
  kept: object; // for a visit without a network
  lacking: object; // it may be for what the runtime lacks that something failed
  answer: { number: number; outputs: Outputs };
  unanswered: { number: number } & Told;
  failed: { what?: Key; retry: boolean } & Told;
}

/** A sentence: its key, and what stands in its places. */
export interface Told {
  key: Key;
  values: Values;
}
