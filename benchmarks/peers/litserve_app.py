"""LitServe with ONNX Runtime: a worker for each core. Usage: litserve_app.py ONNX PORT.

What a good engineer would write, with the same file as ours: resizing, normalizing and softmax
are in the graph, and a large JPEG is decoded at half its size or less where that is enough.
"""

import io
import json
import os
import sys
from pathlib import Path
from typing import Annotated

import litserve
import numpy as np
import onnxruntime
from fastapi import Body
from PIL import Image, ImageOps

MODEL = Path(sys.argv[1])


class Classifier(litserve.LitAPI):
    """Photo in, probabilities out."""

    def setup(self, device: str) -> None:
        """Open the model with one thread, for there is a worker for each core."""
        facts = json.loads(MODEL.with_suffix(".json").read_text())
        self.classes = facts["model"]["classes"]
        self.size = facts["preprocessing"]["size"]
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(MODEL), options, providers=["CPUExecutionProvider"]
        )

    def decode_request(self, request: Annotated[bytes, Body()]) -> np.ndarray:
        """Decode the body as an upright RGB picture."""
        picture = Image.open(io.BytesIO(request))
        picture.draft("RGB", (2 * self.size, 2 * self.size))
        return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the probabilities."""
        (probabilities,) = self.session.run(["probabilities"], {"photo": x})
        return probabilities

    def encode_response(self, output: np.ndarray) -> dict[str, object]:
        """Answer with the label and every class's probability."""
        return {
            "label": self.classes[int(output.argmax())],
            "probabilities": dict(zip(self.classes, map(float, output), strict=True)),
        }


if __name__ == "__main__":
    server = litserve.LitServer(
        Classifier(), accelerator="cpu", workers_per_device=os.cpu_count() or 1
    )
    server.run(
        port=int(sys.argv[2]), generate_client_file=False, log_level="warning", access_log=False
    )
