// Gets the model ready and answers photos, off the page's own thread.
// In: {kind: "start", model, base, reload, served} once, then {kind: "photo", number, file} each time;
// out: {kind, …} of downloading, starting, ready, kept, read, answer, refused, failed.

import { addressOf, getFile, isKept, keepFiles } from "./download.js";
import { inWords, PageError } from "./errors.js";
import { readPhoto } from "./photo.js";

let size; // of the longest side that the model resizes photos to
let newest = 0; // number of the photo that was chosen last
let ready; // promises {ort, session}
let turn = Promise.resolve(); // one photo after the other

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

const tell = (kind, facts, transfer) => self.postMessage({ kind, ...facts }, transfer ?? []);

function fail(error) {
  const { message, retry } = inWords(error);
  tell("failed", { sentence: message, retry });
}

async function start({ model, base, reload, served }) {
  const { network, runtime } = model.files;
  const total = network.packed + runtime.packed;
  let loaded = 0;
  const progressed = (bytes) => tell("downloading", { loaded: (loaded += bytes), total });
  const get = (file) => getFile(file, { base, reload, progressed });
  // `served`: a service worker answers for the page. What it serves, the browser compiles as it
  // comes, and keeps compiled once it has run often; bytes are compiled anew at each visit.
  const binary = (async () =>
    served && !reload && (await isKept(runtime, base)) ? addressOf(runtime, base) : get(runtime))();
  const [weights, ort] = await Promise.all([
    get(network),
    Promise.all([import("./ort.js").catch(noRuntime), binary]).then(startRuntime),
  ]);
  tell("starting");
  const session = await createSession(ort, weights);
  tell("ready");
  const bytes = await binary;
  const got = [[network, weights]];
  if (typeof bytes !== "string") got.push([runtime, bytes]); // else it is kept already
  keep(got, base);
  return { ort, session };
}

function noRuntime() {
  throw new PageError(
    "The runtime that runs the model is missing on the server. Please try again later; whoever " +
      "runs this page can put it back with: make web",
  );
}

// Compiles the runtime while the model is still on its way. There is no call for that, but a
// session of nothing starts it and then fails.
async function startRuntime([ort, binary]) {
  ort.env.logLevel = "fatal";
  ort.env.wasm.numThreads = 1; // more need a page that is isolated from other origins
  if (typeof binary === "string") ort.env.wasm.wasmPaths = { wasm: binary };
  else ort.env.wasm.wasmBinary = binary.buffer;
  await ort.InferenceSession.create(new Uint8Array(0)).catch(() => {});
  ort.env.wasm.wasmBinary = undefined;
  return ort;
}

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
    if (/memory/.test(told.message)) throw told;
    throw new PageError(
      "The model can't be started in this browser. Whoever runs this page can compile it anew " +
        "with: make web",
    );
  }
}

// Waits for the photos that came first: writing takes the time of an answer.
function keep(files, base) {
  turn = turn.then(async () => {
    if (await keepFiles(files, base)) tell("kept");
  });
}

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

function refuse(number, error) {
  const told = inWords(error);
  if (told instanceof PageError) throw told;
  tell("refused", { number, type: told.type, message: told.message });
}

async function predict({ ort, session }, { data, width, height }) {
  const photo = new ort.Tensor("uint8", data, [height, width, 3]);
  const { probabilities } = await session.run({ photo });
  const numbers = Array.from(await probabilities.getData());
  photo.dispose();
  probabilities.dispose();
  return numbers;
}

const now = () => performance.now() / 1000;
