// What a picture's first bytes tell: those of real encoders, cut short, and made to mislead.

import assert from "node:assert/strict";
import { test } from "node:test";
import { readHeader } from "../../voilearn/page/header.js";

// The first bytes of pictures of 300 x 200 pixels, as Pillow writes them.
const WRITTEN = {
  PNG: "iVBORw0KGgoAAAANSUhEUgAAASwAAADIAQAAAAB6pOH4",
  GIF: "R0lGODdhLAHIAIAAAAAAAAAAACwAAAAALAHIAEAI",
  BMP: "Qk1+HwAAAAAAAD4AAAAoAAAALAEAAMgAAAABAAEA",
  "WebP, lossy": "UklGRqYAAABXRUJQVlA4IJoAAABwEACdASosAcgAP83m8XO/",
  "WebP, lossless": "UklGRiIAAABXRUJQVlA4TBYAAAAvK8ExAAcQEf0PACjS",
  "WebP with EXIF": "UklGRs4AAABXRUJQVlA4WAoAAAAIAAAAKwEAxwAAVlA4",
  "JPEG, progressive":
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAgGBgcGBQgHBwcJCQgKDBQNDAsLDBkSEw8UHRofHh0aHBwgJC4nICIsIxwcKDcpLDAx" +
    "NDQ0Hyc5PTgyPC4zNDL/2wBDAQkJCQwLDBgNDRgyIRwhMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIy" +
    "MjIyMjIyMjL/wgARCADIASwDASIA",
};

/** @param {(string | number[])[]} parts */
const bytes = (...parts) =>
  Uint8Array.from(
    parts.flatMap((part) => (typeof part === "string" ? [...Buffer.from(part, "latin1")] : part)),
  );
/** @param {string} base64 */
const decoded = (base64) => new Uint8Array(Buffer.from(base64, "base64"));

const SOI = [0xff, 0xd8];
const SOF = [0xff, 0xc0, 0, 17, 8, 0, 200, 1, 44, 3]; // 300 x 200 pixels

for (const [name, base64] of Object.entries(WRITTEN)) {
  test(`the size of a ${name} is told`, () => {
    const [kind] = name.split(/\W/);
    assert.deepEqual(readHeader(decoded(base64)), { kind, width: 300, height: 200 });
  });

  test(`a ${name} cut short anywhere has its kind, no size, and never another`, () => {
    const whole = decoded(base64);
    for (let length = 12; length < whole.length; length++) {
      const { kind, width, height } = readHeader(whole.slice(0, length));
      assert.equal(kind, name.split(/\W/)[0]);
      assert.ok((width === 300 && height === 200) || (width === 0 && height === 0), `${length} bytes`);
    }
  });
}

test("a JPEG's size stands after its EXIF, tables and padding", () => {
  const exif = [0xff, 0xe1, 0xff, 0xff, ...new Array(0xffff - 2).fill(0xc0)]; // looks like many SOFs
  const tables = [0xff, 0xc4, 0, 4, 9, 9, 0xff, 0xc8, 0, 2, 0xff, 0xcc, 0, 2]; // are no SOF
  const found = readHeader(bytes(SOI, exif, tables, [0xff, 0xff, 0xff], SOF));
  assert.deepEqual(found, { kind: "JPEG", width: 300, height: 200 });
});

test("a BMP may stand on its head", () => {
  const picture = decoded(WRITTEN.BMP);
  new DataView(picture.buffer).setInt32(22, -200, true);
  assert.deepEqual(readHeader(picture), { kind: "BMP", width: 300, height: 200 });
});

test("a picture within a larger buffer is read where it begins", () => {
  const picture = decoded(WRITTEN.PNG);
  const larger = bytes([1, 2, 3], [...picture], [4, 5]);
  assert.equal(readHeader(larger.subarray(3)).width, 300);
});

test("kinds whose size stands deeper are known by their first bytes", () => {
  const kinds = {
    "II*\0": "TIFF",
    "MM\0*": "TIFF",
    "\0\0\0\x1cftypavif": "AVIF",
    "\0\0\0\x18ftypheic": "HEIC",
  };
  for (const [start, kind] of Object.entries(kinds)) {
    assert.deepEqual(readHeader(bytes(start, new Array(32).fill(9))), { kind, width: 0, height: 0 });
  }
  for (const brand of ["heix", "heim", "heis", "hevc", "mif1", "msf1"]) {
    assert.equal(readHeader(bytes(`\0\0\0\x18ftyp${brand}`)).kind, "HEIC");
  }
});

test("what is no picture has no kind", () => {
  const texts = ["", "B", "%PDF-1.7", "<svg>", "RIFF\0\0\0\0WAVEfmt ", "\0\0\0\x18ftypisom"];
  for (const text of [...texts, "\x89PNG\n\x1a\n", "\xff\xd8\0"]) {
    assert.equal(readHeader(bytes(text)).kind, "", text);
  }
});

test("sizes beyond any photo are told as they are, for the limit to refuse", () => {
  const picture = decoded(WRITTEN.PNG);
  new DataView(picture.buffer).setUint32(16, 0xffffffff);
  assert.equal(readHeader(picture).width, 0xffffffff);
});

test("a JPEG whose segments are empty or without end is given up, soon", () => {
  const empty = bytes(SOI, new Array(250_000).fill([0xff, 0xe0, 0, 0]).flat());
  const padding = bytes(SOI, new Array(1_000_000).fill(0xff));
  const beyond = bytes(SOI, [0xff, 0xe0, 0xff, 0xff], SOF);
  for (const hostile of [empty, padding, beyond]) {
    assert.deepEqual(readHeader(hostile), { kind: "JPEG", width: 0, height: 0 });
  }
});
