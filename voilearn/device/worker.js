// Gets the model ready and answers photos, off the page's own thread.
// In: an Order to start, once, then one for each photo; out: News.

/**
 * @import { Large } from "./download.js"
 * @import { News, Numbered, Order, Start } from "./messages.d.ts"
 * @import { InferenceSession } from "./ort.js"
 * @import { Pixels } from "./reduce.js"
 * @typedef {typeof import("./ort.js")} Runtime
 * @typedef {({ ort: Runtime, session: InferenceSession })} Ready
 */
import { addressOf, getFile, isKept, keepFiles } from "./download.js";
import { inWords, PageError } from "./errors.js";
import { readPhoto } from "./photo.js";

/** @type {number | null} */
let size; // of the longest side that the model resizes photos to
let newest = 0; // number of the photo that was chosen last
/** @type {Promise<Ready>} */
let ready;
let turn = Promise.resolve(); // one photo after the other

/** @param {MessageEvent<Order>} event */
self.onmessage = ({ data }) => {
  if (data.kind === "start") {
    size = data.model.size;
    ready = start(data);
    ready.catch(fail);
  } else {
    newest = data.number;
    turn = turn.then(() => answer(data).catch(fail));
  }
};

/** @type {<Kind extends keyof News>(kind: Kind, facts: News[Kind], transfer?: Transferable[]) => void} */
const tell = (kind, facts, transfer) => self.postMessage({ kind, ...facts }, transfer ?? []);

/** @param {unknown} error */
function fail(error) {
  const told = inWords(error);
  const { key, values } = told;
  const { what, retry = false } = told instanceof PageError ? told : {};
  tell("failed", { key, values, what, retry });
}

/**
 * @param {Start} order
 * @returns {Promise<Ready>}
 */
async function start({ model, base, reload, served }) {
  const { network, runtime } = model.files;
  const total = network.packed + runtime.packed;
  let loaded = 0;
  /** @param {number} bytes */
  const progressed = (bytes) => tell("downloading", { loaded: (loaded += bytes), total });
  /** @param {Large} file */
  const get = (file) => getFile(file, { base, reload, progressed });
  // `served`: a service worker answers for the page. What it serves, the browser compiles as it
  // comes, and keeps compiled once it has run often; bytes are compiled anew at each visit.
  const binary = (async () =>
    served && !reload && (await isKept(runtime, base)) ? addressOf(runtime, base) : get(runtime))();
  const [weights, ort] = await Promise.all([
    get(network),
    Promise.all([import("./ort.js").catch(noRuntime), binary]).then(startRuntime),
  ]);
  tell("starting", {});
  const session = await createSession(ort, weights);
  tell("ready", {});
  const bytes = await binary;
  /** @type {[Large, Uint8Array<ArrayBuffer>][]} */
  const got = [[network, weights]];
  if (typeof bytes !== "string") got.push([runtime, bytes]); // else it is kept already
  keep(got, base);
  return { ort, session };
}

/** @returns {never} */
function noRuntime() {
  throw new PageError("noRuntime");
}

/**
 * Compiles the runtime while the model is still on its way. There is no call for that, but a
 * session of nothing starts it and then fails.
 * @param {[Runtime, string | Uint8Array<ArrayBuffer>]} parts
 */
async function startRuntime([ort, binary]) {
  ort.env.logLevel = "fatal";
  ort.env.wasm.numThreads = 1; // more need a page that is isolated from other origins
  if (typeof binary === "string") ort.env.wasm.wasmPaths = { wasm: binary };
  else ort.env.wasm.wasmBinary = binary.buffer;
  await ort.InferenceSession.create(new Uint8Array(0)).catch(() => {});
  ort.env.wasm.wasmBinary = undefined;
  return ort;
}

/** @param {Runtime} ort @param {Uint8Array} weights */
async function createSession(ort, weights) {
  try {
    return await ort.InferenceSession.create(weights, {
      graphOptimizationLevel: "all",
      executionProviders: ["wasm"],
      // the compiled graph has no constants left to fold
      extra: { optimization: { disable_specified_optimizers: "ConstantFolding" } },
    });
  } catch (error) {
    const told = inWords(error);
    throw told.key === "noMemory" ? told : new PageError("noStart");
  }
}

/**
 * Waits for the photos that came first: writing takes the time of an answer.
 * @param {[Large, Uint8Array<ArrayBuffer>][]} files
 * @param {string} base
 */
function keep(files, base) {
  turn = turn.then(async () => {
    if (await keepFiles(files, base)) tell("kept", {});
  });
}

/** @param {Numbered} photo */
async function answer({ number, file }) {
  if (number !== newest) return;
  let seconds = -now();
  const photo = await readPhoto(file, size).catch((error) => refuse(number, error));
  seconds += now();
  if (!photo || number !== newest) return;
  tell("read", { number, preview: photo.preview }, [photo.preview]);
  const model = await ready.catch(() => undefined); // that it failed is told
  if (!model || number !== newest) return;
  seconds -= now();
  const probabilities = await predict(model, photo.pixels);
  seconds += now();
  tell("answer", { number, probabilities, seconds });
}

/** @param {number} number @param {unknown} error */
function refuse(number, error) {
  const told = inWords(error);
  if (told instanceof PageError) throw told;
  const { type, key, values } = told;
  tell("refused", { number, type, key, values });
}

/** @param {Ready} model @param {Pixels} pixels */
async function predict({ ort, session }, { data, width, height }) {
  const photo = new ort.Tensor("uint8", data, [height, width, 3]);
  const { probabilities } = await session.run({ photo });
  const numbers = Array.from(await probabilities.getData(), Number);
  photo.dispose();
  probabilities.dispose();
  return numbers;
}

const now = () => performance.now() / 1000;
