// What a visitor takes away: answers as text, JSON or CSV.
// In: the photos of this visit that have an answer or an error; out: text, and files.

import { percent } from "./words.js";
import { ranked, sentenceOf } from "./answer.js";

// Returns the answer in words, with a line for each class.
export function asText({ name, prediction }, classes) {
  const lines = ranked(prediction).map(([label, p]) => `${label}: ${percent(p)}`);
  return [`${name}: ${sentenceOf(prediction, classes)}`, ...lines].join("\n");
}

// Returns what `voilearn classify --json` prints of the same photos, as one list.
export function asJson(photos) {
  return JSON.stringify(photos.map(record), undefined, 1);
}

function record({ name, prediction, error }) {
  if (prediction) return { photo: name, ...prediction };
  return { photo: name, error: { type: error.type, message: error.message } };
}

// Returns a table: a line for each photo, a column for each class.
export function asCsv(photos) {
  const classes = photos.find(({ prediction }) => prediction)?.prediction.model.classes ?? [];
  const rows = photos.map(({ name, prediction, error }) => {
    const { label = "", probability = "", labels = [], probabilities = {} } = prediction ?? {};
    const numbers = classes.map((each) => probabilities[each] ?? "");
    return [name, label ?? "", labels.join("; "), probability, error?.message ?? "", ...numbers];
  });
  const table = [["photo", "label", "labels", "probability", "error", ...classes], ...rows];
  return table.map((row) => `${row.map(cell).join(",")}\r\n`).join("");
}

// A spreadsheet would run a text that begins so: https://owasp.org/www-community/attacks/CSV_Injection
function cell(value) {
  const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : `${value}`;
  return /[",;\t\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

// Copies a text; resolves to whether that went well.
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyByHand(text); // on plain http there is no clipboard
  }
}

function copyByHand(text) {
  const field = Object.assign(document.createElement("textarea"), { value: text, readOnly: true });
  const focused = document.activeElement;
  document.body.append(field);
  field.select();
  const done = document.execCommand("copy");
  field.remove();
  focused?.focus();
  return done;
}

// Has the browser save a text as a file.
export function save(name, type, text) {
  const mark = type === "text/csv" ? "\ufeff" : ""; // by which Excel knows UTF-8
  const url = URL.createObjectURL(new Blob([mark, text], { type }));
  Object.assign(document.createElement("a"), { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}
