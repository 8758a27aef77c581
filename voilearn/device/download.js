// Gets one of the large files: the model, the runtime, the decoder of HEIC photos.
// In: its name, sizes and hash, as the build wrote them; out: its bytes, unpacked and checked.
//
// Checked, then kept: a broken download never is. They are kept here, unpacked, and not by the service
// worker, so that a first visit downloads nothing twice. A host that unpacks on the way
// (Content-Encoding) is noticed by the missing magic of gzip.

import { PageError } from "./errors.js";

/** @import { Large } from "../page/types.d.ts" */

/**
 * Resolves to the bytes kept by an earlier visit, or those the server sends. Throws PageError if
 * the file is missing, damaged or out of reach.
 * @param {Large} file
 * @param {object} options
 * @param {string} options.base  the address of the page's folder
 * @param {boolean} options.reload  ask the server, and not the browser's cache
 * @param {(bytes: number) => void} options.progressed  told how many bytes came
 */
export async function getFile(file, { base, reload, progressed }) {
  const kept = await fromEarlierVisit(file, base);
  if (kept) return kept;
  const bytes = await unpack(await ask(file, base, reload), file, progressed);
  if (!(await isRight(bytes, file))) throw damaged(file);
  return bytes;
}

/**
 * Keeps files for the next visit, unpacked; resolves to whether the browser lets us.
 * @param {[Large, Uint8Array<ArrayBuffer>][]} files
 * @param {string} base
 */
export async function keepFiles(files, base) {
  try {
    const cache = await caches.open(cacheName(base));
    for (const [file, bytes] of files) {
      if (await isKept(file, base)) continue;
      const type = file.name.endsWith(".wasm") ? "application/wasm" : "application/octet-stream";
      const headers = { "Content-Type": type };
      await cache.put(addressOf(file, base), new Response(bytes, { headers }));
    }
    return true;
  } catch {
    return false; // no room, a private window, or plain http
  }
}

/** @param {Large} file @param {string} base */
export async function isKept(file, base) {
  try {
    const cache = await caches.open(cacheName(base));
    return Boolean(await cache.match(addressOf(file, base)));
  } catch {
    return false; // plain http, or a browser that keeps nothing
  }
}

/**
 * Where a file is kept; the server has it packed, under this name and ".gz".
 * @param {Large} file
 * @param {string} base
 */
function addressOf(file, base) {
  return new URL(file.name, base).href;
}

// The service worker uses the same name.
/** @param {string} base */
const cacheName = (base) => `${base} large`;

/** @param {Large} file @param {string} base */
async function fromEarlierVisit(file, base) {
  try {
    const cache = await caches.open(cacheName(base));
    const response = await cache.match(addressOf(file, base));
    const bytes = response && new Uint8Array(await response.arrayBuffer());
    return bytes?.length === file.bytes ? bytes : undefined; // it was checked before it was kept
  } catch {
    return undefined;
  }
}

/** @param {Large} file @param {string} base @param {boolean} reload */
async function ask(file, base, reload) {
  const address = `${addressOf(file, base)}.gz`;
  const response = await fetch(address, { cache: reload ? "reload" : "default" }).catch(() => {
    throw outOfReach(file);
  });
  if (response.ok) return response;
  throw new PageError("missing", { what: file.what, values: { status: response.status } });
}

/** @param {Response} response @param {Large} file @param {(bytes: number) => void} progressed */
async function unpack(response, file, progressed) {
  const reader = /** @type {NonNullable<typeof response.body>} */ (response.body).getReader();
  const next = () =>
    reader.read().catch(() => {
      throw outOfReach(file);
    });
  const bytes = new Uint8Array(file.bytes);
  let at = 0;
  /** @param {Uint8Array} piece */
  const put = (piece) => {
    bytes.set(piece, at); // raises RangeError if more comes than the file has
    at += piece.length;
  };
  let { value } = await next();
  // A server may have said that it is gzip, and the browser has unpacked it then.
  const packed = value?.[0] === 0x1f && value[1] === 0x8b;
  const sink = packed ? gunzipTo(put) : { write: put, close() {} };
  try {
    for (; value; { value } = await next()) {
      progressed(value.length);
      await sink.write(value);
    }
    await sink.close();
  } catch (error) {
    reader.cancel().catch(() => {});
    throw error instanceof PageError ? error : damaged(file);
  }
  if (at !== bytes.length) throw damaged(file);
  return bytes;
}

/**
 * Returns where to write what is packed; its own checksum is checked on the way.
 * @param {(piece: Uint8Array) => void} put
 */
function gunzipTo(put) {
  const { readable, writable } = new DecompressionStream("gzip");
  const writer = writable.getWriter();
  const emptied = readable.pipeTo(new WritableStream({ write: put }));
  emptied.catch(() => {}); // told by write or close
  return {
    write: (/** @type {Uint8Array<ArrayBuffer>} */ piece) => writer.write(piece),
    close: async () => {
      await writer.close();
      await emptied;
    },
  };
}

/**
 * On plain http a browser has no crypto.subtle; gzip's checksum has to do.
 * @param {Uint8Array<ArrayBuffer>} bytes
 * @param {Large} file
 */
async function isRight(bytes, file) {
  if (bytes.length !== file.bytes) return false;
  if (!globalThis.crypto?.subtle) return true;
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("") === file.sha256;
}

/** @param {Large} file */
function outOfReach({ what }) {
  return new PageError("outOfReach", { what });
}

/** @param {Large} file */
function damaged({ what }) {
  return new PageError("brokenFile", { what });
}
