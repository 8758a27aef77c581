// A real file input under a label, and the chosen photo's preview. Sends a file in pieces.

const PIECE = 1_000_000; // bytes: far below the 10 MiB at which servers close the connection
let inputs = 0; // on this page, so that each has an id of its own

export default () => {
  // A notebook may draw this anew at any time: what is being sent outlives the old drawing.
  let kernel;
  let number = 0; // of the photo being sent: a newer choice ends the sending of an older one
  let announced = Promise.resolve(); // that photo, and the kernel has said so

  function initialize({ model }) {
    kernel = model;
  }

  function render({ model, el }) {
    const input = element("input", { type: "file", id: `voilearn-photo-${++inputs}` });
    input.accept = "image/*,.heic,.heif";
    const label = element("label", { htmlFor: input.id, textContent: model.get("label") });
    const progress = element("progress", { max: 1, value: 0, hidden: true });
    progress.setAttribute("aria-label", "Sending");
    const preview = element("img", { alt: "The photo you chose", hidden: true });
    const frame = element("div", { className: "voilearn-preview" });

    el.classList.add("voilearn-upload");
    frame.append(preview);
    el.append(label, input, progress, frame);

    const lost = element("p", {
      className: "voilearn-error",
      textContent: "The connection to this page is lost. Please reload it.",
    });
    lost.setAttribute("role", "alert"); // read aloud as it comes onto the page
    const [ask, stopWatching] = watchConnection(model, (connected) =>
      connected ? lost.remove() : el.append(lost),
    );

    // What stands on the page is of the old photo until the kernel has put it away: it is not
    // shown, and the button can't be pressed for it.
    const outdated = (yes) => {
      const page = el.closest(".voilearn-page") ?? el;
      page.classList.toggle("voilearn-outdated", yes);
      for (const button of page.querySelectorAll("button")) button.inert = yes;
    };

    input.addEventListener("change", async () => {
      const file = input.files[0];
      if (!file) return;
      input.value = ""; // so that choosing the same file again is a choice too
      const mine = ++number;
      outdated(true);
      progress.value = 0;
      progress.hidden = file.size > model.get("max_bytes");
      ask();
      // JupyterLab may send two messages by two ways, and the second then arrives first: so each
      // is sent once the one before is confirmed, or its answer lost.
      const atMost = new Promise((resolve) => setTimeout(resolve, 1000 * model.get("patience")));
      announced = Promise.race([announced, atMost]).then(() => {
        const cleared = answer(kernel, (m) => m.kind === "cleared" && m.number === mine);
        kernel.send({ kind: "chosen", number: mine, size: file.size });
        return cleared;
      });
      await announced;
      setTimeout(() => mine === number && outdated(false)); // once its news are shown
      if (mine !== number || progress.hidden) return; // too large: the answer says why
      try {
        await sendInPieces(kernel, file, mine, (share) => {
          if (mine === number) progress.value = share;
          return mine === number;
        });
      } catch {
        kernel.send({ kind: "unreadable", number: mine });
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
  }

  return { initialize, render };
};

// Sends one piece after the other is confirmed: a slow line is never blocked for other messages.
// Goes on while `proceed`, told the share that was sent, returns true.
async function sendInPieces(kernel, file, number, proceed) {
  for (let at = 0; at < file.size; at += PIECE) {
    const piece = await file.slice(at, at + PIECE).arrayBuffer();
    const received = answer(kernel, (message) => message.kind === "received");
    kernel.send({ kind: "piece", number }, undefined, [piece]);
    await received;
    if (!proceed(Math.min(1, (at + PIECE) / file.size))) return;
  }
}

// While the page is looked at, says so to the kernel now and then, so that a server that ends idle
// kernels leaves this one; and tells whether the kernel answers.
function watchConnection(model, tell) {
  let waiting;
  const heard = () => {
    clearTimeout(waiting);
    waiting = undefined;
    tell(true);
  };
  const ask = () => {
    if (document.hidden) return;
    waiting ??= setTimeout(() => tell(false), 1000 * model.get("patience"));
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

// Resolves at the kernel's first message that is the one meant.
function answer(kernel, isMeant) {
  return new Promise((resolve) => {
    const hear = (message) => {
      if (!isMeant(message)) return;
      kernel.off("msg:custom", hear);
      resolve();
    };
    kernel.on("msg:custom", hear);
  });
}

function element(tag, properties) {
  return Object.assign(document.createElement(tag), properties);
}
