// What the page and its kernel say to each other; types only, which no visitor downloads.

import type { Prediction } from "../page/types.d.ts";

/** What an asker needs of anywidget's model of a widget. */
export interface Model {
  // biome-ignore lint/suspicious/noExplicitAny: each of a widget's traits has a type of its own
  get(name: string): any;
  on(name: string, hear: Handler): void;
  send(message: object, callbacks?: undefined, buffers?: ArrayBuffer[]): unknown; // false: it did not go
  waiting?: boolean; // for a kernel that was never there yet
  renew?: () => void; // nobody answers
  wake?: () => void; // somebody waits
  reconnect?: () => Promise<boolean>;
}

// biome-ignore lint/suspicious/noExplicitAny: what is told depends on the event's name
export type Handler = (...told: any[]) => void;

/** What the kernel says: notebook/widget.py. */
export type Message =
  | { kind: "here"; number?: undefined }
  | { kind: "upgraded"; number?: undefined; sha256: string }
  | { kind: "received"; number: number }
  | { kind: "answer"; number: number; prediction: Prediction }
  | { kind: "error"; number: number; error: { type: string; message: string; retry_after?: number } }
  | { kind: "examples"; number: number; names: string[] };

export type Heard<Kind extends Message["kind"]> = Extract<Message, { kind: Kind }> & {
  buffers: BufferSource[];
};

/** A message of Jupyter's protocol, and of each part what is of interest here. */
export type JupyterMessage = [
  header: { msg_type: string },
  parent: object,
  metadata: object,
  content: { comm_id?: string; data?: { method: string; content: object }; execution_state?: string },
  ...buffers: ArrayBuffer[],
];
