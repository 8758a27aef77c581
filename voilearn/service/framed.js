// The page in a frame of another page, which makes the frame as high as this one is.
// In: a message of embed.js; out: the page's height and title, to it alone, whenever they change.

/** Answers the page around, if there is one. Whose it may be, the Content-Security-Policy says. */
export function fitFrame() {
  if (parent === self) return;
  addEventListener("message", ({ data, source, origin }) => {
    if (source !== parent || data?.voilearn !== "embed") return;
    document.documentElement.classList.add("voilearn-framed");
    const tell = () => {
      const height = Math.ceil(document.body.getBoundingClientRect().height);
      parent.postMessage({ voilearn: "height", height, title: document.title }, origin);
    };
    new ResizeObserver(tell).observe(document.body);
  });
}
