// The page: choose a photo, read the answer. Nothing of the photo leaves the device.
// In: the model's description, which the build wrote into the page; out: sentences and bars.

import { listenForPhotos } from "./choosing.js";
import { inWords, tooOld } from "./errors.js";
import answerPanel from "./page.js";
import { barsOf, predictFrom, sentenceOf } from "./prediction.js";

const FEW = 5; // bars that are shown at once
const find = (id) => document.getElementById(id);
const model = JSON.parse(find("model").textContent);
const base = new URL(".", location.href).href;
const say = answerIn(find("answer"));

let worker;
let number = 0; // of the photo that was chosen last
let photo; // that photo, until it is answered
let step; // of the download, in tenths, that the status line told last
let state = "Starting…"; // of the model; "" when it is ready

const news = {
  downloading({ loaded, total }) {
    const done = Math.min(1, loaded / total);
    find("progress").hidden = false;
    find("progress").value = done;
    if (step === (step = Math.floor(10 * done))) return; // a screen reader reads each aloud
    tellState(`Downloading the model: ${megabytes(done * total)} of ${megabytes(total)} MB.`);
  },
  starting() {
    find("progress").hidden = true;
    tellState("Starting the model…");
  },
  ready() {
    find("progress").hidden = true;
    state = "";
    say("busy", photo ? "Looking at the photo…" : "Ready. Choose a photo.");
  },
  kept() {
    worksOffline().catch(console.error); // the page answers all the same
  },
  read({ preview }) {
    show(preview);
    if (!state) say("busy", "Looking at the photo…");
  },
  answer({ probabilities, seconds }) {
    photo = undefined;
    const prediction = predictFrom(probabilities, model);
    say("answer", sentenceOf(prediction, model), barsOf(prediction));
    note(`Answered in ${seconds.toFixed(seconds < 10 ? 1 : 0)} s, on this device.`);
  },
  refused({ sentence }) {
    photo = undefined;
    say("error", sentence);
  },
  failed({ sentence, retry }) {
    worker?.terminate();
    worker = undefined;
    find("progress").hidden = true;
    find("again").hidden = !retry;
    state = sentence;
    say("error", sentence);
  },
};

function begin({ reload = false } = {}) {
  find("again").hidden = true;
  step = undefined;
  tellState("Starting…");
  worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  worker.onmessage = ({ data }) => hear(data);
  worker.onerror = (event) => {
    event.preventDefault();
    news.failed({
      sentence: "A part of this page is missing or could not run. Please reload the page.",
      retry: true,
    });
  };
  const served = Boolean(navigator.serviceWorker?.controller);
  worker.postMessage({ kind: "start", model, base, reload, served });
  if (photo) worker.postMessage({ kind: "photo", number, file: photo });
}

// News of a photo that is no longer the newest are of no interest.
function hear({ kind, ...facts }) {
  if ("number" in facts && facts.number !== number) return;
  try {
    news[kind](facts);
  } catch (error) {
    const { message, retry } = inWords(error);
    news.failed({ sentence: message, retry });
  }
}

function take(file) {
  number += 1;
  photo = file;
  show(undefined);
  note("");
  if (!worker) return say("error", state); // the page can't answer; the photo waits for Try again
  say("busy", state ? waiting() : "Reading the photo…");
  worker.postMessage({ kind: "photo", number, file });
}

function tellState(sentence) {
  state = sentence;
  say("busy", photo ? waiting() : sentence);
}

const waiting = () => `Your photo waits for the model. ${state}`;

function show(preview) {
  const canvas = find("preview");
  canvas.hidden = !preview;
  canvas.width = preview?.width ?? 0;
  canvas.height = preview?.height ?? 0;
  if (preview) canvas.getContext("bitmaprenderer").transferFromImageBitmap(preview);
}

function note(sentence) {
  find("note").textContent = sentence;
}

// The answer is shown by the script of the notebook's page, which reads it from a widget's model.
function answerIn(el) {
  const values = { sentence: "", kind: "", bars: [] };
  let changed = () => {};
  el.replaceChildren();
  answerPanel.render({ el, model: { get: (name) => values[name], on: (_, f) => (changed = f) } });
  return (kind, sentence, bars = []) => {
    Object.assign(values, { kind, sentence, bars });
    changed();
    fold(bars.length);
  };
}

function fold(bars) {
  const more = find("more");
  more.hidden = bars <= FEW + 1;
  more.textContent = `Show all ${bars}`;
  find("answer").classList.toggle("few", !more.hidden);
}

// Once the large files are kept, the service worker keeps the small ones.
async function worksOffline() {
  if (!navigator.serviceWorker) return; // plain http
  await navigator.serviceWorker.register(new URL("sw.js", base));
  await navigator.serviceWorker.ready;
  find("offline").hidden = false;
}

function megabytes(bytes) {
  return (bytes / 1e6).toFixed(1);
}

find("again").addEventListener("click", () => begin({ reload: true }));
find("more").addEventListener("click", () => {
  find("answer").classList.remove("few");
  find("more").hidden = true;
});
const sentence = tooOld();
if (sentence) news.failed({ sentence, retry: false });
else begin();
listenForPhotos(take);
