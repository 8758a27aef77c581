// The page inside any web page: <voilearn-page></voilearn-page>, wherever this script came from.
// In: the element, which may have a token; out: the page in a frame as high as it is, or why not.

const HOME = new URL(".", import.meta.url);
const TOLD_WITHIN = 5000; // milliseconds: the page's first word, once the frame has something in it

class VoilearnPage extends HTMLElement {
  /** @type {HTMLIFrameElement | undefined} */
  #frame;
  #told = new AbortController(); // the page has said something

  connectedCallback() {
    if (this.#frame) return; // it was moved
    const token = this.getAttribute("token");
    const frame = document.createElement("iframe");
    this.#frame = frame;
    Object.assign(frame, { allow: "camera; clipboard-write", title: this.title || HOME.host });
    Object.assign(frame.style, { display: "block", width: "100%", height: "40rem", border: "0" });
    if (!this.style.display) this.style.display = "block";
    addEventListener("message", (event) => this.#hear(event));
    frame.addEventListener("load", () => {
      frame.contentWindow?.postMessage({ voilearn: "embed" }, HOME.origin);
      setTimeout(() => this.#told.signal.aborted || this.#explain(), TOLD_WITHIN);
    });
    frame.src = HOME.href + (token ? `#token=${encodeURIComponent(token)}` : "");
    this.replaceChildren(frame);
  }

  /** @param {MessageEvent} event */
  #hear({ data, source, origin }) {
    const frame = this.#frame;
    if (!frame || source !== frame.contentWindow || origin !== HOME.origin) return;
    if (data?.voilearn !== "height" || !(data.height > 0)) return;
    this.#told.abort();
    frame.style.height = `${Math.min(data.height, 20_000)}px`;
    frame.title = this.title || String(data.title);
  }

  // A browser shows nothing of a page that may not be in this one, and does not say why.
  async #explain() {
    const address = new URL("healthz", HOME);
    const allowed = await fetch(address).then(
      () => true,
      () => false,
    );
    if (allowed || this.#told.signal.aborted) return;
    const there = await fetch(address, { mode: "no-cors" }).then(
      () => true,
      () => false,
    );
    const [text, link] = [document.createElement("p"), document.createElement("a")];
    text.textContent = there
      ? `The page of ${HOME.host} may not be shown here. Whoever runs it can allow it: voilearn serve --allow-origin ${location.origin} `
      : `The page of ${HOME.host} can't be reached at the moment. `;
    Object.assign(link, { href: HOME.href, target: "_blank", rel: "noopener", textContent: HOME.href });
    text.append(link);
    this.replaceChildren(text);
  }
}

if (!customElements.get("voilearn-page")) customElements.define("voilearn-page", VoilearnPage);
