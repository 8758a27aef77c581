"""Make the peers of our page for devices: transformers.js, and the least that a page can do.

In comes a learner; out goes a folder with a page of one input and one answer, and the network as
`pixel_values` to `logits`. transformers.js is as its documentation has it: its minified build, a
runtime of its own, and its preprocessing set as near to the learner's as it has it. The least is to
decode the photo, squeeze it and ask ONNX Runtime Web.
"""

import json
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import Any

# exact, with the runtime it pins itself
TRANSFORMERS = "@huggingface/transformers@4.3.1"
RUNTIME = "onnxruntime-web@1.31.0-dev.20260914-8d85527a0"
# what it takes by itself in every browser but an old Safari, and what it takes there: half the
# size, and enough without a GPU
RUNTIMES = {"default": "ort-wasm-simd-threaded.asyncify", "plain": "ort-wasm-simd-threaded"}
CACHE = Path(tempfile.gettempdir()) / "voilearn-benchmark-npm"

# A page with one input and one answer.
PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Peer</title>
</head>
<body>
<label>Photo <input id="photo" type="file" accept="image/*"></label>
<p id="answer"></p>
<ul id="bars"></ul>
<script type="module">
SCRIPT
const photo = document.getElementById("photo");
const answer = document.getElementById("answer");
const bars = document.getElementById("bars");

async function classify() {
  if (!photo.files.length) return;
  const found = await ask(photo.files[0]);
  answer.textContent = `${found[0].label}: ${percent(found[0].score)}`;
  bars.replaceChildren(...found.map(bar));
}

function bar({ label, score }) {
  const item = document.createElement("li");
  item.dataset.label = label;
  item.dataset.probability = score;
  item.textContent = `${label}: ${percent(score)}`;
  return item;
}

const percent = (score) => `${(100 * score).toFixed(1)} %`;
photo.addEventListener("change", classify);
classify();
</script>
</body>
</html>
"""

# As in "Building a Vanilla JS application", with two things in its favour: a photo that is chosen
# before the model is there waits for it, and nothing is drawn but the answer.
TRANSFORMERS_JS = """
import { env, pipeline } from "./transformers.min.js";

env.allowLocalModels = true;
env.allowRemoteModels = false;
env.localModelPath = "/models/";
env.backends.onnx.wasm.wasmPaths = { mjs: "/RUNTIME.mjs", wasm: "/RUNTIME.wasm" };

const classifier = pipeline("image-classification", "learner", { device: "wasm", dtype: "fp32" });

async function ask(file) {
  const url = URL.createObjectURL(file);
  const found = await (await classifier)(url, { top_k: null });
  URL.revokeObjectURL(url);
  return found;
}
"""

# The browser's own decoder, its own scaling, and the runtime, with nothing around them.
LEAST = """
import * as ort from "./ort.wasm.min.mjs";

const { classes, height, width, mean, std } = LEARNER;
const model = ort.InferenceSession.create("/model.onnx", { executionProviders: ["wasm"] });
const pen = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });

async function ask(file) {
  const picture = await createImageBitmap(file);
  pen.drawImage(picture, 0, 0, width, height);
  picture.close();
  const { data } = pen.getImageData(0, 0, width, height);
  const plane = width * height;
  const pixels = new Float32Array(3 * plane);
  for (let band = 0; band < 3; band++)
    for (let at = 0; at < plane; at++)
      pixels[band * plane + at] = (data[4 * at + band] / 255 - mean[band]) / std[band];
  const input = new ort.Tensor("float32", pixels, [1, 3, height, width]);
  const logits = Array.from((await (await model).run({ pixel_values: input })).logits.data);
  const powers = logits.map((logit) => Math.exp(logit - Math.max(...logits)));
  const sum = powers.reduce((a, b) => a + b);
  const found = powers.map((power, place) => ({ score: power / sum, label: classes[place] }));
  return found.sort((a, b) => b.score - a.score);
}
"""


def fetch(package: str, names: dict[str, str], folder: Path) -> None:
    """Put files of an npm package into a folder, each under its new name.

    The package is fetched once, and kept in the temporary folder of this machine.
    """
    CACHE.mkdir(exist_ok=True)
    kept = CACHE / package.strip("@").replace("/", "-").replace("@", "-")
    tarball = kept.with_name(f"{kept.name}.tgz")
    if not tarball.exists():
        command = ["npm", "pack", "--silent", "--pack-destination", str(CACHE), package]
        subprocess.run(command, check=True, capture_output=True)
    with tarfile.open(tarball) as packed:
        for name, new in names.items():
            member = packed.extractfile(f"package/dist/{name}")
            assert member is not None
            with (folder / new).open("wb") as file:
                shutil.copyfileobj(member, file)


def preprocessing(resize: Any, normalize: Any) -> dict[str, Any]:
    """Return the preprocessor_config.json that is nearest to a learner's transforms."""
    height, width = resize.size
    config: dict[str, Any] = {
        "image_processor_type": "ViTImageProcessor",
        "do_resize": True,
        "resample": 2,
        "do_rescale": True,
        "do_normalize": normalize is not None,
    }
    if normalize is not None:
        config["image_mean"] = normalize.mean.flatten().tolist()
        config["image_std"] = normalize.std.flatten().tolist()
    if str(resize.method) == "squish":
        return config | {"size": {"height": height, "width": width}}
    if str(resize.method) == "crop" and height == width:
        size = {"height": height, "width": width}
        return (
            config
            | {"size": {"shortest_edge": height}, "do_center_crop": True}
            | {"crop_size": size}
        )
    raise SystemExit(f"The peer has no such resizing: {resize.method} to {height} x {width}.")


def export_network(learn: Any, size: tuple[int, int], path: Path) -> None:
    """Write the learner's network as ONNX, from `pixel_values` to `logits`."""
    import torch

    torch.onnx.export(
        learn.model.eval(),
        (torch.rand(1, 3, *size),),
        str(path),
        dynamo=True,
        external_data=False,
        opset_version=20,
        input_names=["pixel_values"],
        output_names=["logits"],
        verbose=False,
    )


def transforms(learn: Any) -> tuple[Any, Any]:
    """Return a learner's resizing, and its normalizing or None."""
    resize = next(t for t in learn.dls.after_item.fs if type(t).__name__ == "Resize")
    norms = [t for t in learn.dls.after_batch.fs if type(t).__name__ == "Normalize"]
    return resize, norms[0] if norms else None


def make_least(model: Path, folder: Path) -> None:
    """Write the page that does the least for an export.pkl into a folder.

    It squeezes a photo to the network's size, as `squish` does; the time of that is what it is for.
    """
    from voilearn.learner.load import load_learner, model_info

    learn = load_learner(model)
    resize, normalize = transforms(learn)
    height, width = resize.size
    told = {
        "classes": list(model_info(learn, model, "").classes),
        "height": height,
        "width": width,
        "mean": normalize.mean.flatten().tolist() if normalize else [0, 0, 0],
        "std": normalize.std.flatten().tolist() if normalize else [1, 1, 1],
    }
    folder.mkdir()
    export_network(learn, resize.size, folder / "model.onnx")
    script = LEAST.replace("LEARNER", json.dumps(told))
    (folder / "index.html").write_text(PAGE.replace("SCRIPT", script))
    name = RUNTIMES["plain"]
    parts = ("ort.wasm.min.mjs", f"{name}.mjs", f"{name}.wasm")
    fetch(RUNTIME, {part: part for part in parts}, folder)


def make_peer(model: Path, folder: Path, runtime: str = "default") -> None:
    """Write the peer's page for an export.pkl into a folder."""
    from voilearn.learner.load import load_learner, model_info

    learn = load_learner(model)
    resize, normalize = transforms(learn)
    home = folder / "models" / "learner"
    (home / "onnx").mkdir(parents=True)
    export_network(learn, resize.size, home / "onnx" / "model.onnx")
    classes = model_info(learn, model, "").classes
    config = {"model_type": "resnet", "id2label": dict(enumerate(classes))}
    (home / "config.json").write_text(json.dumps(config))
    prepared = preprocessing(resize, normalize)
    (home / "preprocessor_config.json").write_text(json.dumps(prepared))
    name = RUNTIMES[runtime]
    script = TRANSFORMERS_JS.replace("RUNTIME", name)
    (folder / "index.html").write_text(PAGE.replace("SCRIPT", script))
    fetch(TRANSFORMERS, {"transformers.min.js": "transformers.min.js"}, folder)
    fetch(RUNTIME, {f"{name}.{kind}": f"{name}.{kind}" for kind in ("mjs", "wasm")}, folder)
