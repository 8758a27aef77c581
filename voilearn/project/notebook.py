"""Write app.ipynb, the page as a notebook: the four cells of the project's own.

In come a title, an introduction and the path of a model; out goes the notebook's text.
"""

import json
from pathlib import Path

from voilearn.page.document import fill

NOTEBOOK = Path(__file__).with_name("template") / "app.ipynb.in"


def notebook_text(title: str, introduction: str, model: str) -> str:
    """Return a notebook that shows the page of a model, whose path is as the notebook opens it."""
    return fill(
        NOTEBOOK,
        title=_inside(title),
        introduction=_inside(introduction),
        model=_inside(json.dumps(model)),
    )


def _inside(text: str) -> str:
    """Return a text as it stands between the quotes of JSON."""
    return json.dumps(text, ensure_ascii=False)[1:-1]
