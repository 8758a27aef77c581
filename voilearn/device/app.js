// The page: choose a photo, read the answer. Nothing of the photo leaves the device.
// In: the model's description, which the build wrote into the page; out: sentences and bars.

/**
 * @import { Classes } from "../page/types.d.ts"
 * @import { News, Order, Start } from "./messages.d.ts"
 * @import { Model } from "./prediction.js"
 */
import { bringIntoSight, descriptionOf, sentenceOf, showBars } from "../page/answer.js";
import { listenForPhotos } from "../page/choosing.js";
import { inWords, lacking, PageError } from "./errors.js";
import { predictFrom } from "./prediction.js";
import { translate } from "../page/translate.js";
import { language, say } from "../page/words.js";

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
let refused = false; // it was
let others = ""; // what is said of those chosen with it
/** @type {number | undefined} */
let step; // of the download, in tenths, that the status line told last
let state = say("starting"); // of the model; "" when it is ready

/** @type {({ [Kind in keyof News]: (facts: News[Kind]) => void })} */
const news = {
  downloading({ loaded, total }) {
    const done = Math.min(1, loaded / total);
    find(".voilearn-sending").hidden = false;
    /** @type {HTMLProgressElement} */
    const progress = find("#progress");
    progress.value = done;
    if (step === (step = Math.floor(10 * done))) return; // a screen reader reads each aloud
    tellState(say("downloading", { loaded: megabytes(done * total), total: megabytes(total) }));
  },
  starting() {
    find(".voilearn-sending").hidden = true;
    tellState(say("startingModel"));
  },
  ready() {
    find(".voilearn-sending").hidden = true;
    state = "";
    if (!refused) tell("busy", say(photo ? "looking" : "ready"));
  },
  kept() {
    worksOffline().catch(console.error); // the page answers all the same
  },
  read({ preview }) {
    show(preview);
    if (!state) tell("busy", say("looking"));
  },
  answer({ probabilities, seconds }) {
    photo = undefined;
    const prediction = predictFrom(probabilities, model);
    tell("answer", sentenceOf(prediction, classes));
    find(".voilearn-description").textContent = descriptionOf(prediction, classes);
    showBars(find(".voilearn-bars"), find(".voilearn-more"), prediction, classes);
    note(say("seconds", { seconds: seconds.toFixed(seconds < 10 ? 1 : 0) }));
  },
  refused({ key, values }) {
    photo = undefined;
    refused = true;
    find(".voilearn-preview").hidden = true; // there will be none
    tell("error", say(key, values));
  },
  failed({ key, values, what, retry }) {
    worker?.terminate();
    worker = undefined;
    find(".voilearn-sending").hidden = true;
    find("#again").hidden = !retry;
    state = say(key, what ? { ...values, what: say(what) } : values);
    tell("error", state);
  },
};

function begin({ reload = false } = {}) {
  find("#again").hidden = true;
  step = undefined;
  tellState(say("starting"));
  try {
    worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  } catch {
    return news.failed(new PageError("noWorker", { retry: false })); // as in a frame without an origin
  }
  worker.onmessage = ({ data: { kind, ...facts } }) => hear(kind, facts);
  worker.onerror = (event) => {
    event.preventDefault();
    news.failed(new PageError("noPart"));
  };
  ask({ kind: "start", model, base, reload, served: Boolean(keeper()?.controller) });
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
    news.failed({ ...told, retry: told instanceof PageError && told.retry });
  }
}

/** @param {File[]} files */
function take(files) {
  const [file] = files;
  number += 1;
  photo = file;
  refused = false;
  others = files.length > 1 ? say("onlyFirst", { count: files.length }) : "";
  show(undefined);
  note("");
  find(".voilearn-upload").classList.add("voilearn-small");
  find(".voilearn-preview").hidden = false;
  look();
  if (!worker) return tell("error", state); // the page can't answer; the photo waits for Try again
  if (state) tell("busy", waiting());
  else tell("busy", say("reading"));
  ask({ kind: "photo", number, file });
}

/** @param {string} sentence */
function tellState(sentence) {
  state = sentence;
  if (!refused) tell("busy", photo ? waiting() : sentence);
}

const waiting = () => say("waits", { state });

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
  find("#note").textContent = `${sentence} ${others}`.trim();
}

/**
 * Says what goes on, in the place of an older answer.
 * @param {"busy" | "answer" | "error"} kind
 * @param {string} sentence
 */
function tell(kind, sentence) {
  find(".voilearn-status").className = `voilearn-status voilearn-${kind}`;
  find(".voilearn-status").textContent = sentence;
  find(".voilearn-description").textContent = "";
  find(".voilearn-bars").replaceChildren();
  find(".voilearn-more").hidden = true;
  if (kind !== "busy") look();
}

function look() {
  bringIntoSight(find(".voilearn-result"), find(".voilearn-status"));
}

// Once the large files are kept, the service worker keeps the small ones.
async function worksOffline() {
  const workers = keeper();
  if (!workers) return;
  await workers.register(new URL("sw.js", base));
  await workers.ready;
  find("#offline").hidden = false;
}

/** What keeps the page for a visit without a network, where there is that. */
function keeper() {
  try {
    return navigator.serviceWorker; // none on plain http
  } catch {
    return undefined; // a frame that may keep nothing
  }
}

/** @param {number} bytes */
function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1);
}

document.documentElement.lang = language;
find(".voilearn-late").remove();
translate(page);
find("#again button").addEventListener("click", () => begin({ reload: true }));
const lack = lacking();
if (lack) news.failed(lack);
else begin();
listenForPhotos(page, true, take);
