// The words that the page's elements have from the start, in the visitor's language.
// In: the page's element; out: the same, translated.

/** @import { Key } from "./words.js" */
import { say } from "./words.js";

/**
 * Puts what the page's elements say into the visitor's language.
 * @param {HTMLElement} el
 */
export function translate(el) {
  /** @type {(name: string, put: (each: HTMLElement, words: string) => void) => void} */
  const all = (name, put) => {
    for (const each of el.querySelectorAll(`[data-${name}]`)) {
      const [at, key] = /** @type {[HTMLElement, Key]} */ ([each, each.getAttribute(`data-${name}`)]);
      put(at, say(key));
    }
  };
  all("say", (each, words) => (each.textContent = words));
  all("alt", (each, words) => each.setAttribute("alt", words));
  all("title", (each, words) => (each.title = words));
  all("label", (each, words) => each.setAttribute("aria-label", words));
}
