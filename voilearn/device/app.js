// The page: choose a photo, read the answer. Nothing of the photo leaves the device.
// In: the model's description, which the build wrote into the page; out: sentences and bars.

/**
 * @import { Classes } from "../page/types.d.ts"
 * @import { News, Order, Start } from "./messages.d.ts"
 * @import { Model } from "./prediction.js"
 */
import { descriptionOf, sentenceOf, showBars } from "../page/answer.js";
import { listenForPhotos } from "../page/choosing.js";
import { inWords, PageError, tooOld } from "./errors.js";
import { predictFrom } from "./prediction.js";
import { language, say, sayError, translate } from "../page/words.js";

/** @template {HTMLElement} [E=HTMLElement] @param {string} selector */
const find = (selector) => /** @type {E} */ (document.querySelector(selector));
const page = find(".voilearn-page");
/** @type {Model & Start["model"] & { settings: { classes: Classes } }} */
const model = JSON.parse(find("#model").textContent);
const { classes } = model.settings; // the author's words for them
const base = new URL(".", location.href).href;

/** @type {Worker | undefined} */
let worker;
let number = 0; // of the photo that was chosen last
/** @type {File | undefined} */
let photo; // that photo, until it is answered
/** @type {number | undefined} */
let step; // of the download, in tenths, that the status line told last
let state = "Starting…"; // of the model; "" when it is ready
let refused = false; // the photo that was chosen last, and its sentence stays till the next

/** @type {({ [Kind in keyof News]: (facts: News[Kind]) => void })} */
const news = {
  downloading({ loaded, total }) {
    const done = Math.min(1, loaded / total);
    find(".voilearn-sending").hidden = false;
    /** @type {HTMLProgressElement} */
    const progress = find("#progress");
    progress.value = done;
    if (step === (step = Math.floor(10 * done))) return; // a screen reader reads each aloud
    tellState(`Downloading the model: ${megabytes(done * total)} of ${megabytes(total)} MB.`);
  },
  starting() {
    find(".voilearn-sending").hidden = true;
    tellState("Starting the model…");
  },
  ready() {
    find(".voilearn-sending").hidden = true;
    state = "";
    if (photo) tell("busy", say("looking"), language);
    else if (!refused) tell("busy", "Ready. Choose a photo.");
  },
  kept() {
    worksOffline().catch(console.error); // the page answers all the same
  },
  read({ preview }) {
    show(preview);
    if (!state) tell("busy", say("looking"), language);
  },
  answer({ probabilities, seconds }) {
    photo = undefined;
    const prediction = predictFrom(probabilities, model);
    tell("answer", sentenceOf(prediction, classes), language);
    find(".voilearn-description").textContent = descriptionOf(prediction, classes);
    showBars(find(".voilearn-bars"), find(".voilearn-more"), prediction, classes);
    note(`Answered in ${seconds.toFixed(seconds < 10 ? 1 : 0)} s, on this device.`);
  },
  refused(error) {
    photo = undefined;
    refused = true;
    find(".voilearn-preview").hidden = true; // there will be none
    tell("error", sayError(error), language);
  },
  failed({ sentence, retry }) {
    worker?.terminate();
    worker = undefined;
    find(".voilearn-sending").hidden = true;
    find("#again").hidden = !retry;
    state = sentence;
    tell("error", sentence);
  },
};

function begin({ reload = false } = {}) {
  find("#again").hidden = true;
  step = undefined;
  tellState("Starting…");
  worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data: { kind, ...facts } }) => hear(kind, facts);
  worker.onerror = (event) => {
    event.preventDefault();
    news.failed({
      sentence: "A part of this page is missing or could not run. Please reload the page.",
      retry: true,
    });
  };
  const served = Boolean(navigator.serviceWorker?.controller);
  ask({ kind: "start", model, base, reload, served });
  if (photo) ask({ kind: "photo", number, file: photo });
}

/** @param {Order} order */
function ask(order) {
  worker?.postMessage(order);
}

/**
 * News of a photo that is no longer the newest are of no interest.
 * @template {keyof News} Kind
 * @param {Kind} kind
 * @param {News[Kind]} facts
 */
function hear(kind, facts) {
  if ("number" in facts && facts.number !== number) return;
  try {
    news[kind](facts);
  } catch (error) {
    const told = inWords(error);
    news.failed({ sentence: told.message, retry: told instanceof PageError && told.retry });
  }
}

/** @param {File} file */
function take(file) {
  number += 1;
  photo = file;
  refused = false;
  show(undefined);
  note("");
  find(".voilearn-upload").classList.add("voilearn-small");
  find(".voilearn-preview").hidden = false;
  if (!worker) return tell("error", state); // the page can't answer; the photo waits for Try again
  if (state) tell("busy", waiting());
  else tell("busy", say("reading"), language);
  ask({ kind: "photo", number, file });
}

/** @param {string} sentence */
function tellState(sentence) {
  state = sentence;
  if (!refused) tell("busy", photo ? waiting() : sentence);
}

const waiting = () => `Your photo waits for the model. ${state}`;

/** @param {ImageBitmap} [preview] */
function show(preview) {
  /** @type {HTMLCanvasElement} */
  const canvas = find("#preview");
  canvas.hidden = !preview;
  canvas.width = preview?.width ?? 0;
  canvas.height = preview?.height ?? 0;
  if (preview) canvas.getContext("bitmaprenderer")?.transferFromImageBitmap(preview);
}

/** @param {string} sentence */
function note(sentence) {
  find("#note").textContent = sentence;
}

/**
 * Says what goes on, in the place of an older answer. This page's own sentences are English.
 * @param {"busy" | "answer" | "error"} kind
 * @param {string} sentence
 * @param {string} [lang]
 */
function tell(kind, sentence, lang = "en") {
  Object.assign(find(".voilearn-status"), { className: `voilearn-status voilearn-${kind}`, lang });
  find(".voilearn-status").textContent = sentence;
  find(".voilearn-description").textContent = "";
  find(".voilearn-bars").replaceChildren();
  find(".voilearn-more").hidden = true;
}

// Once the large files are kept, the service worker keeps the small ones.
async function worksOffline() {
  if (!navigator.serviceWorker) return; // plain http
  await navigator.serviceWorker.register(new URL("sw.js", base));
  await navigator.serviceWorker.ready;
  find("#offline").hidden = false;
}

/** @param {number} bytes */
function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1);
}

page.lang = language; // what stays English says so
translate(page);
find("#again button").addEventListener("click", () => begin({ reload: true }));
const sentence = tooOld();
if (sentence) news.failed({ sentence, retry: false });
else begin();
listenForPhotos(page, true, ([file]) => take(file));
