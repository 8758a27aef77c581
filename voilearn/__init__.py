"""A fastai image classifier as a page anyone can open, a web service, and a file for any device.

The names that notebooks and programs use stand here, and are loaded when they are first used: of
`Page` and `show_errors` the widgets, of `load_classify` the runtime that its model needs, of
`connect` nothing but the standard library. ARCHITECTURE.md shows the rooms.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from voilearn.client.this_machine import connect
    from voilearn.model import load_classify
    from voilearn.notebook.widget import Page, show_errors
    from voilearn.prediction import Prediction

__version__ = "0.1.0"
__all__ = ["Page", "Prediction", "connect", "load_classify", "show_errors"]

_ROOMS = {
    "Page": "voilearn.notebook.widget",
    "Prediction": "voilearn.prediction",
    "connect": "voilearn.client.this_machine",
    "load_classify": "voilearn.model",
    "show_errors": "voilearn.notebook.widget",
}


def __getattr__(name: str) -> Any:
    """Load a public name when it is first used (PEP 562)."""
    if name not in _ROOMS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(_ROOMS[name]), name)
    except ImportError as error:
        from voilearn.missing import missing

        raise ImportError(missing(error), name=error.name) from error


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
