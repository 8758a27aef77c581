// A real file input under a label, and the chosen photo's preview. Sends a file in pieces.

const PIECE = 1_000_000; // bytes: far below the 10 MiB at which servers close the connection

export default {
  render({ model, el }) {
    const input = element("input", { type: "file", id: `photo-${model.model_id ?? Date.now()}` });
    input.accept = "image/*,.heic,.heif";
    const label = element("label", { htmlFor: input.id, textContent: model.get("label") });
    const progress = element("progress", { max: 1, hidden: true });
    progress.setAttribute("aria-label", "Sending the photo");
    const preview = element("img", { alt: "The photo you chose", hidden: true });

    el.classList.add("voilearn-upload");
    el.append(label, input, progress, frame(preview));

    const lost = element("p", {
      className: "voilearn-error",
      textContent: "The connection to this page is lost. Please reload it.",
    });
    lost.setAttribute("role", "alert"); // read aloud as it comes onto the page
    const [ask, stopWatching] = watchConnection(model, (connected) =>
      connected ? lost.remove() : el.append(lost),
    );

    let number = 0; // of the photo being sent: a newer choice ends the sending of an older one
    input.addEventListener("change", async () => {
      const file = input.files[0];
      if (!file) return;
      input.value = ""; // so that choosing the same file again is a choice too
      const mine = ++number;
      ask();
      model.send({ kind: "chosen", number: mine, size: file.size });
      if (file.size > model.get("max_bytes")) return; // the answer says why
      progress.hidden = false;
      for (let at = 0; at < file.size && mine === number; at += PIECE) {
        const piece = await file.slice(at, at + PIECE).arrayBuffer();
        const received = answer(model, "received");
        model.send({ kind: "piece", number: mine }, undefined, [piece]);
        await received; // one at a time: a slow line is never blocked for other messages
        progress.value = Math.min(1, (at + PIECE) / file.size);
      }
      if (mine === number) progress.hidden = true;
    });

    const show = () => {
      URL.revokeObjectURL(preview.src);
      const bytes = model.get("preview");
      preview.hidden = !bytes?.byteLength;
      if (!preview.hidden) preview.src = URL.createObjectURL(new Blob([bytes]));
      else preview.removeAttribute("src");
    };
    model.on("change:preview", show);
    show();
    return () => {
      stopWatching();
      model.off("change:preview", show);
      URL.revokeObjectURL(preview.src);
    };
  },
};

// While the page is looked at, says so to the kernel now and then, so that a server that ends idle
// kernels leaves this one; and tells whether the kernel answers.
function watchConnection(model, tell) {
  let waiting;
  const wait = () => {
    waiting ??= setTimeout(() => tell(false), 1000 * model.get("patience"));
  };
  const heard = () => {
    clearTimeout(waiting);
    waiting = undefined;
    tell(true);
  };
  const ask = () => {
    if (document.hidden) return;
    wait();
    model.send({ kind: "here" });
  };
  model.on("msg:custom", heard);
  document.addEventListener("visibilitychange", ask);
  const beat = setInterval(ask, 1000 * model.get("heartbeat"));
  const stop = () => {
    clearInterval(beat);
    clearTimeout(waiting);
    document.removeEventListener("visibilitychange", ask);
    model.off("msg:custom", heard);
  };
  return [ask, stop];
}

// Resolves when the kernel sends a message of that kind.
function answer(model, kind) {
  return new Promise((resolve) => {
    const hear = (message) => {
      if (message.kind !== kind) return;
      model.off("msg:custom", hear);
      resolve();
    };
    model.on("msg:custom", hear);
  });
}

function element(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}

function frame(preview) {
  const box = element("div", { className: "voilearn-preview" });
  box.append(preview);
  return box;
}
