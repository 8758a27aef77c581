// The page as the service serves it: it asks its own origin, and keeps nothing but a token.
// In: this document, which tells the author's words; out: the page.

import { showPage } from "../page/page.js";
import { PhotoReader } from "../page/reader.js";
import { translate } from "../page/translate.js";
import { Visit } from "../page/visit.js";
import { HttpAsker } from "./asker.js";
import { fitFrame } from "./framed.js";
import { askForToken, endAsking, Token } from "./token.js";

const el = /** @type {HTMLElement} */ (document.querySelector(".voilearn-page"));
const host = JSON.parse(document.getElementById("voilearn-told")?.textContent ?? "");
const token = new Token(() => asker.unlock());
const asker = new HttpAsker(new URL(".", location.href), host.settings, token);
asker.addEventListener("token", (event) => {
  const { wrong } = /** @type {CustomEvent} */ (event).detail;
  askForToken(el, wrong, (typed) => {
    token.value = typed;
    asker.unlock();
  });
});
for (const kind of ["here", "back", "preparing"]) asker.addEventListener(kind, endAsking);
const reader = new PhotoReader(() => new Worker(new URL(host.worker, import.meta.url)));
document.querySelector(".voilearn-late")?.remove();
translate(/** @type {HTMLElement} */ (document.querySelector("header"))); // a title that is ours
document.title = document.querySelector("h1")?.textContent ?? "";
showPage(el, new Visit(asker, reader), { everywhere: true, privacy: "privacy" });
reader.prepare();
fitFrame();
