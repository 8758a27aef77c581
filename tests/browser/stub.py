"""A page whose model is a stub, told by a photo's width what to do.

In: the app's folder; out: a folder with the same page, examples and words of an author's, whose
answers are known and come at once. It is run in four ways: `voila`, behind a Jupyter Server below
/user/, as the page of a service, and as that of a device.
"""

import contextlib
import io
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

from tests.browser import drawn

# What the stub does with a photo of this width in pixels; any other gets a plain answer.
BUSY, SLOW, MULTI, MANY, BUG, UNSURE, TEXT = 301, 302, 303, 304, 305, 306, 307
RETRY_AFTER = 5  # seconds, longer than a page takes an answer for slow
HELD, LOOKED, CAME = "held", "looked", "came"  # files beside the notebook
HOSTILE = "<img src=x onerror=\"document.title='broken in'\">"

STUB = f"""
import time
from pathlib import Path
from voilearn.errors import ServiceBusy
from voilearn.image import decode_photo
from voilearn.prediction import ModelInfo, predict_from

BEARS = ("black", "grizzly", "teddy")
MANY = tuple(f"kind {{number}}" for number in range(40))
busy = []

class Stub:
    def current(self):
        return Path("sha256.txt").read_text()

    def __call__(self, photo):
        width, height = decode_photo(photo).size
        with open({LOOKED!r}, "a") as looked:
            looked.write(f"{{width}} ")
        with open({CAME!r}, "a") as came:
            came.write(f"{{len(photo)}} ")
        sha256 = self.current()
        if width == {BUSY} and len(busy) < 1:
            busy.append(1)
            error = ServiceBusy("The service has as many photos as it can take.")
            error.retry_after = {RETRY_AFTER}
            raise error
        if width == {SLOW}:
            while Path({HELD!r}).exists():
                time.sleep(0.02)
        if width == {BUG}:
            raise ZeroDivisionError("a secret of ours")
        if width == {MULTI}:
            info = ModelInfo("stub", sha256, "multi-label", BEARS)
            return predict_from([0.7, 0.9, 0.1], info)
        if width == {MANY}:
            info = ModelInfo("stub", sha256, "single-label", MANY)
            return predict_from([(40 - n) / 820 for n in range(40)], info)
        if width == {TEXT}:
            info = ModelInfo("stub", sha256, "single-label", ({HOSTILE!r}, "b", "c"))
            return predict_from([0.97, 0.02, 0.01], info)
        info = ModelInfo("stub", sha256, "single-label", BEARS)
        if width == {UNSURE}:
            return predict_from([0.41, 0.36, 0.23], info)
        # what was seen: the share of the width in the sum of both sides
        return predict_from([0.0, 0.9731, 0.0269] if width >= height else [0.8, 0.15, 0.05], info)
"""
CELL = f"""{STUB}
from voilearn.notebook.widget import Page, show_errors

show_errors()
Page(Stub())
"""
# For a service of the same: its model is in sha256.txt, whose content is the model's hash.
MODEL = f"""{STUB}
from voilearn.service import live_model

class Loaded(Stub):
    def __init__(self, path, *_):
        self.runtime, self.agreement, self.size, self.scope = "stub", None, None, None
        self.info = ModelInfo("stub", path.read_text(), "single-label", BEARS)

live_model.load_classify = Loaded
"""
SERVICE = f"""{MODEL}
import sys
from voilearn.service.serve import Options, serve

options = Options(Path("sha256.txt"), port=int(sys.argv[1]), drain=0.0)
serve(options, lambda *_: None)
"""

# The page of a device as it is built, but for the model: a worker that tells a photo's sides, and
# what makes the answer of those.
WORKER = f"""
const givenUp = new Set()
let turn = Promise.resolve()
let beside

async function look(number, {{ width, height }}) {{
  await new Promise((resolve) => setTimeout(resolve))
  if (givenUp.has(number)) return
  await fetch(`${{beside}}{LOOKED}/${{width}}`, {{ cache: 'no-store' }})
  while (width === {SLOW} && (await fetch(`${{beside}}{HELD}`, {{ cache: 'no-store' }})).ok);
  const wrong = {{ kind: 'unanswered', number, key: 'wrong', values: {{}} }}
  const answer = {{ kind: 'answer', number, outputs: [width, height] }}
  self.postMessage(width === {BUG} ? wrong : answer)
}}

self.onmessage = ({{ data }}) => {{
  if (data.kind === 'start') {{
    beside = new URL('..', data.base).href
    self.postMessage({{ kind: 'ready' }})
  }}
  if (data.kind === 'cancel') givenUp.add(data.number)
  if (data.kind === 'photo') turn = turn.then(() => look(data.number, data.pixels))
}}
"""
PREDICTION = f"""
export function predictFrom([width, height], {{ name, sha256 }}) {{
  let [task, classes, found] = ['single-label', ['black', 'grizzly', 'teddy'], undefined]
  let numbers = width >= height ? [0, 0.9731, 0.0269] : [0.8, 0.15, 0.05]
  if (width === {MULTI}) [task, numbers, found] = ['multi-label', [0.7, 0.9, 0.1], 2]
  if (width === {MANY}) {{
    classes = Array.from({{ length: 40 }}, (_, number) => `kind ${{number}}`)
    numbers = classes.map((_, number) => (40 - number) / 820)
  }}
  if (width === {TEXT}) [classes, numbers] = [[{HOSTILE!r}, 'b', 'c'], [0.97, 0.02, 0.01]]
  if (width === {UNSURE}) numbers = [0.41, 0.36, 0.23]
  const ranked = classes.map((label, at) => [label, numbers[at]]).sort((a, b) => b[1] - a[1])
  const labels = ranked.slice(0, found ?? 1).map(([label]) => label)
  return {{
    label: labels[0],
    probability: ranked[0][1],
    probabilities: Object.fromEntries(ranked),
    labels,
    in_scope: null,
    model: {{ name, sha256, task, classes }},
  }}
}}
"""
DEVICE = f"""
import hashlib, json, sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from voilearn.device import build
from voilearn.device.large import pack
from voilearn.device.npm import Brought

class Handler(SimpleHTTPRequestHandler):
    def do_GET(self):
        name, _, width = self.path[1:].partition("/")
        if name == {LOOKED!r}:
            with open({LOOKED!r}, "a") as looked:
                looked.write(f"{{width}} ")
        super().do_GET()

scripts = {{"prediction.js": {PREDICTION!r}, "worker.js": {WORKER!r}}}
for name, text in scripts.items():
    Path(name).write_text(text)
own = str(Path("prediction.js").resolve())
page = build.SCRIPTS["page.js"]
build.SCRIPTS["page.js"] = tuple(own if "prediction" in name else name for name in page)
build.SCRIPTS["worker.js"] = (str(Path("worker.js").resolve()),)
build.get_package = lambda *_: Brought(b"", pack("runtime", "ort", "wasm", b"stub"), b"")
model = {{"name": "stub", "sha256": "0" * 64, "task": "single-label", "classes": ["grizzly"]}}
told = {{"model": model, "thresholds": None, "preprocessing": {{"size": 224}}}}
Path("export.onnx").write_bytes(b"stub")
told["onnx"] = {{"sha256": hashlib.sha256(b"stub").hexdigest()}}
Path("export.json").write_text(json.dumps(told))
build.build(Path(), Path("app.ipynb"), Path("device"))
ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""

TITLE = "Bears of {{ all }} {% sizes %} {# & <b>kinds"
INTRODUCTION = "Choose a {{ photo }}."
WORDS = f"""
title = "{TITLE}"
introduction = "{INTRODUCTION}"
photo_size = 1024

[classes.grizzly]
name = "A grizzly bear"
description = "Brown, with a hump between its shoulders."
colour = "#a8591f"
"""


def lay_out(app: Path, folder: Path, cell: str = CELL) -> Path:
    """Make the folder of such a page."""
    shutil.copytree(app, folder, ignore=shutil.ignore_patterns("export.*", "examples"))
    notebook = json.loads((app / "app.ipynb").read_text())
    heading, code = notebook["cells"][0], notebook["cells"][-1]
    notebook["cells"] = [heading, code | {"source": cell}]
    (folder / "app.ipynb").write_text(json.dumps(notebook))
    (folder / "app.toml").write_text(WORDS)
    (folder / "sha256.txt").write_text("0" * 64)
    (folder / "examples").mkdir()
    for number in (1, 2):
        (folder / "examples" / f"bear_{number}.png").write_bytes(drawn.png(number))
    return folder


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Have whoever looks at a SLOW photo go on looking, in the kernels of such a page."""
    (folder / HELD).touch()
    try:
        yield
    finally:
        (folder / HELD).unlink()


def looked_at(folder: Path) -> list[int]:
    """Return the widths of the photos that the kernels looked at, in their order."""
    return [int(width) for width in (folder / LOOKED).read_text().split()]


def came_to(folder: Path) -> list[int]:
    """Return the sizes in bytes of the photos that came, in their order."""
    return [int(size) for size in (folder / CAME).read_text().split()]


def photo(width: int = 400, height: int = 300, kind: str = "PNG", seed: int = 1) -> bytes:
    """Draw a photo of a size; the stub goes by its width."""
    file = io.BytesIO()
    drawn.scene(seed, (width, height)).save(file, kind)
    return file.getvalue()
