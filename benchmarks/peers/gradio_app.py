"""Gradio with learn.predict, as its documentation has it. Usage: gradio_app.py EXPORT PORT."""

import sys

import gradio
from fastai.vision.all import PILImage, load_learner

learn = load_learner(sys.argv[1])


def classify(photo: str) -> dict[str, float]:
    """Return every class's probability."""
    with learn.no_bar(), learn.no_logging():
        _, _, probs = learn.predict(PILImage.create(photo))
    return dict(zip(learn.dls.vocab, map(float, probs)))  # noqa: B905


interface = gradio.Interface(
    fn=classify,
    inputs=gradio.Image(type="filepath"),
    outputs=gradio.Label(),
    flagging_mode="never",
)
interface.launch(server_port=int(sys.argv[2]), quiet=True)
