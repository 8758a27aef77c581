// Gets the model ready and answers photos, off the page's own thread.
// In: an Order to start, once, then one for each photo's pixels; out: News.

/**
 * @import { Large } from "../page/types.d.ts"
 * @import { News, Numbered, Order, Start } from "./messages.d.ts"
 * @import { InferenceSession } from "./ort.js"
 * @import { Pixels } from "../page/reduce.js"
 * @import { Outputs } from "./scope.js"
 * @typedef {typeof import("./ort.js")} Runtime
 * @typedef {[file: Large, bytes: Uint8Array<ArrayBuffer>]} Got
 * @typedef {({ ort: Runtime, session: InferenceSession, got: Got[], base: string, isLean: boolean })} Ready
 */
import { getFile, isKept, keepFiles } from "./download.js";
import { inWords, PageError } from "./errors.js";

const script = import("./ort.js"); // while the page still says what to get
script.catch(() => {}); // told where it is waited for
/** @type {Promise<Ready>} */
let ready;
let turn = Promise.resolve(); // one photo after the other
/** @type {Set<number>} */
const givenUp = new Set(); // numbers of photos

/** @param {MessageEvent<Order>} event */
self.onmessage = ({ data }) => {
  if (data.kind === "start") {
    ready = start(data);
    ready.catch(fail);
  } else if (data.kind === "cancel") {
    givenUp.add(data.number);
  } else {
    const work = data.kind === "photo" ? () => answer(data) : keep;
    turn = turn.then(work).catch(fail);
  }
};

/** @type {<Kind extends keyof News>(kind: Kind, facts: News[Kind]) => void} */
const tell = (kind, facts) => self.postMessage({ kind, ...facts });

/** Something failed, and it may be for what was left out of the runtime. */
class Lacking extends Error {}

/** @param {unknown} error */
function fail(error) {
  if (error instanceof Lacking) return tell("lacking", {});
  const { key, values, what, retry } = inWords(error);
  tell("failed", { key, values, what, retry });
}

/**
 * @param {Start} order
 * @returns {Promise<Ready>}
 */
async function start({ files, narrow, joined, base, reload, lacked }) {
  const { network, whole } = files;
  const isLean = whole !== undefined && !lacked && !(await isKept(whole, base));
  const runtime = isLean ? files.runtime : (whole ?? files.runtime);
  const total = network.packed + runtime.packed;
  let loaded = 0;
  /** @param {number} bytes */
  const progressed = (bytes) => tell("downloading", { loaded: (loaded += bytes), total });
  /** @param {Large} file */
  const get = (file) => getFile(file, { base, reload, progressed });
  const binary = get(runtime);
  const [weights, ort] = await Promise.all([
    get(network),
    Promise.all([script.catch(noRuntime), binary]).then(startRuntime),
  ]);
  tell("starting", {});
  /** @type {Got[]} */
  const got = [
    [network, weights],
    [runtime, await binary],
  ];
  const session = await createSession(ort, weights, { narrow, joined }).catch(async (error) => {
    throw isLean ? await lack(got, base) : error;
  });
  tell("ready", {});
  return { ort, session, got, base, isLean };
}

/** @returns {never} */
function noRuntime() {
  throw new PageError("noRuntime");
}

/**
 * Compiles the runtime while the model is still on its way. There is no call for that, but a
 * session of nothing starts it and then fails.
 * @param {[Runtime, Uint8Array<ArrayBuffer>]} parts
 */
async function startRuntime([ort, binary]) {
  ort.env.logLevel = "fatal";
  ort.env.wasm.numThreads = 1; // more need a page that is isolated from other origins
  ort.env.wasm.wasmBinary = binary.buffer;
  await ort.InferenceSession.create(new Uint8Array(0)).catch(() => {});
  ort.env.wasm.wasmBinary = undefined;
  return ort;
}

/** @param {Runtime} ort @param {Uint8Array} weights @param {Pick<Start, "narrow" | "joined">} model */
async function createSession(ort, weights, { narrow, joined }) {
  const left = narrow ? "basic" : "disabled"; // what is left to do where the layers are joined
  try {
    return await ort.InferenceSession.create(weights, {
      graphOptimizationLevel: joined ? left : "all",
      executionProviders: ["wasm"],
      // Narrow weights are widened now, and not for each photo; else nothing is left to fold.
      extra: narrow
        ? { session: { disable_quant_qdq: "1" } }
        : { optimization: { disable_specified_optimizers: "ConstantFolding" } },
    });
  } catch (error) {
    const told = inWords(error);
    throw told.key === "noMemory" ? told : new PageError("noStart");
  }
}

/**
 * Returns the error, once the model is kept: it need not be downloaded anew.
 * @param {Got[]} got  the model first, where it is not kept yet
 * @param {string} base
 */
async function lack(got, base) {
  await keepFiles(got.slice(0, 1), base);
  return new Lacking();
}

/** Keeps for the next visit what came, and lets go of it. */
async function keep() {
  const model = await ready;
  if (await keepFiles(model.got, model.base)) tell("kept", {});
  model.got = [];
}

/** @param {Numbered} photo */
async function answer({ number, pixels }) {
  const model = await ready.catch(() => undefined); // that it failed is told
  await new Promise((resolve) => setTimeout(resolve)); // else what came meanwhile is not heard
  if (!model || givenUp.has(number)) return;
  try {
    tell("answer", { number, outputs: await predict(model, pixels) });
  } catch (error) {
    if (model.isLean) return fail(await lack(model.got, model.base));
    const { key, values } = inWords(error);
    tell("unanswered", { number, key, values });
  }
}

/**
 * @param {Ready} model
 * @param {Pixels} pixels
 * @returns {Promise<Outputs>}
 */
async function predict({ ort, session }, { data, width, height }) {
  const photo = new ort.Tensor("uint8", data, [height, width, 3]);
  const given = Object.entries(await session.run({ photo }));
  const numbers = given.map(async ([name, tensor]) => {
    const list = Array.from(await tensor.getData(), Number);
    tensor.dispose();
    return [name, list];
  });
  photo.dispose();
  return Object.fromEntries(await Promise.all(numbers));
}
