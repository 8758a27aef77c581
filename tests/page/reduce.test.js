// The averages of boxes: to the last bit those of Pillow, strip by strip too.

import assert from "node:assert/strict";
import { test } from "node:test";
import { averageBoxes, factorFor, factorTo, readReduced, turned } from "../../voilearn/page/reduce.js";

/**
 * A picture whose bytes are told by their place: Image.frombytes("RGB", (width, height),
 * bytes((97 * i + 13 * i * i) % 251 for i in range(3 * width * height))), with another alpha each.
 * @param {number} width
 * @param {number} height
 */
function picture(width, height) {
  const data = new Uint8ClampedArray(4 * width * height);
  for (let i = 0; i < 3 * width * height; i++)
    data[4 * Math.floor(i / 3) + (i % 3)] = (97 * i + 13 * i * i) % 251;
  for (let at = 3; at < data.length; at += 4) data[at] = at % 256;
  return { data, width, height };
}

/** @param {ReturnType<typeof picture>} whole @param {number} factor */
function reduced(whole, factor) {
  const into = new Uint8Array(3 * Math.ceil(whole.width / factor) * Math.ceil(whole.height / factor));
  averageBoxes(whole, factor, into);
  return into;
}

// [width, height, factor], and list(picture.reduce(factor).tobytes()) of Pillow 13.0.
/** @type {[[number, number, number], number[]][]} */
const PILLOW = [
  [
    [7, 5, 2],
    [
      106, 89, 98, 79, 92, 131, 46, 90, 160, 199, 46, 170, 119, 127, 161, 118, 93, 158, 111, 180, 87, 95, 156,
      117, 195, 18, 118, 151, 130, 135, 164, 173, 83, 68, 69, 96,
    ],
  ],
  [
    [7, 5, 3],
    [106, 87, 122, 90, 110, 128, 186, 55, 117, 131, 97, 172, 129, 161, 94, 49, 153, 158],
  ],
  [
    [5, 4, 4],
    [117, 82, 135, 74, 140, 106],
  ],
  [
    [3, 3, 8],
    [107, 82, 112],
  ],
  [
    [301, 2, 200],
    [122, 120, 117, 109, 121, 121],
  ],
];

for (const [[width, height, factor], expected] of PILLOW) {
  test(`${width} x ${height} pixels by ${factor} are Pillow's, with the smaller boxes of the edges`, () => {
    assert.deepEqual([...reduced(picture(width, height), factor)], expected);
  });
}

test("by 1, a picture stays as it is, less its alpha", () => {
  const whole = picture(9, 4);
  const colours = whole.data.filter((_, at) => at % 4 < 3);
  assert.deepEqual([...reduced(whole, 1)], [...colours]);
});

test("one colour stays that colour, whatever the factor", () => {
  for (const level of [0, 1, 127, 254, 255]) {
    for (let factor = 1; factor < 40; factor++) {
      const whole = { data: new Uint8ClampedArray(4 * 41 * 3).fill(level), width: 41, height: 3 };
      assert.deepEqual(new Set(reduced(whole, factor)), new Set([level]), `${level} by ${factor}`);
    }
  }
});

test("blue may be first", () => {
  const whole = picture(7, 5);
  const exchanged = { ...whole, data: whole.data.slice(), blueFirst: true };
  for (let at = 0; at < whole.data.length; at += 4) {
    [exchanged.data[at], exchanged.data[at + 2]] = [whole.data[at + 2], whole.data[at]];
  }
  assert.deepEqual(reduced(exchanged, 2), reduced(whole, 2));
});

test("each orientation turns a picture as Pillow does", () => {
  // list(Image.frombytes("L", (3, 2), bytes(range(6))).transpose(UPRIGHT[orientation]).tobytes())
  const expected = [
    [0, 1, 2, 3, 4, 5],
    [2, 1, 0, 5, 4, 3],
    [5, 4, 3, 2, 1, 0],
    [3, 4, 5, 0, 1, 2],
    [0, 3, 1, 4, 2, 5],
    [3, 0, 4, 1, 5, 2],
    [5, 2, 4, 1, 3, 0],
    [2, 5, 1, 4, 0, 3],
  ];
  const data = Uint8Array.from({ length: 18 }, (_, at) => Math.floor(at / 3) + 10 * (at % 3));
  for (const [index, numbers] of expected.entries()) {
    const found = turned({ data, width: 3, height: 2 }, index + 1);
    assert.deepEqual([found.width, found.height], index < 4 ? [3, 2] : [2, 3]);
    assert.deepEqual(
      [...found.data],
      numbers.flatMap((number) => [number, number + 10, number + 20]),
    );
  }
});

test("a box may be as wide as a picture, and white", () => {
  for (const width of [257, 700, 5000]) {
    const white = { data: new Uint8ClampedArray(4 * width).fill(255), width, height: 1 };
    assert.deepEqual([...reduced(white, width)], [255, 255, 255], `${width} pixels`);
  }
});

test("a strip at a time gives the same as the whole, and what is drawn on is let go", async () => {
  const [whole, factor] = [picture(1502, 1000), 3]; // five strips of rows
  /** @type {{ top: number, rows: number }[]} */
  const strips = [];
  /** @type {{ width: number, height: number }[]} */
  const canvases = [];
  let top = 0;
  const pen = {
    fillRect() {},
    drawImage: (/** @type {unknown} */ _, /** @type {number} */ __, /** @type {number} */ y) => (top = -y),
    getImageData: (
      /** @type {number} */ _,
      /** @type {number} */ __,
      /** @type {number} */ width,
      /** @type {number} */ rows,
    ) => {
      strips.push({ top, rows });
      return { data: whole.data.subarray(4 * width * top, 4 * width * (top + rows)), width, height: rows };
    },
  };
  class Canvas {
    /** @param {number} width @param {number} height */
    constructor(width, height) {
      Object.assign(this, { width, height });
      canvases.push(/** @type {any} */ (this));
    }
    getContext = () => pen;
  }
  Object.assign(globalThis, { OffscreenCanvas: Canvas });
  const [{ data, width, height }, other] = await readReduced(/** @type {any} */ (whole), [factor, 5]);
  assert.ok(
    strips.length > 1 && strips.every(({ rows, top }) => rows * whole.width <= 1e6 && top % 15 === 0),
  );
  assert.deepEqual([width, height], [501, 334]);
  assert.ok(Buffer.from(data).equals(reduced(whole, factor)));
  assert.deepEqual([other.width, other.height], [301, 200]);
  assert.ok(Buffer.from(other.data).equals(reduced(whole, 5)));
  assert.deepEqual(
    canvases.map(({ width, height }) => [width, height]),
    [[0, 0]],
  );
});

test("a picture is left at three times the model's size, and never made larger", () => {
  assert.equal(factorFor(4000, 3000, 224), 4);
  assert.equal(factorFor(3000, 4000, 224), 4);
  assert.equal(factorFor(2688, 2688, 224), 4);
  assert.equal(factorFor(2687, 9999, 224), 3);
  assert.equal(factorFor(100, 100, 224), 1);
  assert.equal(factorFor(4000, 3000, null), 1); // the model takes photos as they are
});

test("a photo is made smaller to about as many pixels as the author says, and never to half of them", () => {
  assert.equal(factorTo(1024, 4032, 3024), 4);
  assert.equal(factorTo(1024, 3071, 4097), 4); // where 5 would take a fifth too much
  assert.equal(factorTo(1024, 1500, 1000), 1);
  assert.equal(factorTo(1024, 300, 200), 1);
  for (let longest = 1; longest < 9000; longest += 7) {
    const left = longest / factorTo(1024, longest, 10);
    assert.ok(left <= 1536 && left >= Math.min(longest, 768), `${longest}`);
  }
});
