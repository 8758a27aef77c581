"""What pip installs for an app: Voilearn of this version, and what it was tested with.

In come the facts of a model; out go requirements.txt, and lines that only Binder has.
"""

from voilearn import __version__
from voilearn.project.facts import Facts

# As in this repository's own requirements.txt; pip takes the two of torch from one index.
TESTED = ("fastai==2.8.12", "torch==2.14.1", "torchvision==0.29.1")
HEAD = (
    "# What the app needs. Binder installs it as binder/requirements.txt says.",
    "# If your model needs another package, add it below.",
)
TIMM = "timm==1.0.31"
INDEX = """\
: the same, with PyTorch's wheels for a machine without a GPU.
# pip prefers 2.14.1+cpu of this index to 2.14.1 of PyPI, which would bring 4 GB of CUDA along.
--extra-index-url https://download.pytorch.org/whl/cpu"""


def requirements_text(facts: Facts) -> str:
    """Return the text of requirements.txt."""
    extras = "notebook,heic" if facts.compiled else "learner,notebook,heic"
    tested = () if facts.compiled else (*TESTED, *([TIMM] if facts.timm else []))
    return "\n".join([*HEAD, f"voilearn[{extras}]=={__version__}", *tested, ""])


def index_of(facts: Facts) -> str:
    """Return what binder/requirements.txt says of PyTorch, where the app needs it."""
    return "." if facts.compiled else INDEX
