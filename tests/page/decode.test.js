// Which way a file is decoded, and to how many pixels; what a browser can't do goes the other way.

import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { decoded, whole } from "../../voilearn/page/decode.js";

const TOLD = { plain: true, width: 4000, height: 3001 };
const FILE = new Blob(["a file"]);

/** @type {{ isFirefox?: boolean, fails?: boolean, turns?: boolean, opensNothing?: boolean }} */
let browser = {};
/** @type {any[]} */
let asked = [];
let open = 0;

class StubDecoder {
  /** @param {any} options */
  constructor(options) {
    this.options = options;
    asked.push(options);
    open++;
  }

  async decode() {
    if (browser.fails) throw new DOMException("damaged", "EncodingError");
    const { desiredWidth: width, desiredHeight: height } = this.options;
    const [displayWidth, displayHeight] = browser.turns ? [height, width] : [width, height];
    open++;
    return { image: { displayWidth, displayHeight, close: () => open-- } };
  }

  close() {
    open--;
  }
}

const bitmap = { width: 4000, height: 3001, close() {} };
/** @type {ImageBitmapOptions[]} */
let given = [];
const navigator = { get: () => (browser.isFirefox ? {} : { userAgentData: {} }), configurable: true };
Object.defineProperty(globalThis, "navigator", navigator);

beforeEach(() => {
  [browser, asked, given, open] = [{}, [], [], 0];
  const createImageBitmap = async (/** @type {Blob} */ _, /** @type {ImageBitmapOptions} */ options) => {
    given.push(options);
    if (browser.opensNothing) throw new DOMException("no picture", "InvalidStateError");
    return bitmap;
  };
  Object.assign(globalThis, { ImageDecoder: StubDecoder, createImageBitmap });
});

for (const [factor, width, height] of [
  [2, 2000, 1501],
  [3, 1500, 1126],
  [4, 1000, 751],
  [7, 1000, 751],
  [8, 500, 376],
  [40, 500, 376],
]) {
  test(`a JPEG that is made smaller by ${factor} is decoded to ${width} x ${height} pixels`, async () => {
    const picture = await decoded(FILE, TOLD, factor);
    assert.deepEqual([picture?.width, picture?.height], [width, height]);
    assert.deepEqual([picture?.file.width, picture?.file.height], [4000, 3001]);
    assert.equal(asked[0].colorSpaceConversion, "none");
    assert.deepEqual([given.length, open], [0, 1]); // what is open is the picture
    picture?.source.close();
    assert.equal(open, 0);
  });
}

test("whatever can't be decoded so is decoded whole", async () => {
  /** @type {[typeof browser, typeof TOLD, number][]} */
  const cases = [
    [{}, TOLD, 1],
    [{}, { ...TOLD, plain: false }, 4],
    [{ isFirefox: true }, TOLD, 4],
    [{ fails: true }, TOLD, 4],
    [{ turns: true }, TOLD, 4],
  ];
  for (const [told, header, factor] of cases) {
    browser = told;
    const picture = await decoded(FILE, header, factor);
    assert.equal(picture?.source, bitmap);
    assert.deepEqual([picture?.width, picture?.file.width], [4000, 4000]);
    assert.equal(open, 0);
  }
  Object.assign(globalThis, { ImageDecoder: undefined });
  delete (/** @type {any} */ (globalThis).ImageDecoder);
  assert.equal((await decoded(FILE, TOLD, 4))?.source, bitmap);
  assert.deepEqual(
    given.map(({ colorSpaceConversion }) => colorSpaceConversion),
    [undefined, "none", undefined, undefined, undefined, undefined],
  );
});

test("what no way opens is nothing", async () => {
  browser = { fails: true, opensNothing: true };
  assert.equal(await decoded(FILE, TOLD, 4), undefined);
  assert.equal(whole(undefined), undefined);
});
