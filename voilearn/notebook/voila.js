// The page as Voilà serves it: it is drawn at once, and its kernel comes when it comes.
// In: this document, whose end tells where the kernel is; out: a page with that kernel.
//
// Photos, answers and history live in the browser; what is lost is only ever a kernel. To bring that
// back is to ask for the page once more, in the background, and to join the kernel that it names.

/** @import { Settings } from "../page/types.d.ts" */
import { showPage } from "../page/page.js";
import { Visit } from "../page/visit.js";
import { KernelAsker } from "./asker.js";
import { Kernel } from "./kernel.js";

const STARTS_WITHIN = 60_000; // milliseconds, a kernel with its model

const { base = "/" } = document.documentElement.dataset; // of the server's addresses
const kernel = new Kernel();
/** @type {string | undefined} */
let id; // of the kernel

const visit = new Visit(new KernelAsker(kernel));
const el = /** @type {HTMLElement} */ (document.querySelector(".voilearn-page"));
showPage(el, visit, { everywhere: true });
if (document.readyState !== "loading") begin();
else document.addEventListener("DOMContentLoaded", begin); // the cells have been run by then

function begin() {
  if (!adopt(document)) kernel.fail();
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
  const channels = new URL(`${base}api/kernels/${id}/channels`, location.href);
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

// A visitor who leaves needs no kernel any more.
addEventListener("pagehide", (event) => {
  if (!event.persisted) end(id ?? started(document));
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
  if (!kernelId) return;
  const form = new FormData();
  form.append("_xsrf", token() ?? "");
  navigator.sendBeacon(`${base}voila/api/shutdown/${kernelId}`, form);
}

// A form has to name what stands in this cookie, which only a page of this server can read or set:
// https://www.tornadoweb.org/en/stable/guide/security.html. Voilà's page may come without one.
function token() {
  const found = () => /\b_xsrf=([^;]*)/.exec(document.cookie)?.[1];
  if (!found())
    // biome-ignore lint/suspicious/noDocumentCookie: on plain http there is no cookieStore
    document.cookie = `_xsrf=${crypto.getRandomValues(new Uint32Array(4)).join("")}; path=${base}; samesite=strict`;
  return found();
}
