// What a visitor takes away: text, JSON as the command line prints it, and a table that a
// spreadsheet only reads.

import assert from "node:assert/strict";
import { test } from "node:test";
import "../scripts/english.js";
import { Problem } from "../../voilearn/page/problem.js";
import { asCsv, asJson, asText } from "../../voilearn/page/saving.js";

const prediction = {
  label: "grizzly",
  probability: 0.97,
  probabilities: { grizzly: 0.97, black: 0.03 },
  labels: ["grizzly"],
  in_scope: null,
  model: {
    name: "m",
    sha256: "0",
    task: /** @type {const} */ ("single-label"),
    classes: ["black", "grizzly"],
  },
};
const answered = { name: "bear.jpg", prediction };
const refused = { name: "cat.txt", error: new Problem({ type: "UnsupportedPhoto", detail: "No, a text." }) };

/** Of a table, the cell that a photo's name is in. @param {string} name */
const named = (name) =>
  asCsv([{ ...answered, name }])
    .split("\r\n")[1]
    .replace(/,grizzly,grizzly,.*/, "");

test("an answer as text is its sentence and a line for each class", () => {
  assert.equal(asText(answered, {}), "bear.jpg: Grizzly, 97 % sure\ngrizzly: 97 %\nblack: 3 %");
});

test("JSON has each photo beside its Prediction, or beside its error", () => {
  assert.deepEqual(JSON.parse(asJson([answered, refused])), [
    { photo: "bear.jpg", ...prediction },
    { photo: "cat.txt", error: { type: "UnsupportedPhoto", message: "No, a text." } },
  ]);
});

test("a table has a line for each photo, and a column for each class in the model's order", () => {
  const lines = asCsv([refused, answered]).split("\r\n");
  assert.deepEqual(lines, [
    "photo,label,labels,probability,error,black,grizzly,in_scope",
    'cat.txt,,,,"No, a text.",,,',
    "bear.jpg,grizzly,grizzly,0.97,,0.03,0.97,",
    "",
  ]);
  const strange = { ...answered, prediction: { ...prediction, in_scope: false } };
  assert.match(asCsv([strange]), /,0\.97,false\r\n$/);
});

test("a table without any answer has no classes", () => {
  assert.equal(asCsv([refused]).split("\r\n")[0], "photo,label,labels,probability,error,in_scope");
});

test("several labels are one cell, and none is an empty one", () => {
  const found = { ...prediction, labels: ["grizzly", "black"] };
  assert.match(asCsv([{ name: "a", prediction: found }]), /\r\na,grizzly,"grizzly; black",/);
  const none = { ...prediction, label: null, labels: [] };
  assert.match(asCsv([{ name: "a", prediction: none }]), /\r\na,,,0\.97,/);
});

test("a name that a spreadsheet would run is text", () => {
  for (const name of ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1"]) {
    assert.match(named(name), /^"?'/, JSON.stringify(name));
  }
  assert.equal(
    named('=HYPERLINK("https://evil.example","x")'),
    `"'=HYPERLINK(""https://evil.example"",""x"")"`,
  );
});

test("a name stays one cell, whatever is in it", () => {
  assert.equal(named("a,b.jpg"), '"a,b.jpg"');
  assert.equal(named('a "b".jpg'), '"a ""b"".jpg"');
  assert.equal(named("a;b.jpg"), '"a;b.jpg"'); // some spreadsheets cut there
  assert.equal(named("a=b.jpg"), "a=b.jpg");
  const line = asCsv([{ ...answered, name: "a\nb.jpg" }]);
  assert.match(line, /"a\nb\.jpg",grizzly/);
});
