// A visitor whose browser asks for English, whatever this machine's language is. Imported before
// the page's words, which look once.

/** @param {string[] | undefined} languages  the browser's */
export function speak(languages) {
  Object.defineProperty(globalThis, "navigator", { value: { languages }, configurable: true });
}

speak(["en"]);
