"""A page of Gradio as fast as it comes: `live`, so that a photo is answered without a click.

Usage: gradio_page.py EXPORT PORT. A click on Submit would only add to it. One thread of torch,
like ours, and a model that has answered once.
"""

import sys

import gradio
import torch
from fastai.vision.all import PILImage, load_learner
from PIL import Image

torch.set_num_threads(1)
learn = load_learner(sys.argv[1])


def classify(photo: Image.Image | None) -> dict[str, float]:
    """Return every class's probability, or nothing when the photo was cleared."""
    if photo is None:
        return {}
    with learn.no_bar(), learn.no_logging():
        _, _, probs = learn.predict(PILImage.create(photo))
    return dict(zip(learn.dls.vocab, map(float, probs)))  # noqa: B905


classify(Image.new("RGB", (640, 480)))
interface = gradio.Interface(
    fn=classify, inputs=gradio.Image(type="pil"), outputs=gradio.Label(), live=True
)
interface.launch(server_port=int(sys.argv[2]), quiet=True)
