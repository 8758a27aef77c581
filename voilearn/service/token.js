// The token of a visitor, where the service asks for one: of the link, or of a field on the page.
// In: the page's address, and what is typed; out: a token, kept for this tab.

import { say } from "../page/words.js";

const IN_LINK = /(?:^#|&)token=([^&]*)/;

export class Token {
  // each service of an origin has a path of its own
  #name = `voilearn-token ${new URL(".", location.href).pathname}`;
  value = this.#ofLink() ?? this.#kept() ?? "";

  /** @param {() => void} changed  called when a link with another token is opened in this tab */
  constructor(changed) {
    addEventListener("hashchange", () => {
      const value = this.#ofLink();
      if (value === undefined) return;
      this.value = value;
      changed();
    });
  }

  /** Keep it: it is the right one. */
  keep() {
    this.#store((storage) => this.value && storage.setItem(this.#name, this.value));
  }

  /** Forget it: it is wrong. */
  forget() {
    this.value = "";
    this.#store((storage) => storage.removeItem(this.#name));
  }

  // What stands behind the # is never sent; it is taken off, so that no address that is copied has it.
  #ofLink() {
    const found = IN_LINK.exec(location.hash);
    if (!found) return undefined;
    history.replaceState(history.state, "", location.pathname + location.search);
    try {
      return decodeURIComponent(found[1]);
    } catch {
      return found[1];
    }
  }

  /** @returns {string | null | undefined} */
  #kept() {
    return this.#store((storage) => storage.getItem(this.#name));
  }

  /**
   * @template T
   * @param {(storage: Storage) => T} use
   */
  #store(use) {
    try {
      return use(sessionStorage);
    } catch {
      return undefined; // a browser may deny it, as in another site's frame; then memory has it
    }
  }
}

/**
 * Makes the form that asks for the token, and takes its place in the page.
 * @param {HTMLElement} page  before which it stands
 * @param {boolean} wrong  there was one, which is not the service's
 * @param {(token: string) => void} take
 */
export function askForToken(page, wrong, take) {
  endAsking();
  const form = Object.assign(document.createElement("form"), { className: "voilearn-token" });
  const told = Object.assign(document.createElement("p"), { textContent: say("tokenNeeded") });
  const label = Object.assign(document.createElement("label"), { textContent: say("token") });
  const input = Object.assign(document.createElement("input"), {
    type: "password",
    autocomplete: "off",
    required: true,
    spellcheck: false,
  });
  const button = Object.assign(document.createElement("button"), { textContent: say("tokenTake") });
  const alert = Object.assign(document.createElement("p"), { className: "voilearn-token-wrong" });
  alert.setAttribute("role", "alert");
  label.append(input);
  form.append(told, label, button, alert);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    take(input.value.trim());
  });
  page.before(form);
  if (!wrong) return;
  alert.textContent = say("tokenWrong"); // once it is there: else it is not read out
  input.focus();
}

/** The token is right: ask no more. */
export function endAsking() {
  document.querySelector(".voilearn-token")?.remove();
}
