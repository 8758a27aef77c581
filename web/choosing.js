// The ways to give a photo: choose, drop, paste, photograph.
// In: what to call with a file; out: nothing, it listens.

export function listenForPhotos(take) {
  const find = (id) => document.getElementById(id);
  for (const input of [find("photo"), find("camera-photo")]) {
    const choose = () => {
      const file = input.files[0];
      input.value = ""; // so that choosing the same file again is a choice too
      if (file) take(file);
    };
    input.addEventListener("change", choose);
    choose(); // somebody may have been quicker than this script
  }
  find("camera").addEventListener("click", () => find("camera-photo").click());
  find("camera").hidden = !matchMedia("(pointer: coarse)").matches;
  listenForDrops(take);
  document.addEventListener("paste", (event) => {
    const file = event.clipboardData.files[0];
    if (file) take(file);
  });
}

function listenForDrops(take) {
  const mark = (yes) => document.body.classList.toggle("dropping", yes);
  document.addEventListener("dragover", (event) => {
    event.preventDefault(); // else the browser opens the file in place of the page
    mark(event.dataTransfer.types.includes("Files"));
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? mark(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    mark(false);
    const file = event.dataTransfer.files[0];
    if (file) take(file);
  });
}
