// What an asker throws in place of a Prediction: why there is none.
// In: what was told of it; out: an error with a `type`, a sentence, and when to try again.

/** A problem that was told, as the service's problem+json tells it. */
export class Problem extends Error {
  /**
   * @param {object} told
   * @param {string} told.type  the error's name in Python's tree
   * @param {string} [told.words]  the sentence in the visitor's language, where the page knows it
   * @param {string} [told.detail]  the sentence in English, which is the `message` too
   * @param {number} [told.retryAfter]  seconds
   */
  constructor({ type, words, detail = words ?? "", retryAfter }) {
    super(detail);
    this.type = type;
    this.words = words;
    this.detail = detail;
    this.retryAfter = retryAfter;
  }
}

/** Who was asked is gone, and the photo with it: it may be asked about again. */
export class Lost extends Error {}

/** Certainly without having seen it. */
export class Unseen extends Lost {}
