"""What an app has to know of its model, found by opening the model here.

In comes a path; out go `Facts`, or UnusableModel with the reason why no app can be made of it.
"""

from dataclasses import dataclass
from pathlib import Path

from voilearn.errors import UnusableModel
from voilearn.missing import NOT_INSTALLED
from voilearn.model import inspect_export, is_compiled, load_classify
from voilearn.model_file import files_sha256, scope_beside
from voilearn.scope import scope_of


@dataclass(frozen=True, slots=True)
class Facts:
    """A model that an app can be made of.

    `files` are what is copied, each under the name that it has in the app, the model itself first;
    `sha256` is as in `model_sha256`, `bytes` of all the files. `network` is for people. `timm` says
    whether it needs that package.
    """

    files: dict[str, Path]
    sha256: str
    bytes: int
    task: str
    classes: tuple[str, ...]
    network: str
    timm: bool

    @property
    def name(self) -> str:
        """The model's name in the app: export.pkl or export.onnx."""
        return next(iter(self.files))

    @property
    def compiled(self) -> bool:
        """Whether it runs without torch."""
        return is_compiled(self.name)


def read_facts(path: Path) -> Facts:
    """Open a model and return what an app has to know of it.

    An export.pkl is only read, as data, where torch or fastai is not installed. Raises
    UnusableModel for what does not open.
    """
    return _of_compiled(path) if is_compiled(path) else _of_export(path)


def _of_compiled(path: Path) -> Facts:
    from voilearn.compiled.description import read_compiled

    load_classify(path)
    compiled = read_compiled(path)
    files = {"export.onnx": path, "export.json": path.with_suffix(".json")}
    network = f"compiled to ONNX ({compiled.precision})"
    return _facts(files, compiled.model.task, compiled.model.classes, network, False)


def _of_export(path: Path) -> Facts:
    export = inspect_export(path)
    if export.hindrance and NOT_INSTALLED not in export.hindrance:
        raise UnusableModel(export.hindrance)
    learner = export.learner
    network = f"{learner.network.architecture}, trained with fastai"
    timm = any(name.startswith("timm.") for name in export.references)
    files = {"export.pkl": path}
    if scope_of(path, export.sha256):
        files["export.scope.json"] = scope_beside(path)
    return _facts(files, learner.task, learner.classes, network, timm)


def _facts(
    files: dict[str, Path], task: str, classes: tuple[str, ...], network: str, timm: bool
) -> Facts:
    size = sum(file.stat().st_size for file in files.values())
    sha256 = files_sha256(list(files.values()))
    return Facts(files, sha256, size, task, classes, network, timm)
