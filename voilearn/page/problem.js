// What an asker throws in place of a Prediction: why there is none.
// In: what was told of it; out: an error with a `type`, a sentence, and when to try again.

// A problem that was told, as the service's problem+json tells it. `type` is the error's name in
// Python's tree, `message` (and `detail`) the sentence, `retryAfter` seconds, or undefined.
export class Problem extends Error {
  constructor({ type, detail = "", retryAfter }) {
    super(detail);
    Object.assign(this, { type, detail, retryAfter });
  }
}

// Who was asked is gone, and the photo with it: it may be asked about again.
export class Lost extends Error {}
