// The ways to give photos: choose, drop, paste, take one with the camera.
// In: the page's element and what to call with files; out: nothing, it listens.

import { say } from "./words.js";

/** @typedef {(files: File[]) => void} Take */

/**
 * Listens for photos, however they are given.
 * @param {HTMLElement} el  the page's
 * @param {boolean} everywhere  files may be dropped and pasted anywhere: the window is ours alone
 * @param {Take} take
 */
export function listenForPhotos(el, everywhere, take) {
  const input = /** @type {HTMLInputElement} */ (el.querySelector(".voilearn-upload input"));
  /** @type {FileList | null} */
  let held;
  const choose = () => {
    held = input.files;
    if (held?.length) take([...held]);
  };
  input.addEventListener("change", choose);
  input.addEventListener("click", () => (input.value = "")); // the same file again is a choice too
  input.addEventListener("cancel", () => (input.files = held));
  choose(); // somebody may have been quicker than this script
  /** @type {Take} */
  const give = (files) => {
    input.files = held = listOf(files); // what the field says is true of photos given otherwise too
    take(files);
  };
  /** @type {GlobalEventHandlers} */
  const place = everywhere ? document : el;
  listenForDrops(place, el, give);
  place.addEventListener("paste", (event) => {
    const files = picturesOf(event.clipboardData);
    if (!files.length) return;
    event.preventDefault();
    give(files);
  });
  offerCamera(el, give);
}

/**
 * Have the file field say that it holds no file.
 * @param {HTMLElement} upload
 */
export function empty(upload) {
  const [input] = upload.getElementsByTagName("input");
  input.value = "";
}

/** @param {File[]} files */
function listOf(files) {
  const list = new DataTransfer();
  for (const file of files) list.items.add(file);
  return list.files;
}

/** @param {GlobalEventHandlers} place @param {HTMLElement} el @param {Take} take */
function listenForDrops(place, el, take) {
  /** @param {DragEvent} event */
  const isFiles = (event) => event.dataTransfer?.types.includes("Files");
  /** @param {boolean} yes */
  const mark = (yes) => el.classList.toggle("voilearn-dropping", yes);
  place.addEventListener("dragover", (event) => {
    if (!isFiles(event)) return;
    event.preventDefault(); // else the browser opens the file in place of the page
    mark(true);
  });
  place.addEventListener("dragleave", (event) => event.relatedTarget ?? mark(false));
  place.addEventListener("drop", (event) => {
    mark(false);
    if (!isFiles(event)) return;
    event.preventDefault();
    const files = [...(event.dataTransfer?.files ?? [])];
    if (files.length) take(files); // a mail program gives none, and calls them files
  });
}

/**
 * Of a paste, what is a file: text that comes with a picture from a web page is left alone.
 * @param {DataTransfer | null} data
 */
function picturesOf(data) {
  return [...(data?.files ?? [])];
}

/**
 * A phone has a camera of its own to offer; at a desk the page shows what the camera sees.
 * @param {HTMLElement} el
 * @param {Take} take
 */
function offerCamera(el, take) {
  const button = /** @type {HTMLElement} */ (el.querySelector(".voilearn-camera"));
  const phone = matchMedia("(pointer: coarse)").matches;
  if (!phone && !navigator.mediaDevices?.getUserMedia) return; // as on plain http
  button.hidden = false;
  button.addEventListener("click", () => (phone ? usePhone(take) : useDesk(el, button, take)));
}

/** @param {Take} take */
function usePhone(take) {
  const input = Object.assign(document.createElement("input"), { type: "file", accept: "image/*" });
  input.setAttribute("capture", "environment"); // the camera at the back
  input.addEventListener("change", () => take([...(input.files ?? [])]));
  input.click();
}

/** @param {HTMLElement} el @param {HTMLElement} button @param {Take} take */
async function useDesk(el, button, take) {
  const dialog = /** @type {HTMLDialogElement} */ (el.querySelector(".voilearn-live"));
  const [video] = dialog.getElementsByTagName("video");
  const [refused] = dialog.getElementsByTagName("p");
  const [snap, cancel] = dialog.querySelectorAll("button");
  refused.textContent = say("askCamera");
  snap.disabled = true;
  dialog.showModal();
  let stream;
  const closed = new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  cancel.onclick = () => dialog.close();
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 1920 } },
    });
    video.srcObject = stream;
    await video.play();
    refused.textContent = "";
    snap.disabled = !dialog.open;
    snap.focus();
  } catch {
    refused.textContent = say("noCamera");
  }
  snap.onclick = async () => {
    const photo = await stillOf(video);
    dialog.close();
    if (photo) take([photo]);
  };
  await closed; // by Escape too
  for (const track of stream?.getTracks() ?? []) track.stop();
  video.srcObject = null;
  button.focus();
}

/** @param {HTMLVideoElement} video */
async function stillOf(video) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width: video.videoWidth, height: video.videoHeight });
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  /** @type {Blob | null} */
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
  return blob && new File([blob], "camera.jpg", { type: "image/jpeg" });
}
