// The page: photos are chosen, and each gets its answer, in words and bars.
// In: markup.html's elements and a visit; out: the page, true to it.

import { descriptionOf, sentenceOf, showBars } from "./answer.js";
import { listenForPhotos } from "./choosing.js";
import { asCsv, asJson, asText, copy, save } from "./saving.js";
import { isDone } from "./visit.js";
import { isAtFault, language, say, sayError, translate } from "./words.js";

const COPIED_FOR = 2000; // milliseconds

// Make the page of these elements. `everywhere`: the window is ours, and not a notebook's.
export function showPage(el, visit, { everywhere }) {
  const find = (name) => el.querySelector(`.voilearn-${name}`);
  (everywhere ? document.documentElement : el).lang = language;
  translate(el);
  listenForPhotos(el, everywhere, (files) => visit.take(files));
  find("status").tabIndex = -1;
  find("cancel").onclick = () => visit.cancel(visit.shown);
  find("classify").onclick = () => visit.again(visit.shown);
  find("copy").onclick = () => copyAnswer(find("copy"), visit);
  find("json").onclick = () => save("answers.json", "application/json", asJson(told(visit)));
  find("csv").onclick = () => save("answers.csv", "text/csv", asCsv(told(visit)));
  const show = () => {
    const focused = el.contains(document.activeElement) && document.activeElement;
    showAlert(find("alert"), visit);
    showResult(find, visit);
    showHistory(find("history"), visit);
    if (visit.line === "here" && visit.photos.every(isDone)) showGallery(find("gallery"), visit);
    if (focused && (!focused.isConnected || focused.disabled || focused.closest("[hidden]"))) {
      find("status").focus({ preventScroll: true }); // what was pressed is gone
    }
  };
  visit.addEventListener("change", show);
  show();
  return () => visit.removeEventListener("change", show);
}

// What is wrong with the page, and one button that puts it right.
function showAlert(place, visit) {
  const [kind, button] = alertOf(visit);
  if (place.dataset.kind === kind) return;
  place.dataset.kind = kind;
  if (!kind) return place.replaceChildren();
  const told = say(kind, { count: visit.leftOut });
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

function alertOf(visit) {
  const reconnect = ["reconnect", () => visit.reconnect()];
  switch (visit.line) {
    case "lost":
    case "gone":
    case "broken":
      return visit.reconnects ? [visit.line, reconnect] : ["ended"];
    case "reconnecting":
      return ["reconnecting"];
  }
  if (visit.leftOut) return ["leftOut"];
  const answer = visit.shown?.prediction;
  if (answer && visit.newest && visit.newest !== answer.model.sha256) {
    return ["upgraded", ["askAgain", () => visit.again(visit.shown)]];
  }
  return [""];
}

function showResult(find, visit) {
  const { shown: photo, settings } = visit;
  find("preview").hidden = !photo || (isDone(photo) && !photo.url); // there is nothing to see
  if (!photo) return;
  find("upload").classList.add("voilearn-small");
  showPreview(find("preview"), photo);
  const [kind, sentence] = statusOf(photo, settings);
  const again = photo.state === "busy" && photo.counting; // each second, which is read but once
  find("status").setAttribute("aria-live", again ? "off" : "polite");
  tell(find("status"), kind, sentence);
  find("description").textContent = photo.prediction ? descriptionOf(photo.prediction, settings.classes) : "";
  showProgress(find, photo);
  const [bars, more] = [find("bars"), find("more")];
  if (bars.prediction !== photo.prediction) {
    if (photo.prediction) showBars(bars, more, photo.prediction, settings.classes);
    else bars.replaceChildren((more.hidden = true) && "");
    bars.prediction = photo.prediction;
  }
  find("copy").hidden = !photo.prediction;
  find("classify").disabled = !isDone(photo) || isAtFault(photo.error);
}

function showPreview(figure, photo) {
  const [img, note] = [figure.querySelector("img"), figure.querySelector("figcaption")];
  img.hidden = !photo.url;
  if (!photo.url) img.removeAttribute("src");
  else if (img.src !== photo.url) img.src = photo.url;
  note.textContent = photo.sent?.width ? sizeOf(photo.sent) : "";
}

function sizeOf({ width, height, blob, scaled }) {
  const kilobytes = Math.max(1, Math.round(blob.size / 1000));
  return say(scaled ? "sent" : "whole", { width, height, kilobytes });
}

function showProgress(find, photo) {
  find("sending").hidden = isDone(photo);
  const progress = find("sending").querySelector("progress");
  if (photo.state === "sending") progress.value = photo.progress;
  else progress.removeAttribute("value"); // no share of it is known
}

// What stands in the line of the answer: its kind, and words.
function statusOf(photo, { classes }) {
  switch (photo.state) {
    case "answered":
      return ["answer", sentenceOf(photo.prediction, classes)];
    case "refused":
      return ["error", sayError(photo.error)];
    case "cancelled":
      return ["", say("cancelled")];
    default:
      return ["busy", say(photo.loading && photo.state === "looking" ? "loading" : photo.state, photo)];
  }
}

function tell(status, kind, sentence) {
  status.className = `voilearn-status${kind && ` voilearn-${kind}`}`;
  if (status.textContent !== sentence) status.textContent = sentence; // else it is read twice
}

function showHistory(section, visit) {
  const { photos, shown, settings } = visit;
  section.hidden = photos.length < 2;
  if (section.hidden) return;
  const list = section.querySelector("ul");
  const made = (list.made ??= new Map()); // of each photo, its item
  for (const photo of photos) if (!made.has(photo)) made.set(photo, thumbnailOf(photo, visit));
  for (const [photo, item] of made) {
    if (photos.includes(photo)) continue;
    item.remove();
    made.delete(photo);
  }
  list.append(...[...made.values()].filter((item) => !item.isConnected));
  for (const [photo, item] of made) {
    const [button, img] = [item.firstChild, item.querySelector("img")];
    const [kind, sentence] = statusOf(photo, settings);
    button.className = `voilearn-thumb voilearn-is-${kind || "none"}`;
    button.setAttribute("aria-current", photo === shown);
    if (photo.thumb && img.src !== photo.thumb) img.src = photo.thumb;
    if (img.alt !== `${photo.name}: ${sentence}`) img.alt = button.title = `${photo.name}: ${sentence}`;
  }
  for (const button of section.querySelectorAll(".voilearn-actions button")) {
    button.disabled = !told(visit).length;
  }
}

function thumbnailOf(photo, visit) {
  const [item, button, img] = ["li", "button", "img"].map((tag) => document.createElement(tag));
  Object.assign(button, { type: "button", onclick: () => visit.show(photo) });
  button.append(img);
  item.append(button);
  return item;
}

// The author's examples, asked for once the kernel is there.
async function showGallery(section, visit) {
  if (section.asked) return;
  section.asked = true;
  const examples = await visit.examples().catch(() => (section.asked = false) || []);
  section.hidden = !examples.length;
  const items = examples.map(([name, url], index) => {
    const [item, button, img] = ["li", "button", "img"].map((tag) => document.createElement(tag));
    Object.assign(img, { src: url, alt: name });
    Object.assign(button, { type: "button", className: "voilearn-thumb", title: name });
    button.onclick = () => visit.takeExample(index, name, url);
    button.append(img);
    item.append(button);
    return item;
  });
  section.querySelector("ul").replaceChildren(...items);
}

// The photos about which there is something to take away.
function told({ photos }) {
  return photos.filter(({ prediction, error }) => prediction || error);
}

async function copyAnswer(button, { shown, settings }) {
  if (!(await copy(asText(shown, settings.classes)))) return;
  button.textContent = say("copied");
  setTimeout(() => (button.textContent = say("copy")), COPIED_FOR);
}
