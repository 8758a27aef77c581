// What the page's scripts find in a browser, for tests without one. Imported before the scripts.

/** A websocket that does what the test does. */
export class Socket extends EventTarget {
  static CONNECTING = 0;
  static OPEN = 1;
  static CLOSING = 2;
  static CLOSED = 3;
  /** @type {Socket[]} */
  static all = [];
  readyState = Socket.CONNECTING;
  /** @type {{ kind: string, number: number }[]} */
  sent = []; // to our comm, in their order
  /** @type {(() => void) | null} */
  onopen = null;
  /** @type {(() => void) | null} */
  onclose = null;
  /** @type {((event: { data: ArrayBuffer }) => void) | null} */
  onmessage = null;

  /** @param {string} url */
  constructor(url) {
    super();
    this.url = url;
    Socket.all.push(this);
  }

  static get last() {
    return /** @type {Socket} */ (Socket.all.at(-1));
  }

  open() {
    this.readyState = Socket.OPEN;
    this.onopen?.();
  }

  /** Breaks off. */
  break() {
    this.readyState = Socket.CLOSED;
    this.onclose?.();
  }

  close() {
    this.readyState = Socket.CLOSING;
  }

  /** @param {Uint8Array} message */
  send(message) {
    const view = new DataView(message.buffer);
    const [from, to] = [5, 6].map((at) => Number(view.getBigUint64(8 * at, true)));
    this.sent.push(JSON.parse(new TextDecoder().decode(message.subarray(from, to))).data.content);
  }

  /**
   * Says what a kernel's comm does.
   * @param {string} comm
   * @param {object} content
   */
  say(comm, content) {
    const data = { comm_id: comm, data: { method: "custom", content } };
    this.onmessage?.({ data: packed([{ msg_type: "comm_msg" }, {}, {}, data]) });
  }
}

/** @param {object[]} parts */
function packed(parts) {
  const encoder = new TextEncoder();
  const all = ["shell", ...parts.map((part) => JSON.stringify(part))].map((text) => encoder.encode(text));
  const offsets = [8 * (all.length + 2)];
  for (const part of all) offsets.push(/** @type {number} */ (offsets.at(-1)) + part.length);
  const message = new Uint8Array(/** @type {number} */ (offsets.at(-1)));
  const view = new DataView(message.buffer);
  for (const [at, n] of [offsets.length, ...offsets].entries()) view.setBigUint64(8 * at, BigInt(n), true);
  for (const [at, part] of all.entries()) message.set(part, offsets[at]);
  return message.buffer;
}

export const page = Object.assign(new EventTarget(), { hidden: false });
const happenings = new EventTarget();

/** Something happens to the window. @param {string} kind */
export const happen = (kind) => happenings.dispatchEvent(new Event(kind));

Object.assign(globalThis, {
  WebSocket: Socket,
  document: page,
  addEventListener: happenings.addEventListener.bind(happenings),
});
