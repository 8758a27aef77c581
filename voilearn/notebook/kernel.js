// The page's kernel behind Voilà, over a websocket: what a notebook's front end is for a widget.
// In: where the kernel and the page's comm are; out: what upload needs of an anywidget's model.
// https://jupyter-server.readthedocs.io/en/latest/developers/websocket-protocols.html (v1)

/**
 * @import { Settings } from "../page/types.d.ts"
 * @import { Handler, JupyterMessage } from "./messages.d.ts"
 */

const PROTOCOL = "v1.kernel.websocket.jupyter.org";
const AGAIN = 3000; // milliseconds until the second attempt to have a lost connection back
const OPENS_WITHIN = 4000; // milliseconds, after which a connection is given up for another
const SELDOM = 60_000; // the most between two attempts, each of which waits twice as long

export class Kernel {
  waiting = true; // for the kernel, which is being started
  /** @type {(() => Promise<boolean>) | undefined} */
  reconnect; // whether the page has a kernel again; set by whoever knows how
  /** @type {Settings | undefined} */
  #settings;
  /** @type {Record<string, Handler[]>} */
  #handlers = {};
  /** @type {WebSocket | undefined} */
  #socket;
  #at = { channels: "", comm: "" };
  #session = String(Math.random()).slice(2);
  #count = 0;
  #pause = 0; // milliseconds until the next attempt
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #next; // the timer that ends this attempt to connect, or begins another

  /**
   * Talk to this kernel from now on.
   * @param {string} channels  the address of its websocket
   * @param {string} comm  the id of the page's comm
   * @param {Settings} settings
   */
  connect(channels, comm, settings) {
    const address = new URL(channels);
    address.searchParams.set("session_id", this.#session);
    this.#at = { channels: address.href, comm };
    this.#settings = settings;
    this.#pause = 0;
    this.#tell("change:settings");
    if (!this.waiting) this.#tell("lost"); // what the kernel before was asked, it will not answer
    this.#open();
  }

  /** Nobody answers behind this connection: have another. */
  renew() {
    if (this.#socket) this.#again();
  }

  /** Wait no longer for the next attempt to have a connection. */
  wake() {
    if (this.#at.channels && !this.#socket) this.#open();
  }

  /** Let go of the connection. */
  close() {
    clearTimeout(this.#next);
    const socket = this.#socket;
    this.#socket = undefined;
    if (socket) Object.assign(socket, { onopen: null, onclose: null, onmessage: null }).close();
  }

  /** Say that there will be no kernel. */
  fail() {
    this.#tell("broken");
  }

  get() {
    return this.#settings;
  }

  /** @param {string} name @param {Handler} handler */
  on(name, handler) {
    (this.#handlers[name] ??= []).push(handler);
  }

  /**
   * Returns whether it went to the kernel: what is said without a connection is not kept.
   * @param {object} content
   * @param {undefined} [_callbacks]
   * @param {ArrayBuffer[]} [buffers]
   */
  send(content, _callbacks, buffers = []) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    const header = {
      msg_id: `${this.#session}-${++this.#count}`,
      msg_type: "comm_msg",
      username: "",
      session: this.#session,
      date: new Date().toISOString(),
      version: "5.4",
    };
    const data = { comm_id: this.#at.comm, data: { method: "custom", content } };
    this.#socket.send(pack([header, {}, {}, data], buffers));
    return true;
  }

  #open() {
    this.close();
    const socket = (this.#socket = new WebSocket(this.#at.channels, [PROTOCOL]));
    socket.binaryType = "arraybuffer";
    const lose = () => {
      this.#again();
      this.#tell("lost");
    };
    this.#next = setTimeout(lose, OPENS_WITHIN);
    socket.onopen = () => {
      clearTimeout(this.#next);
      this.waiting = false;
      this.#tell("found");
    };
    socket.onmessage = ({ data }) => this.#hear(unpack(data));
    socket.onclose = lose;
  }

  #again() {
    this.close();
    this.#next = setTimeout(() => this.#open(), this.#pause); // networks come back
    this.#pause = Math.min(this.#pause * 2 || AGAIN, SELDOM);
  }

  /** @param {JupyterMessage} message */
  #hear([header, , , content, ...buffers]) {
    const ours = header.msg_type === "comm_msg" && content.comm_id === this.#at.comm;
    if (ours && content.data?.method === "custom") {
      this.#pause = 0;
      this.#tell("msg:custom", content.data.content, buffers);
    }
    const state = header.msg_type === "status" && content.execution_state;
    if (state === "dead" || state === "restarting") this.#tell("lost"); // and with it our comm
  }

  /** @param {string} name @param {unknown[]} told */
  #tell(name, ...told) {
    for (const handler of this.#handlers[name] ?? []) handler(...told);
  }
}

/**
 * A message is: the number of offsets, the offsets, and the parts between them.
 * @param {object[]} parts
 * @param {ArrayBuffer[]} buffers
 */
function pack(parts, buffers) {
  const encoder = new TextEncoder();
  const texts = parts.map((part) => encoder.encode(JSON.stringify(part)));
  const all = [encoder.encode("shell"), ...texts, ...buffers.map((each) => new Uint8Array(each))];
  let end = 8 * (all.length + 2);
  const offsets = [end];
  for (const part of all) offsets.push((end += part.length));
  const message = new Uint8Array(end);
  const view = new DataView(message.buffer);
  for (const [at, n] of [offsets.length, ...offsets].entries()) view.setBigUint64(8 * at, BigInt(n), true);
  for (const [at, part] of all.entries()) message.set(part, offsets[at]);
  return message;
}

/**
 * @param {ArrayBuffer} data
 * @returns {JupyterMessage}
 */
function unpack(data) {
  const view = new DataView(data);
  /** @param {number} at */
  const number = (at) => Number(view.getBigUint64(8 * at, true));
  /** @param {number} at */
  const part = (at) => data.slice(number(at + 1), number(at + 2));
  const decoder = new TextDecoder();
  const all = Array.from({ length: number(0) - 1 }, (_, at) => part(at)).slice(1); // not the channel
  const [header, parent, metadata, content] = all.slice(0, 4).map((each) => JSON.parse(decoder.decode(each)));
  return [header, parent, metadata, content, ...all.slice(4)];
}
