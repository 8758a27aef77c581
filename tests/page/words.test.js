// The page's words: five languages that say the same, and the one that a visitor gets.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { speak } from "../scripts/english.js";

const WORDS = "../../voilearn/page/words.js";
let visits = 0;

/**
 * The words as a browser of these languages has them.
 * @param {string[]} languages
 * @returns {Promise<typeof import("../../voilearn/page/words.js")>}
 */
function words(...languages) {
  speak(languages.length ? languages : undefined);
  return import(`${WORDS}?${visits++}`);
}

const { TABLE } = await words("en");
const TRANSLATED = Object.keys(TABLE).filter((language) => language !== "en");

/** @param {string | undefined} text */
const places = (text) => [...(text ?? "").matchAll(/\{\w+\}/g)].map(String).sort();

test("there are five languages", () => {
  assert.deepEqual(Object.keys(TABLE), ["en", "de", "fr", "es", "zh"]);
});

for (const language of TRANSLATED) {
  const table = TABLE[language];

  test(`${language} says all that English says, and nothing else`, () => {
    const all = (/** @type {object} */ words) =>
      Object.keys(words)
        .filter((key) => key !== "percent")
        .sort();
    assert.deepEqual(all(table), all(TABLE.en)); // how percents are written may be as in English
  });

  test(`${language} names in each sentence what English names`, () => {
    for (const [key, text] of Object.entries(table)) {
      const english = Object.entries(TABLE.en).find(([each]) => each === key)?.[1];
      assert.deepEqual(places(text), places(english), key);
      assert.equal(text, text?.trim(), key);
    }
  });
}

for (const [key, file] of /** @type {const} */ ([
  ["noScript", "page/noscript.html"],
  ["unopened", "device/index.html"],
])) {
  test(`${file} says in every language what no script can say: ${key}`, () => {
    const html = readFileSync(new URL(`../../voilearn/${file}`, import.meta.url), "utf-8");
    for (const [language, table] of Object.entries(TABLE)) {
      assert.ok(html.includes(`<p lang="${language}">${table[key]}</p>`), language);
    }
  });
}

test("no words are kept that nothing says", () => {
  const rooms = fileURLToPath(new URL("../../voilearn", import.meta.url));
  const files = readdirSync(rooms, { recursive: true, encoding: "utf-8" });
  const said = files.filter((file) => /\.(js|html|j2|py)$/.test(file) && !file.endsWith("words.js"));
  const texts = said.map((file) => readFileSync(`${rooms}/${file}`, "utf-8"));
  const words = readFileSync(`${rooms}/page/words.js`, "utf-8"); // below its tables, it says some itself
  texts.push(words.slice(words.indexOf("const PHOTO_ERRORS")));
  const isSaid = (/** @type {string} */ key) => texts.some((text) => text.includes(`"${key}"`));
  const told = ["noScript", "unopened"]; // by HTML, in each language: see above
  assert.deepEqual(
    Object.keys(TABLE.en).filter((key) => !told.includes(key) && !isSaid(key)),
    [],
  );
});

test("a visitor gets the first of the browser's languages that there is", async () => {
  const cases = {
    de: ["de-CH", "en"],
    fr: ["it", "fr-CA", "en"],
    zh: ["ZH-Hans-CN"],
    es: ["es"],
    en: ["it", "pt"],
  };
  for (const [language, asked] of Object.entries(cases)) {
    assert.equal((await words(...asked)).language, language, `${asked}`);
  }
  assert.equal((await words()).language, "en"); // a browser that tells none
});

test("values are put in their places, and never read as a pattern", async () => {
  const { say } = await words("en");
  assert.equal(say("sure", { name: "$& {percent}", percent: "97 %" }), "$& {percent}, 97 % sure");
});

test("percents are whole, and never a certainty", async () => {
  const { percent } = await words("en");
  /** @type {[number, string][]} */
  const cases = [
    [0, "under 1 %"],
    [0.00499, "under 1 %"],
    [0.005, "1 %"],
    [0.504, "50 %"],
    [0.505, "51 %"],
    [0.9949, "99 %"],
    [0.995, "over 99 %"],
    [1, "over 99 %"],
  ];
  for (const [probability, text] of cases) assert.equal(percent(probability), text);
  assert.equal((await words("zh")).percent(0.42), "42%");
  assert.equal((await words("de")).percent(0.42), "42 %");
});

test("the less the model is sure, the less the answer sounds it", async () => {
  const { sayAnswer } = await words("en");
  const said = (/** @type {number} */ probability) =>
    sayAnswer({ task: "single-label", names: ["Grizzly"], count: 3, probability });
  assert.equal(said(0.973), "Grizzly, 97 % sure");
  assert.equal(said(0.9), "Grizzly, 90 % sure");
  assert.equal(said(0.89), "Grizzly, about 89 % sure"); // as its bar has it
  assert.equal(said(0.7), "Grizzly, about 70 % sure");
  assert.equal(said(0.69), "Perhaps: Grizzly, about 69 % sure");
  assert.equal(said(0.5), "Perhaps: Grizzly, about 50 % sure");
  assert.equal(said(0.49), "Hard to say. Perhaps: Grizzly, only about 49 % sure");
  assert.equal(said(0.01), "Hard to say. Perhaps: Grizzly, only about 1 % sure");
  assert.equal(said(0.001), "Hard to say. Perhaps: Grizzly, only about 1 % sure");
});

test("of many labels, those found are listed, or that there is none", async () => {
  const { sayAnswer } = await words("en");
  const said = (/** @type {string[]} */ ...names) =>
    sayAnswer({ task: "multi-label", names, count: 3, probability: 0.4 });
  assert.equal(said("Dog", "Cat"), "Dog, Cat");
  assert.equal(said(), "None of the 3 things this model knows");
});

test("in English an error is said in its own sentence, elsewhere by its type", async () => {
  const error = { type: "PhotoTooLarge", message: "This picture has 210 megapixels." };
  assert.equal((await words("en")).sayError(error), error.message);
  assert.equal((await words("de")).sayError(error), TABLE.de.PhotoTooLarge);
});

test("an error of which only the type was told has words in every language", async () => {
  for (const language of Object.keys(TABLE)) {
    const { sayError } = await words(language);
    const said = (/** @type {string} */ type) => sayError({ type, message: "" });
    assert.equal(said("DamagedPhoto"), TABLE[language].DamagedPhoto);
    assert.equal(said("UnusableModel"), TABLE[language].UnusableModel);
    assert.equal(said("PhotoNotFound"), TABLE[language].unreadable);
    assert.equal(said("ServiceBusy"), TABLE[language].ServiceError); // any other is the service's
    assert.equal(said("constructor"), TABLE[language].ServiceError);
  }
});

test("what gave an answer is said, and how far it is from the learner", async () => {
  const { sayRuntime } = await words("en");
  assert.equal(sayRuntime({ runtime: "fastai 2", agreement: null }), "Answered by fastai 2.");
  assert.match(
    sayRuntime({ runtime: "onnxruntime 1", agreement: 0.00067 }),
    /^Answered by onnxruntime 1, .* by 0\.07 % at most\.$/,
  );
  assert.match(sayRuntime({ runtime: "onnxruntime 1", agreement: 0 }), / by 0 % at most\.$/);
  assert.equal(sayRuntime({}), ""); // an older service doesn't tell
  assert.match((await words("de")).sayRuntime({ runtime: "x", agreement: 0.0123 }), / 1 %\.$/);
});

test("only a photo's own faults make asking again useless", async () => {
  const { isAtFault } = await words("en");
  const { Problem } = await import("../../voilearn/page/problem.js");
  for (const type of ["PhotoTooLarge", "UnsupportedPhoto", "DamagedPhoto", "EmptyPhoto", "PhotoNotFound"]) {
    assert.ok(isAtFault(new Problem({ type })), type);
  }
  for (const type of ["ServiceError", "UnusableModel"]) assert.ok(!isAtFault(new Problem({ type })), type);
  assert.ok(!isAtFault(undefined));
});
