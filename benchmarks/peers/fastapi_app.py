"""FastAPI with learn.predict, as most people write it. Usage: fastapi_app.py EXPORT PORT."""

import sys

import uvicorn
from fastai.vision.all import PILImage, load_learner
from fastapi import FastAPI, UploadFile

learn = load_learner(sys.argv[1])
app = FastAPI()


@app.get("/health")
async def health() -> dict[str, str]:
    """Say that the learner is loaded."""
    return {"status": "ok"}


@app.post("/predict")
async def predict(photo: UploadFile) -> dict[str, object]:
    """Answer with the label and every class's probability."""
    img = PILImage.create(await photo.read())
    with learn.no_bar(), learn.no_logging():
        label, _, probs = learn.predict(img)
    return {"label": label, "probabilities": dict(zip(learn.dls.vocab, map(float, probs)))}  # noqa: B905


uvicorn.run(app, port=int(sys.argv[2]), access_log=False, log_level="warning")
