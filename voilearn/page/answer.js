// Shows an answer: a sentence and a bar for every class, or a list. Text, never HTML.
// In: a Prediction as JSON and the author's words for classes; out: elements.

/** @import { Classes, Prediction } from "./types.d.ts" */
import { isSure, percent, say, sayAnswer } from "./words.js";

const MANY = 10; // classes, above which the first few are shown
const FEW = 5;

/**
 * Returns the sentence for a Prediction.
 * @param {Prediction} prediction
 * @param {Classes} [classes]
 */
export function sentenceOf({ labels, probability, probabilities, in_scope, model }, classes = {}) {
  if (in_scope === false) return say("outside");
  const count = Object.keys(probabilities).length;
  const names = labels.map((label) => nameOf(label, classes));
  return sayAnswer({ task: model.task, names, count, probability });
}

/**
 * Returns [class, probability] of every class, the highest first. A JSON object does not keep that
 * order for all: classes that are whole numbers, as "3" and "7", come first in one.
 * @param {Pick<Prediction, "probabilities">} prediction
 */
export function ranked({ probabilities }) {
  return Object.entries(probabilities).sort(([, one], [, other]) => other - one);
}

/**
 * Returns what the author says of the class that is the answer, where that is sure; of a photo of
 * something else, which class is the nearest.
 * @param {Prediction} prediction
 * @param {Classes} [classes]
 */
export function descriptionOf(prediction, classes = {}) {
  const { label, probability, in_scope } = prediction;
  if (in_scope === false) {
    const [[nearest]] = ranked(prediction);
    return say("nearest", { name: nameOf(nearest, classes) });
  }
  return (isSure(probability) && own(classes, label)?.description) || "";
}

/**
 * Returns an answer in two words, for below a small picture.
 * @param {Prediction} prediction
 * @param {Classes} [classes]
 */
export function captionOf({ label, probability, in_scope }, classes = {}) {
  if (in_scope === false) return say("outsideShort");
  return label === null ? say("unanswered") : `${nameOf(label, classes)} ${percent(probability)}`;
}

/**
 * Has the visitor see a photo with its answer, or, in a small window, the line that says it.
 * @param {HTMLElement} section  with the photo and all that is said of it
 * @param {HTMLElement} line
 */
export function bringIntoSight(section, line) {
  const whole = section.offsetHeight <= innerHeight;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  const behavior = still ? "instant" : "smooth";
  (whole ? section : line).scrollIntoView({ block: "nearest", behavior });
}

/**
 * Fills a list with a bar for every class, the highest first. Of many, the first few are shown. Of
 * a photo of something else, all are grey.
 * @param {HTMLElement} list
 * @param {HTMLElement} more  the button that shows the rest
 * @param {Prediction} prediction
 * @param {Classes} [classes]
 */
export function showBars(list, more, prediction, classes = {}) {
  const { labels, model } = prediction;
  const all = ranked(prediction);
  const inside = prediction.in_scope !== false;
  const found = inside && model.task === "multi-label" ? labels : [];
  const items = all.map(([label, p]) => bar(label, p, classes, found.includes(label)));
  list.replaceChildren(...items);
  const fold = all.length > MANY;
  list.classList.toggle("voilearn-few", fold);
  list.classList.toggle("voilearn-outside", !inside);
  for (const item of items.slice(FEW)) item.hidden = fold;
  more.hidden = !fold;
  more.textContent = say("all", { count: all.length });
  more.onclick = () => {
    for (const item of items) item.hidden = false;
    more.hidden = true;
    items[FEW].tabIndex = -1; // the button is gone: go on where it led
    items[FEW].focus();
  };
}

/** @param {string} label @param {number} probability @param {Classes} classes @param {boolean} found */
function bar(label, probability, classes, found) {
  const item = document.createElement("li");
  item.className = found ? "voilearn-bar voilearn-found" : "voilearn-bar";
  item.dataset.label = label;
  item.dataset.probability = `${probability}`;
  item.style.setProperty("--share", `${100 * probability}%`);
  const colour = own(classes, label)?.colour;
  if (colour) item.style.setProperty("--bar", colour);
  item.append(part("label", own(classes, label)?.name || label), part("track", ""));
  item.append(part("percent", percent(probability)));
  return item;
}

/**
 * As the author says it, or the class's own name with a capital.
 * @param {string} label
 * @param {Classes} classes
 */
function nameOf(label, classes) {
  return own(classes, label)?.name || label.charAt(0).toLocaleUpperCase() + label.slice(1);
}

/** @param {Classes} classes @param {string | null} label */
function own(classes, label) {
  return label !== null && Object.hasOwn(classes, label) ? classes[label] : undefined;
}

/** @param {string} name @param {string} text */
function part(name, text) {
  const span = document.createElement("span");
  span.className = `voilearn-bar-${name}`;
  span.textContent = text;
  return span;
}
