// The page on the visitor's own device: nothing of a photo leaves it.
// In: what the build wrote of the model into the document; out: a page with that model.

/** @import { Described } from "./messages.d.ts" */
import { showPage } from "../page/page.js";
import { PhotoReader } from "../page/reader.js";
import { translate } from "../page/translate.js";
import { Visit } from "../page/visit.js";
import { say } from "../page/words.js";
import { WorkerAsker } from "./asker.js";
import { lacking } from "./errors.js";

const base = new URL(".", location.href).href;
/** @type {Described} */
const model = JSON.parse(/** @type {HTMLElement} */ (document.querySelector("#model")).textContent);
const el = /** @type {HTMLElement} */ (document.querySelector(".voilearn-page"));

/** @param {string} name */
const beside = (name) => new URL(name, import.meta.url);
const reader = new PhotoReader(() => new Worker(beside("photo_worker.js")));
const asker = new WorkerAsker(model, reader, {
  start: () => new Worker(beside("worker.js"), { type: "module" }),
  base,
});
const visit = new Visit(asker, {
  read: async (file, wanted, show) => {
    if (asker.hopeless) throw asker.hopeless; // to wait would be in vain
    return reader.read(file, wanted, show);
  },
});
asker.addEventListener("kept", () => worksOffline().catch(console.error)); // it answers all the same
const lack = lacking();
if (lack) asker.break(lack);
else asker.begin();
document.querySelector(".voilearn-late")?.remove();
translate(/** @type {HTMLElement} */ (document.querySelector("header"))); // a title that is ours
document.title = document.querySelector("h1")?.textContent ?? "";
showPage(el, visit, { everywhere: true, privacy: "onDevice" });
reader.prepare();

/** Once the large files are kept, the service worker keeps the small ones. */
async function worksOffline() {
  const workers = keeper();
  if (!workers) return;
  await workers.register(new URL("sw.js", base));
  await workers.ready;
  const note = document.createElement("span");
  Object.assign(note, { className: "voilearn-offline", textContent: say("offline") });
  if (!el.querySelector(".voilearn-offline")) el.querySelector(".voilearn-privacy")?.append(" ", note);
}

/** What keeps the page for a visit without a network, where there is that. */
function keeper() {
  try {
    return navigator.serviceWorker; // none on plain http
  } catch {
    return undefined; // a frame that may keep nothing
  }
}
