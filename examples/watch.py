"""Answer for each new photo in a folder, or what a Raspberry Pi's camera sees instead: --camera."""

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from voilearn import load_classify
from voilearn.errors import VoilearnError

CAMERA = ["rpicam-still", "--nopreview", "--immediate", "--encoding", "jpg", "--output", "-"]


def from_camera() -> Iterator[tuple[str, bytes]]:
    while True:
        photo = subprocess.run(CAMERA, stdout=subprocess.PIPE, check=True).stdout
        yield time.strftime("%H:%M:%S"), photo


def from_folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    sizes = dict.fromkeys(folder.iterdir(), -1)  # of what is still being written; -1: answered
    while True:
        time.sleep(0.5)
        for path in sorted(folder.iterdir()):
            size, before = path.stat().st_size, sizes.get(path)
            if before != -1:
                sizes[path] = -1 if size == before else size
                if size == before:  # twice the same: it is all there
                    yield path.name, path.read_bytes()


model, place = sys.argv[1:]  # python watch.py export.onnx photos/
classify = load_classify(model)
for name, photo in from_camera() if place == "--camera" else from_folder(Path(place)):
    try:
        prediction = classify(photo)
        print(f"{name}: {prediction.label} {prediction.probability:.1%}", flush=True)
    except VoilearnError as error:
        print(f"{name}: {error}", flush=True)
