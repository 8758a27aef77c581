// Which files hold the whole of their picture: those of real encoders, cut, padded and flipped.

import assert from "node:assert/strict";
import { test } from "node:test";
import { isWhole } from "../../voilearn/page/whole.js";

// Pictures of 12 x 9 pixels, as Pillow writes them.
const WRITTEN = {
  JPEG:
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDACgcHiMeGSgjISMtKygwPGRBPDc3PHtYXUlkkYCZlo+AjIqgtObDoKrarYqMyP/L2u71////" +
    "m8H////6/+b9//j/2wBDASstLTw1PHZBQXb4pYyl+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4" +
    "+Pj/wAARCAAJAAwDASIAAhEBAxEB/8QAFgABAQEAAAAAAAAAAAAAAAAAAAIE/8QAFxABAQEBAAAAAAAAAAAAAAAAABEBAv/EABQBAQAA" +
    "AAAAAAAAAAAAAAAAAAP/xAAYEQEBAQEBAAAAAAAAAAAAAAABAgARMf/aAAwDAQACEQMRAD8Azb1ckSBADzHVtva3/9k=",
  "JPEG, progressive":
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDACgcHiMeGSgjISMtKygwPGRBPDc3PHtYXUlkkYCZlo+AjIqgtObDoKrarYqMyP/L2u71////" +
    "m8H////6/+b9//j/2wBDASstLTw1PHZBQXb4pYyl+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4" +
    "+Pj/wgARCAAJAAwDASIAAhEBAxEB/8QAFgABAQEAAAAAAAAAAAAAAAAAAAED/8QAFAEBAAAAAAAAAAAAAAAAAAAAAv/aAAwDAQACEAMQ" +
    "AAABygj/AP/EABQQAQAAAAAAAAAAAAAAAAAAACD/2gAIAQEAAQUCH//EABcRAQADAAAAAAAAAAAAAAAAAAEAETH/2gAIAQMBAT8BW9n/" +
    "xAAUEQEAAAAAAAAAAAAAAAAAAAAA/9oACAECAQE/AX//xAAUEAEAAAAAAAAAAAAAAAAAAAAg/9oACAEBAAY/Ah//xAAVEAEBAAAAAAAA" +
    "AAAAAAAAAAARIP/aAAgBAQABPyFj/9oADAMBAAIAAwAAABDz/8QAFhEBAQEAAAAAAAAAAAAAAAAAAQAR/9oACAEDAQE/EFez/8QAFhEB" +
    "AQEAAAAAAAAAAAAAAAAAAQAx/9oACAECAQE/EADL/8QAFhABAQEAAAAAAAAAAAAAAAAAEQEg/9oACAEBAAE/EKoGP//Z",
  "JPEG, restarted":
    "/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDACgcHiMeGSgjISMtKygwPGRBPDc3PHtYXUlkkYCZlo+AjIqgtObDoKrarYqMyP/L2u71////" +
    "m8H////6/+b9//j/2wBDASstLTw1PHZBQXb4pYyl+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4+Pj4" +
    "+Pj/wAARCAAJAAwDASIAAhEBAxEB/8QAFgABAQEAAAAAAAAAAAAAAAAAAAIE/8QAFxABAQEBAAAAAAAAAAAAAAAAABEBAv/EABQBAQAA" +
    "AAAAAAAAAAAAAAAAAAP/xAAYEQEBAQEBAAAAAAAAAAAAAAABAgARMf/dAAQAAf/aAAwDAQACEQMRAD8Azb1ckSBADzHVtva3/9k=",
  PNG:
    "iVBORw0KGgoAAAANSUhEUgAAAAwAAAAJCAIAAACJ2loDAAAAIklEQVR4nGN8pqHBgAosjALQRJgYiADUU8SC6QJaWkc9RQAIYQK+0SoT" +
    "3gAAAABJRU5ErkJggg==",
  "WebP, lossy":
    "UklGRloAAABXRUJQVlA4IE4AAADwAQCdASoMAAkAAUAmJbACdLoAhmAIuQAA/vLA+r+AeryiilEIP+ZdT7Mprj/7OIuit3ftjHvzrp3+" +
    "Cl8Tt//x/3gN/8t7SfmH7GtQgAA=",
  "WebP, lossless": "UklGRjAAAABXRUJQVlA4TCMAAAAvCwACAA9wFJnjmB8Fav5DCwrZSIIQ1t9mzd47h4j+B3H1AQA=",
  "GIF, animated":
    "R0lGODdhDAAJAIEAAOYoKB5aeAAAAAAAACwAAAAADAAJAAAIHQABCBwYoKDBgQQNFkQoUOFChg4jSpxIsaLFigEBACH5BAEAAAIALAAA" +
    "AAAMAAkAgeYoKB5aeAAAAAAAAAgjAAMIHCigoMGBBA0WRChQ4UKGDiNKjAigokWKFitizLjRYkAAOw==",
  GIF: "R0lGODdhDAAJAIEAAOYoKB5aeAAAAAAAACwAAAAADAAJAAAIHQABCBwYoKDBgQQNFkQoUOFChg4jSpxIsaLFigEBADs=",
  BMP:
    "Qk1iAAAAAAAAAD4AAAAoAAAADAAAAAkAAAABAAEAAAAAACQAAADEDgAAxA4AAAIAAAACAAAAAAAAAP///wAhQAAAiiAAACFAAABSEAAA" +
    "CKAAAFIAAACUoAAAJRAAAEhAAAA=",
  AVIF:
    "AAAAIGZ0eXBhdmlmAAAAAGF2aWZtaWYxbWlhZk1BMUIAAADrbWV0YQAAAAAAAAAhaGRscgAAAAAAAAAAcGljdAAAAAAAAAAAAAAAAAAA" +
    "AAAOcGl0bQAAAAAAAQAAAB5pbG9jAAAAAEQAAAEAAQAAAAEAAAETAAAAKwAAAChpaW5mAAAAAAABAAAAGmluZmUCAAAAAAEAAGF2MDFD" +
    "b2xvcgAAAABqaXBycAAAAEtpcGNvAAAAFGlzcGUAAAAAAAAADAAAAAkAAAAQcGl4aQAAAAADCAgIAAAADGF2MUOBAAwAAAAAE2NvbHJu" +
    "Y2x4AAEADQAGgAAAABdpcG1hAAAAAAAAAAEAAQQBAoMEAAAAM21kYXQSAAoJGAzuGiAhoNCAMhxHEeHhd3TTTTCwACCiSSTWq1K/hscz" +
    "WgQP4OBw",
};
const ENDS_EARLY = ["GIF", "GIF, animated"]; // the first frame does, and that is all that is looked at
const ZEROS = new Uint8Array(5000);

/** @param {(Uint8Array | string)[]} parts */
const joined = (...parts) =>
  new Uint8Array(
    Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : part))),
  );

for (const [name, base64] of Object.entries(WRITTEN)) {
  const whole = new Uint8Array(Buffer.from(base64, "base64"));

  test(`a ${name} is whole`, () => assert.equal(isWhole(whole), true));

  test(`a ${name} is whole whatever comes behind it`, () => {
    for (const behind of ["\0", "SEFT trailer of a phone", "\xff\xd8\xff\xe1 another", ZEROS]) {
      assert.equal(isWhole(joined(whole, behind)), true);
    }
  });

  test(`a ${name} cut short is not whole`, () => {
    const first = ENDS_EARLY.includes(name) ? Math.floor(whole.length / 2) - 20 : whole.length;
    for (let length = 12; length < first; length++)
      assert.equal(isWhole(whole.slice(0, length)), false, `${length}`);
  });

  const told = !/BMP|WebP|GIF/.test(name); // of those, a few zeros can be pixels
  test(`a ${name} of which half came, and then zeros, is not whole`, { skip: !told }, () => {
    const half = whole.slice(0, whole.length / 2);
    assert.equal(isWhole(joined(half, new Uint8Array(whole.length - half.length))), false);
  });
}

test("a picture whose file ends in as many zeros as no coder writes is not whole", () => {
  const [webp, avif] = [WRITTEN["WebP, lossy"], WRITTEN.AVIF].map((base64) => Buffer.from(base64, "base64"));
  const padded = joined(webp, ZEROS);
  new DataView(padded.buffer).setUint32(4, padded.length - 8, true);
  assert.equal(isWhole(padded), false);
  const box = joined(avif, ZEROS);
  const mdat = Buffer.from(box).indexOf("mdat") - 4;
  new DataView(box.buffer).setUint32(mdat, box.length - mdat);
  assert.equal(isWhole(box), false);
});

test("a PNG of which any bit is flipped is not whole", () => {
  const png = Buffer.from(WRITTEN.PNG, "base64");
  for (let bit = 8 * 8; bit < 8 * png.length; bit++) {
    const flipped = new Uint8Array(png);
    flipped[bit >> 3] ^= 1 << (bit & 7);
    assert.equal(isWhole(flipped), false, `${bit}`);
  }
});

test("nothing is said of what is none of these kinds", () => {
  for (const text of ["", "II*\0", "<svg></svg>", "%PDF-1.7", "\xff"])
    assert.equal(isWhole(joined(text)), undefined);
});

test("nothing that is made to mislead takes for ever, or throws", () => {
  let seed = 1;
  const dice = () => (seed = (seed * 48271) % 2147483647) & 0xff;
  for (const base64 of Object.values(WRITTEN)) {
    for (let round = 0; round < 300; round++) {
      const bytes = new Uint8Array(Buffer.from(base64, "base64"));
      for (let change = 0; change < 4; change++)
        bytes[12 + ((dice() * 256 + dice()) % (bytes.length - 12))] = dice();
      assert.ok([true, false].includes(/** @type {boolean} */ (isWhole(bytes))));
    }
  }
});
