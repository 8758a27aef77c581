// What a visitor takes away: answers as text, JSON or CSV.
// In: the photos of this visit that have an answer or an error; out: text, and files.

/** @import { Classes, Photo, Prediction } from "./types.d.ts" */
import { percent } from "./words.js";
import { ranked, sentenceOf } from "./answer.js";

/**
 * Returns the answer in words, with a line for each class.
 * @param {object} photo
 * @param {string} photo.name
 * @param {Prediction} photo.prediction
 * @param {Classes} [classes]
 */
export function asText({ name, prediction }, classes) {
  const lines = ranked(prediction).map(([label, p]) => `${label}: ${percent(p)}`);
  return [`${name}: ${sentenceOf(prediction, classes)}`, ...lines].join("\n");
}

/** @typedef {Pick<Photo, "name" | "prediction" | "error">} Told */

/**
 * Returns what `voilearn classify --json` prints of the same photos, as one list.
 * @param {Told[]} photos
 */
export function asJson(photos) {
  return JSON.stringify(photos.map(record), undefined, 1);
}

/** @param {Told} photo */
function record({ name, prediction, error }) {
  if (prediction) return { photo: name, ...prediction };
  return { photo: name, error: { type: error?.type, message: error?.message } };
}

/**
 * Returns a table: a line for each photo, a column for each class; the last one says whether the
 * photo is of any of them.
 * @param {Told[]} photos
 */
export function asCsv(photos) {
  const classes = photos.find(({ prediction }) => prediction)?.prediction?.model.classes ?? [];
  const rows = photos.map(({ name, prediction, error }) => {
    const numbers = classes.map((each) => prediction?.probabilities[each] ?? "");
    const answer = [
      prediction?.label ?? "",
      prediction?.labels.join("; ") ?? "",
      prediction?.probability ?? "",
    ];
    return [name, ...answer, error?.message ?? "", ...numbers, `${prediction?.in_scope ?? ""}`];
  });
  const heading = ["photo", "label", "labels", "probability", "error", ...classes, "in_scope"];
  const table = [heading, ...rows];
  return table.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

/**
 * A spreadsheet would run a text that begins so: https://owasp.org/www-community/attacks/CSV_Injection
 * @param {string | number} value
 */
function cell(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : `${value}`;
  return /[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/**
 * Copies a text; resolves to whether that went well.
 * @param {string} text
 */
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyByHand(text); // on plain http there is no clipboard
  }
}

/** @param {string} text */
function copyByHand(text) {
  const field = Object.assign(document.createElement("textarea"), { value: text, readOnly: true });
  const focused = /** @type {HTMLElement | null} */ (document.activeElement);
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  focused?.focus();
  return done;
}

/**
 * Has the browser save a text as a file.
 * @param {string} name
 * @param {string} type
 * @param {string} text
 */
export function save(name, type, text) {
  const mark = type === "text/csv" ? "\ufeff" : ""; // by which Excel knows UTF-8
  const url = URL.createObjectURL(new Blob([mark, text], { type }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
