"""What a Space on Hugging Face needs beside an app's other files: its head, and an image.

In come the facts of a model and the app's title; out go texts, by the names of their files. The
image runs on any host of containers.
"""

import json
from pathlib import Path

from voilearn import __version__
from voilearn.page.document import fill
from voilearn.project.facts import Facts
from voilearn.project.requirements import TESTED, TIMM

DOCKERFILE = Path(__file__).with_name("template") / "Dockerfile.in"
ATTRIBUTES = """\
# A Space takes files over 10 MB by Git LFS only.
*.pkl filter=lfs diff=lfs merge=lfs -text
*.onnx filter=lfs diff=lfs merge=lfs -text
"""
IGNORED = """\
# What the image is built of, and nothing else.
*
!app.ipynb
!app.toml
!examples
!export.json
!export.onnx
!export.pkl
!export.scope.json
"""
COMPILE = """\
FROM docker.io/library/python:3.11-slim AS compiler
WORKDIR /app
RUN python -m pip install --no-cache-dir --quiet \\
    --extra-index-url https://download.pytorch.org/whl/cpu \\
    'voilearn[learner]=={version}' {tested}
# and its scope, if it has one
COPY export.pkl export.scope.jso[n] ./
RUN voilearn compile export.pkl

"""
COMPILED = "COPY --from=compiler /app/export.onnx /app/export.json ./"
GIVEN = "COPY export.onnx export.json ./"
HEAD = """\
---
title: {title}
sdk: docker
app_port: 7860
pinned: false
---

"""
NEXT = """\
Make a Space (https://huggingface.co/new-space) with Docker as its SDK, then in this folder: \
git init -b main, git lfs install, git add -A, git commit -m App, git push --force \
https://huggingface.co/spaces/OWNER/NAME main"""


def space_texts(facts: Facts) -> dict[str, str]:
    """Return the files that a Space needs and an app on Binder does not."""
    tested = " ".join([*TESTED, *([TIMM] if facts.timm else [])])
    compile = "" if facts.compiled else COMPILE.format(version=__version__, tested=tested)
    model = GIVEN if facts.compiled else COMPILED
    text = fill(DOCKERFILE, compile=compile, model=model, version=__version__)
    return {"Dockerfile": text, ".dockerignore": IGNORED, ".gitattributes": ATTRIBUTES}


def space_head(title: str) -> str:
    """Return what a Space's README begins with: YAML, in which a title is quoted as in JSON."""
    return HEAD.format(title=json.dumps(title, ensure_ascii=False))
