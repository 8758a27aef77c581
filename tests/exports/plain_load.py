# mypy: ignore-errors
"""Print, as a JSON list, what today's fastai says when it opens each export the usual way."""

import json
import sys
import warnings
from pathlib import Path

from fastai.learner import load_learner


def main():
    warnings.filterwarnings("ignore")
    print(json.dumps([plain_load(Path(name)) for name in sys.argv[1:]]))


def plain_load(path):
    try:
        load_learner(path)
    except Exception as error:
        text = str(error).replace(str(path), path.name)
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return f"{type(error).__name__}: {lines[0] if lines else ''}"
    return "opens"


if __name__ == "__main__":
    main()
