// Shows the answer: one sentence in a live region, and a bar for every class. Text, never HTML.

export default {
  render({ model, el }) {
    const sentence = document.createElement("p");
    sentence.setAttribute("role", "status"); // stays on the page, so that changes are read aloud
    const bars = document.createElement("ul");
    el.append(sentence, bars);

    const show = () => {
      const kind = model.get("kind");
      sentence.className = `voilearn-status${kind && ` voilearn-${kind}`}`;
      sentence.textContent = model.get("sentence");
      bars.className = "voilearn-bars";
      bars.replaceChildren(...model.get("bars").map(bar));
    };
    const changes = "change:sentence change:kind change:bars";
    model.on(changes, show);
    show();
    return () => model.off(changes, show);
  },
};

function bar([label, probability, percent]) {
  const item = document.createElement("li");
  item.className = "voilearn-bar";
  item.dataset.label = label;
  item.dataset.probability = probability;
  item.style.setProperty("--share", `${100 * probability}%`);
  item.append(part("label", label), part("track", ""), part("percent", percent));
  return item;
}

function part(name, text) {
  const span = document.createElement("span");
  span.className = `voilearn-bar-${name}`;
  span.textContent = text;
  return span;
}
