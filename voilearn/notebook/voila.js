// The page as Voilà serves it: it is drawn at once, and its kernel comes when it comes.
// In: this document, whose end tells where the kernel is; out: a page with that kernel.
//
// Photos, answers and history live in the browser; what is lost is only ever a kernel. To bring that
// back is to ask for the page once more, in the background, and to join the kernel that it names.

/** @import { Settings } from "../page/types.d.ts" */
import { showPage } from "../page/page.js";
import { PhotoReader, workerOf } from "../page/reader.js";
import { translate } from "../page/translate.js";
import { Visit } from "../page/visit.js";
import { KernelAsker } from "./asker.js";
import { Kernel } from "./kernel.js";

// A cookie of a page in another site's frame, which a browser may keep for that site alone.
const IN_A_FRAME = ["samesite=none; secure; partitioned", "samesite=none; secure"];
const STARTS_WITHIN = 60_000; // milliseconds, a kernel with its model

const { base = "/" } = document.documentElement.dataset; // of the server's addresses
const kernel = new Kernel();
/** @type {string | undefined} */
let id; // of the kernel
const ended = new Set(); // ids of kernels before

function begin() {
  token(); // a cookie made as the page is left may come after the goodbye that needs it
  if (adopt(document)) return;
  for (const cell of document.querySelectorAll(".voilearn-cell:has(.voilearn-error)")) {
    translate(/** @type {HTMLElement} */ (cell));
    el.before(cell); // the reason is what is read first
  }
  kernel.fail();
}

/**
 * Join the kernel that a document tells of; return whether it tells of one.
 * @param {Document} page
 */
function adopt(page) {
  const told = page.querySelector("script.voilearn-kernel");
  if (!told) return false;
  const { comm, settings, kernel: kernelId } = JSON.parse(told.textContent);
  id = kernelId;
  const channels = address(`api/kernels/${id}/channels`);
  channels.protocol = channels.protocol.replace("http", "ws");
  introduce(settings);
  kernel.connect(channels.href, comm, settings);
  return true;
}

/**
 * The author's title and introduction, where app.toml has other ones than the notebook.
 * @param {Settings} settings
 */
function introduce({ title, introduction, language }) {
  const [header] = document.getElementsByTagName("header");
  if (language) header.lang = language;
  if (title && title !== header.querySelector("h1")?.textContent) {
    header.replaceChildren(element("h1", (document.title = title)), ...header.querySelectorAll("p"));
  }
  if (!introduction) return;
  for (const old of header.querySelectorAll("p")) old.remove();
  header.append(...introduction.split(/\n\s*\n/).map((words) => element("p", words)));
}

/** @param {string} tag @param {string} textContent */
function element(tag, textContent) {
  return Object.assign(document.createElement(tag), { textContent });
}

// The same page once more, of which only the kernel is of interest: the photos stay here.
kernel.reconnect = async () => {
  const before = id;
  try {
    const answer = await fetch(location.href, {
      cache: "no-store",
      signal: AbortSignal.timeout(STARTS_WITHIN),
    });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    if (answer.ok && adopt(page)) {
      end(before ?? started(document)); // it may be there after all
      return true;
    }
    if (answer.redirected)
      location.reload(); // to log in again
    else if (answer.ok) {
      end(started(page));
      kernel.fail();
    }
  } catch {
    // the server is not there yet
  }
  return false;
};

const { textContent: script } = /** @type {HTMLElement} */ (document.querySelector(".voilearn-photo-worker"));
const reader = new PhotoReader(() => workerOf(script));
const visit = new Visit(new KernelAsker(kernel), reader);
const el = /** @type {HTMLElement} */ (document.querySelector(".voilearn-page"));
showPage(el, visit, { everywhere: true, privacy: "privacy" });
reader.prepare();
if (document.readyState !== "loading") begin();
else document.addEventListener("DOMContentLoaded", begin); // the cells have been run by then

// A visitor who leaves needs no kernel any more, whether or not the browser keeps the page: one who
// comes back to a kept page gets another.
addEventListener("pagehide", () => {
  end(id ?? started(document));
  kernel.close();
});
addEventListener("pageshow", ({ persisted }) => {
  if (persisted) visit.reconnect();
});

/**
 * The kernel that a page's cells run in, or ran in without ending in one of ours.
 * @param {Document} page
 * @returns {string | undefined}
 */
function started(page) {
  const config = page.querySelector("#jupyter-config-data");
  return config ? JSON.parse(config.textContent).kernelId : undefined;
}

/** @param {string} [kernelId] */
function end(kernelId) {
  if (!kernelId || ended.has(kernelId)) return;
  ended.add(kernelId);
  const form = new FormData();
  form.append("_xsrf", token() ?? "");
  navigator.sendBeacon(address(`voila/api/shutdown/${kernelId}`), form);
}

/**
 * Where the server has a path. A token in the page's own address goes with it: in another site's
 * frame there may be no cookie in its place.
 * @param {string} path
 */
function address(path) {
  const found = new URL(`${base}${path}`, location.href);
  const token = new URL(location.href).searchParams.get("token");
  if (token) found.searchParams.set("token", token);
  return found;
}

// A form has to name what stands in this cookie, which only a page of this server can read or set:
// https://www.tornadoweb.org/en/stable/guide/security.html. Voilà's page may come without one.
function token() {
  const found = () => /\b_xsrf=([^;]*)/.exec(document.cookie)?.[1];
  for (const sites of [...(self === top ? [] : IN_A_FRAME), "samesite=strict"]) {
    if (found()) break;
    // biome-ignore lint/suspicious/noDocumentCookie: on plain http there is no cookieStore
    document.cookie = `_xsrf=${crypto.getRandomValues(new Uint32Array(4)).join("")}; path=${base}; ${sites}`;
  }
  return found();
}
