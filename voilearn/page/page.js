// The page: photos are chosen, and each gets its answer, in words and bars.
// In: markup.html's elements and a visit; out: the page, true to it.

/**
 * @import { Problem } from "./problem.js"
 * @import { Photo, Prediction, Settings } from "./types.d.ts"
 * @import { Visit } from "./visit.js"
 * @import { Key } from "./words.js"
 */
import { bringIntoSight, captionOf, descriptionOf, sentenceOf, showBars } from "./answer.js";
import { empty, listenForPhotos } from "./choosing.js";
import { asCsv, asJson, asText, copy, save } from "./saving.js";
import { isDone } from "./visit.js";
import { translate } from "./translate.js";
import { isAtFault, language, say, sayError, sayRuntime } from "./words.js";

const COPIED_FOR = 2000; // milliseconds

/**
 * What is drawn, so that it need not be drawn again.
 * @typedef {object} Drawn
 * @property {Photo} [shown]
 * @property {boolean} [done]  that one is
 * @property {Prediction} [prediction]  in bars
 * @property {Map<Photo, Thumbnail>} thumbnails  of the history
 * @property {boolean} gallery  whether the examples were asked for
 *
 * @typedef {({ item: HTMLElement, button: HTMLButtonElement, img: HTMLImageElement, caption: HTMLElement })} Thumbnail
 * @typedef {<E extends HTMLElement = HTMLElement>(name: string) => E} Find
 */

/**
 * Make the page of these elements.
 * @param {HTMLElement} el
 * @param {Visit} visit
 * @param {object} host
 * @param {boolean} host.everywhere  the window is ours, and not a notebook's
 * @param {"privacy" | "onDevice"} host.privacy  what becomes of a photo, as a key of its sentence
 */
export function showPage(el, visit, { everywhere, privacy }) {
  /** @template {HTMLElement} [E=HTMLElement] @param {string} name */
  const find = (name) => /** @type {E} */ (el.querySelector(`.voilearn-${name}`));
  /** @type {Drawn} */
  const drawn = { thumbnails: new Map(), gallery: false };
  (everywhere ? document.documentElement : el).lang = language;
  find("privacy").dataset.say = privacy;
  translate(el);
  listenForPhotos(el, everywhere, (files) => visit.take(files));
  const look = () => bringIntoSight(find("result"), find("status"));
  find("preview").querySelector("img")?.addEventListener("load", look); // which moves what is below
  find("status").tabIndex = -1;
  find("cancel").onclick = () => visit.shown && visit.cancel(visit.shown);
  find("classify").onclick = () => again(visit);
  find("copy").onclick = () => copyAnswer(find("copy"), visit);
  find("json").onclick = () => save("answers.json", "application/json", asJson(told(visit)));
  find("csv").onclick = () => save("answers.csv", "text/csv", asCsv(told(visit)));
  const show = () => {
    const focused = el.contains(document.activeElement) && document.activeElement;
    showAlert(find("alert"), visit);
    showPreparing(find("preparing"), visit);
    showResult(find, visit, drawn);
    if (isNews(visit, drawn)) look();
    showHistory(find("history"), visit, drawn);
    if (visit.line === "here" && visit.photos.every(isDone)) showGallery(find("gallery"), visit, drawn);
    if (focused && (!focused.isConnected || focused.matches(":disabled") || focused.closest("[hidden]"))) {
      find("status").focus({ preventScroll: true }); // what was pressed is gone
    }
  };
  visit.addEventListener("change", show);
  show();
  return () => visit.removeEventListener("change", show);
}

/**
 * What is wrong with the page, and one button that puts it right.
 * @param {HTMLElement} place
 * @param {Visit} visit
 */
function showAlert(place, visit) {
  const [kind, button] = alertOf(visit);
  const told = kind && ((kind === "broken" && visit.why) || say(kind, { count: visit.leftOut }));
  if (place.dataset.kind === kind && (!kind || place.textContent?.startsWith(told))) return;
  place.dataset.kind = kind;
  if (!kind) return place.replaceChildren();
  const words = Object.assign(document.createElement("p"), { textContent: told });
  const banner = Object.assign(document.createElement("div"), { className: "voilearn-banner" });
  banner.setAttribute("role", kind === "reconnecting" ? "status" : "alert"); // read as it comes
  banner.append(words);
  if (button) {
    const [name, press] = button;
    const pressed = Object.assign(document.createElement("button"), { type: "button", onclick: press });
    pressed.textContent = say(name);
    banner.append(pressed);
  }
  place.replaceChildren(banner);
}

/**
 * @param {Visit} visit
 * @returns {[kind: Key | "", button?: [name: Key, press: () => void]]}
 */
function alertOf(visit) {
  const { line } = visit;
  switch (line) {
    case "lost":
    case "gone":
    case "broken":
      if (!visit.reconnects) return [visit.why ? line : "ended"];
      return [line, [visit.why ? "tryAgain" : "reconnect", () => visit.reconnect()]];
    case "reconnecting":
      return ["reconnecting"];
  }
  if (visit.leftOut) return ["leftOut"];
  const answer = visit.shown?.prediction;
  if (answer && visit.newest && visit.newest !== answer.model.sha256) {
    return ["upgraded", ["askAgain", () => again(visit)]];
  }
  return [""];
}

/**
 * What goes on before anybody can be asked, as the download of a model.
 * @param {HTMLElement} place
 * @param {Visit} visit
 */
function showPreparing(place, { preparing }) {
  place.hidden = !preparing;
  if (!preparing) return;
  const { words, share } = preparing;
  const [[told], [progress]] = [place.getElementsByTagName("p"), place.getElementsByTagName("progress")];
  if (told.textContent !== words) told.textContent = words; // else it is read twice
  if (share === undefined) progress.removeAttribute("value");
  else progress.value = share;
}

/** @param {Visit} visit */
function again(visit) {
  if (visit.shown) visit.again(visit.shown);
}

/** @param {Find} find @param {Visit} visit @param {Drawn} drawn */
function showResult(find, visit, drawn) {
  const { shown: photo, settings } = visit;
  find("preview").hidden = !photo || (isDone(photo) && !photo.url); // there is nothing to see
  if (!photo) return;
  find("upload").classList.add("voilearn-small");
  if (photo.example !== undefined) empty(find("upload"));
  showPreview(find("preview"), photo);
  const [kind, sentence] = statusOf(photo, settings);
  const again = photo.state === "busy" && photo.counting; // each second, which is read but once
  find("status").setAttribute("aria-live", again ? "off" : "polite");
  tell(find("status"), kind, sentence);
  find("description").textContent = photo.prediction ? descriptionOf(photo.prediction, settings.classes) : "";
  showProgress(find, photo, visit);
  const [bars, more] = [find("bars"), find("more")];
  if (drawn.prediction !== photo.prediction) {
    if (photo.prediction) showBars(bars, more, photo.prediction, settings.classes);
    else bars.replaceChildren((more.hidden = true) && "");
    drawn.prediction = photo.prediction;
  }
  find("copy").hidden = !photo.prediction;
  if (photo.prediction) find("runtime").textContent = sayRuntime(photo.prediction);
  const inVain = isAtFault(photo.error) || (visit.line === "broken" && !visit.reconnects);
  find("classify").hidden = !isDone(photo) || inVain;
}

/**
 * Tells, once, that another photo is shown, or that there is an answer or an error now.
 * @param {Visit} visit
 * @param {Drawn} drawn
 */
function isNews({ shown }, drawn) {
  const [before, done] = [drawn.shown, Boolean(shown && isDone(shown))];
  const isNews = shown !== before || (done && !drawn.done);
  Object.assign(drawn, { shown, done });
  return isNews;
}

/** @param {HTMLElement} figure @param {Photo} photo */
function showPreview(figure, photo) {
  const [[img], [note]] = [figure.getElementsByTagName("img"), figure.getElementsByTagName("figcaption")];
  img.hidden = !photo.url;
  if (!photo.url) img.removeAttribute("src");
  else if (img.src !== photo.url) img.src = photo.url;
  note.textContent = sizeOf(photo);
}

/**
 * What was made of a photo before it was sent.
 * @param {Photo} photo
 */
function sizeOf({ file, sent }) {
  if (!file || !sent?.blob || !sent.scaled) return "";
  const [megabytes, kilobytes] = [
    (file.size / 1e6).toFixed(1),
    Math.max(1, Math.round(sent.blob.size / 1000)),
  ];
  return say("sent", { width: sent.width, height: sent.height, megabytes, kilobytes });
}

/** @param {Find} find @param {Photo} photo @param {Visit} visit */
function showProgress(find, photo, { preparing }) {
  find("sending").hidden = isDone(photo);
  const [progress] = find("sending").getElementsByTagName("progress");
  progress.setAttribute("aria-label", find("status").textContent ?? "");
  progress.hidden = photo.state === "held" && Boolean(preparing); // which has a bar of its own
  if (photo.state === "sending") progress.value = photo.progress;
  else progress.removeAttribute("value"); // no share of it is known
}

/**
 * What stands in the line of the answer: its kind, and words.
 * @param {Photo} photo
 * @param {Settings} settings
 */
function statusOf(photo, { classes }) {
  const { state, prediction, error } = photo;
  switch (state) {
    case "answered":
      return ["answer", sentenceOf(/** @type {Prediction} */ (prediction), classes)];
    case "refused":
      return ["error", sayError(/** @type {Problem} */ (error))];
    case "cancelled":
      return ["", say("cancelled")];
    default:
      return ["busy", sayBusy(photo)];
  }
}

/** @param {Photo} photo */
function sayBusy({ state, place, loading, seconds }) {
  if (state !== "looking") return say(/** @type {Key} */ (state), { seconds });
  if (place) return say(place === 1 ? "oneBefore" : "before", { count: place });
  return say(loading ? "loading" : state);
}

/**
 * The same for below a small picture, whose text for who can't see it says it all.
 * @param {Photo} photo
 * @param {Settings} settings
 */
function sayBriefly({ prediction, error }, { classes }) {
  if (prediction) return captionOf(prediction, classes);
  return error ? say("unanswered") : "";
}

/** @param {HTMLElement} status @param {string} kind @param {string} sentence */
function tell(status, kind, sentence) {
  status.className = `voilearn-status${kind && ` voilearn-${kind}`}`;
  if (status.textContent !== sentence) status.textContent = sentence; // else it is read twice
}

/** @param {HTMLElement} section @param {Visit} visit @param {Drawn} drawn */
function showHistory(section, visit, drawn) {
  const { photos, shown, settings } = visit;
  section.hidden = photos.length < 2;
  if (section.hidden) return;
  const [list] = section.getElementsByTagName("ul");
  const made = drawn.thumbnails;
  for (const photo of photos)
    if (!made.has(photo))
      made.set(
        photo,
        thumbnailOf(() => visit.show(photo)),
      );
  for (const [photo, { item }] of made) {
    if (photos.includes(photo)) continue;
    item.remove();
    made.delete(photo);
  }
  list.append(...[...made.values()].map(({ item }) => item).filter((item) => !item.isConnected));
  for (const [photo, { button, img, caption }] of made) {
    const [kind, sentence] = statusOf(photo, settings);
    button.className = `voilearn-thumb voilearn-is-${kind || "none"}`;
    button.setAttribute("aria-current", `${photo === shown}`);
    if (photo.thumb && img.src !== photo.thumb) img.src = photo.thumb;
    caption.textContent = sayBriefly(photo, settings);
    if (img.alt !== `${photo.name}: ${sentence}`) img.alt = button.title = `${photo.name}: ${sentence}`;
  }
  /** @type {NodeListOf<HTMLButtonElement>} */
  const actions = section.querySelectorAll(".voilearn-actions button");
  for (const button of actions) button.disabled = !told(visit).length;
}

/**
 * @param {() => void} onclick
 * @returns {Thumbnail}
 */
function thumbnailOf(onclick) {
  const [item, img] = [document.createElement("li"), document.createElement("img")];
  const button = Object.assign(document.createElement("button"), { type: "button", onclick });
  const caption = Object.assign(document.createElement("span"), { className: "voilearn-caption" });
  caption.setAttribute("aria-hidden", "true");
  button.append(img);
  item.append(button, caption);
  return { item, button, img, caption };
}

/**
 * The author's examples, asked for once the kernel is there.
 * @param {HTMLElement} section
 * @param {Visit} visit
 * @param {Drawn} drawn
 */
async function showGallery(section, visit, drawn) {
  if (drawn.gallery) return;
  drawn.gallery = true;
  const examples = await visit.examples().catch(() => {
    drawn.gallery = false;
    return [];
  });
  section.hidden = !examples.length;
  const items = examples.map(([name, url], index) => {
    const { item, button, img, caption } = thumbnailOf(() => visit.takeExample(index, name, url));
    Object.assign(img, { src: url, alt: name });
    caption.textContent = name;
    Object.assign(button, { className: "voilearn-thumb", title: name });
    return item;
  });
  section.querySelector("ul")?.replaceChildren(...items);
}

/**
 * The photos about which there is something to take away.
 * @param {Visit} visit
 */
function told({ photos }) {
  return photos.filter(({ prediction, error }) => prediction || error);
}

/** @param {HTMLElement} button @param {Visit} visit */
async function copyAnswer(button, { shown, settings }) {
  if (!shown?.prediction) return;
  const { name, prediction } = shown;
  if (!(await copy(asText({ name, prediction }, settings.classes)))) return;
  button.textContent = say("copied");
  setTimeout(() => (button.textContent = say("copy")), COPIED_FOR);
}
