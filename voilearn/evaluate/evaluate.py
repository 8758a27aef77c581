"""Evaluate a model: ask it about labelled photos, and find out how far it is to be believed.

In come paths; out goes an `Evaluation`, with the scope that was found. Nothing is written here.
"""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from voilearn.errors import PhotoNotFound, UnusableModel, printable, shown
from voilearn.evaluate.asking import Answers, Model, ask_about, told
from voilearn.evaluate.made_pictures import pictures_of_nothing
from voilearn.evaluate.measure import Measured, Share, measure
from voilearn.evaluate.outsiders import Known, Others, Outsiders, find_outsiders
from voilearn.evaluate.photos import Photos, check_is_folder, files_in, labelled_photos
from voilearn.evaluate.temperature import (
    Temperature,
    activated,
    activation_of,
    find_temperature,
)
from voilearn.machine import granted_cores
from voilearn.model import is_compiled
from voilearn.model_file import check_is_a_file
from voilearn.prediction import ModelInfo
from voilearn.scope import Scope

Array = np.ndarray[Any, np.dtype[Any]]
Progress = Callable[[Sequence[object]], AbstractContextManager[Callable[[str], None]]]

FEW = 20  # photos of a class, below which its numbers say little
SHOWN = 24  # photos of each kind in a report
HALF = 0.5
IN_NONE = "photos of something else"


@dataclass(frozen=True, slots=True)
class Shown:
    """A photo that a report shows: what it is, and what the model says of it.

    `nearest` is a photo of the same folder that the network finds most alike, and its label.
    """

    file: Path
    truth: str
    answer: str
    probability: float
    nearest: tuple[Path, str] | None = None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All that was found of a model on some photos.

    `before` is as the model answers by itself, `after` with the scope's temperature; `harder` and
    `harder_after` are the same of the harder copies. `others` counts photos of something else that
    would be answered, None where none were given; `passed` are some of those.
    """

    model: ModelInfo
    file: Path
    photos: Photos
    unread: tuple[tuple[str, str], ...]
    before: Measured
    after: Measured
    harder: Measured
    harder_after: Measured
    temperature: Temperature
    outsiders: Outsiders
    others: Share | None
    scope: Scope
    mistakes: tuple[Shown, ...]
    passed: tuple[Shown, ...]

    def warnings(self) -> list[str]:
        """Return what makes the numbers say less than they seem to, as sentences."""
        found = []
        few = [each.label for each in self.before.classes if 0 < each.found.of < FEW]
        none = [each.label for each in self.before.classes if not each.found.of]
        if none:
            found.append(f"No photos of {_listed(none)}: nothing is known of them.")
        if few:
            found.append(f"Fewer than {FEW} photos of {_listed(few)}: little is known of them.")
        if self.before.accuracy.count == self.before.accuracy.of:
            found.append(
                "No mistake at all. If the model was trained on these photos, that says nothing: "
                "evaluate it on photos that were kept from it, best of another source."
            )
        for label, count in self.photos.left_out.most_common(3):
            found.append(f"{count:,} photos left out, labelled {printable(label, 60)!r}: no class.")
        if self.unread:
            names = _listed([Path(name).name for name, _ in self.unread])
            found.append(f"{len(self.unread):,} photos can't be read: {names}.")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return what `--json` prints."""
        return {
            "model": self.model.to_dict(),
            "photos": self.before.accuracy.of,
            "left_out": dict(self.photos.left_out),
            "unread": [{"photo": name, "message": why} for name, why in self.unread],
            **self.before.to_dict(),
            "calibrated": self.after.reliability.to_dict(),
            "harder": {
                "accuracy": self.harder.accuracy.to_dict(),
                "calibration": self.harder.reliability.to_dict(),
                "calibrated": self.harder_after.reliability.to_dict(),
            },
            "temperature": {"value": self.temperature.value, "how": self.temperature.why},
            "out_of_scope": {
                "how": self.outsiders.why,
                "answered": self.others and self.others.to_dict(),
                "ways": [way.to_dict() for way in self.outsiders.ways],
            },
            "warnings": self.warnings(),
        }


def evaluate(
    path: Path,
    where: Path,
    out_of_scope: Path | None = None,
    trust: bool = False,
    nearest: bool = False,
    progress: Progress | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> Evaluation:
    """Evaluate the model at a path on the labelled photos at another.

    `out_of_scope` is a folder of photos of something else, best with folders of several kinds in
    it. `trust` is as in `load_classify`; with `nearest`, each mistake comes with the photo that is
    most alike. Raises UnusableModel, and PhotoNotFound where there are no photos.
    """
    check_is_a_file(path)
    if out_of_scope:
        check_is_folder(out_of_scope, "Name a folder of photos of anything else.")
    say(f"opening {shown(path)}")
    model, info, floors = opened(path, trust)
    photos = labelled_photos(where, info)
    kinds = _kinds(out_of_scope) if out_of_scope else {}
    files = [each.file for each in photos.labelled]
    with _counted(progress, [*files, *(file for kind in kinds.values() for file in kind)]) as done:
        answers = ask_about(files, model, done)
        asked = {name: ask_about(kind, model, done) for name, kind in kinds.items()}
    if not answers.read:
        raise PhotoNotFound(
            f"None of the {len(files):,} photos can be read: the first is {answers.unread[0][0]}. "
            f"{answers.unread[0][1]}"
        )
    say("looking for what tells photos of something else")
    made = told([model.ask(picture()) for picture in pictures_of_nothing()])
    rows = [photos.labelled[at].labels for at in answers.read]
    truth = np.array([[label in each for label in info.classes] for each in rows])
    others = {name: Others(each.told, each.harder) for name, each in asked.items()}
    found = find_outsiders(Known(answers.told, answers.harder, truth), made, others)
    temperature = _temperature(answers, truth, info, floors)
    numbers = _Numbers(answers, temperature)
    multi = floors if info.task == "multi-label" else None
    before, after, harder, harder_after = (
        measure(info.classes, each, truth, multi)
        for each in (numbers.before, numbers.after, numbers.harder, numbers.harder_after)
    )
    names = [files[at] for at in answers.read]
    scope = Scope(
        info,
        temperature.value,
        temperature.activation,
        found.terms,
        {
            "temperature": temperature.why,
            "scope": found.why,
            "photos": len(names),
            "judged": found.ways[0].summary() if found.ways else None,
        },
    )
    return Evaluation(
        info, path, photos,
        (*answers.unread, *(row for each in asked.values() for row in each.unread)),
        before, after, harder, harder_after, temperature, found,
        _answered(found, asked), scope,
        _mistakes(info, names, truth, numbers.after, after, answers if nearest else None),
        _passed(info, kinds, asked, found, numbers),
    )  # fmt: skip


def opened(path: Path, trust: bool) -> tuple[Model, ModelInfo, list[float]]:
    """Open a model of either kind; return it, what it is, and its thresholds."""
    if is_compiled(path):
        from voilearn.compiled.description import read_compiled
        from voilearn.compiled.load import load_classify, open_session, run

        load_classify(path)  # which looks through it, and tries it out
        compiled = read_compiled(path)
        session = open_session(path, narrow=compiled.narrow)
        model = Model(
            lambda picture: run(session, picture, heard=True), compiled.size, granted_cores()
        )
        return model, compiled.model, list(compiled.thresholds)
    from voilearn.export.file import check_first_bytes
    from voilearn.model import check_libraries

    check_first_bytes(path)
    if not trust:
        check_libraries(path)
    from voilearn.learner import load

    learn, sha256 = load.open_learner(path, trust)
    info = load.model_info(learn, path, sha256)
    shared = not trust and load.in_one_size(learn)
    ask, size = load.outputs_with(learn, path, info, shared), load.picture_size(learn)
    load.try_out(ask, path, size is not None)
    return Model(ask, size, granted_cores()), info, load.thresholds(learn, len(info.classes))


class _Numbers:
    """Probabilities, float [photos, classes]: by the model alone, and calibrated."""

    def __init__(self, answers: Answers, temperature: Temperature) -> None:
        self.temperature = temperature
        self.before, self.harder = answers.probabilities, answers.harder_probabilities
        self.after = self.of(answers.told.logits, self.before)
        self.harder_after = self.of(answers.harder.logits, self.harder)

    def of(self, logits: Array, before: Array) -> Array:
        value, activation = self.temperature.value, self.temperature.activation
        if value is None or activation is None:
            return before
        return activated(logits / value, activation)


def _temperature(
    answers: Answers, truth: Array, info: ModelInfo, floors: Sequence[float]
) -> Temperature:
    if info.task == "multi-label" and any(floor != HALF for floor in floors):
        return Temperature(
            None, None, "the model has thresholds of its own, which are for its own probabilities"
        )
    activation = activation_of(answers.probabilities, answers.told.logits)
    return find_temperature(answers.told.logits, answers.harder.logits, truth, activation)


def _kinds(folder: Path) -> dict[str, list[Path]]:
    """Return the photos of a folder by the folders in it; those in none are a kind of their own."""
    kinds: dict[str, list[Path]] = {}
    for file in files_in(folder):
        below = file.relative_to(folder).parts
        kinds.setdefault(below[0] if len(below) > 1 else IN_NONE, []).append(file)
    if not kinds:
        raise PhotoNotFound(
            f"There are no photos in {printable(str(folder), 80)}. Name a folder of photos of "
            "anything that the model does not know."
        )
    return kinds


def _answered(found: Outsiders, asked: dict[str, Answers]) -> Share | None:
    """Count the photos of something else that would be answered."""
    if not asked:
        return None
    all_of_them = sum(len(each.read) for each in asked.values())
    if not found.terms:
        return Share(all_of_them, all_of_them)
    passing = found.ways[0].passing
    return Share(sum(int(passing[name].sum()) for name in asked if name in passing), all_of_them)


def _mistakes(
    info: ModelInfo,
    names: Sequence[Path],
    truth: Array,
    probabilities: Array,
    found: Measured,
    alike: Answers | None,
) -> tuple[Shown, ...]:
    """Return the worst mistakes, the one with the least for what is there first."""
    wrong = np.flatnonzero(~found.right)
    worst = wrong[np.argsort(found.of_truth[wrong], kind="stable")][:SHOWN]
    features = alike.told.features if alike else None
    shown_ones = []
    for at in worst:
        nearest = None
        if features is not None and len(features) > 1:
            likeness = features @ features[at]
            likeness[at] = -2
            near = int(likeness.argmax())
            nearest = names[near], _labels(info, truth[near])
        shown_ones.append(
            _shown(info, names[at], _labels(info, truth[at]), probabilities[at], nearest)
        )
    return tuple(shown_ones)


def _passed(
    info: ModelInfo,
    kinds: dict[str, list[Path]],
    asked: dict[str, Answers],
    found: Outsiders,
    numbers: _Numbers,
) -> tuple[Shown, ...]:
    """Return photos of something else that would be answered, the surest first."""
    ones = []
    for name, answers in asked.items():
        probabilities = numbers.of(answers.told.logits, answers.probabilities)
        for at, photo in enumerate(answers.read):
            if not found.terms or found.ways[0].passing[name][at]:
                ones.append(_shown(info, kinds[name][photo], name, probabilities[at]))
    return tuple(sorted(ones, key=lambda one: -one.probability)[:SHOWN])


def _shown(
    info: ModelInfo,
    file: Path,
    truth: str,
    probabilities: Array,
    nearest: tuple[Path, str] | None = None,
) -> Shown:
    best = int(probabilities.argmax())
    return Shown(file, truth, info.classes[best], float(probabilities[best]), nearest)


def _labels(info: ModelInfo, row: Array) -> str:
    return ", ".join(label for label, there in zip(info.classes, row, strict=True) if there)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 4:,} more" if len(names) > 4 else ""
    return ", ".join(printable(name, 40) for name in names[:4]) + more


def _counted(
    progress: Progress | None, things: Sequence[object]
) -> AbstractContextManager[Callable[[str], None]]:
    return progress(things) if progress else nullcontext(lambda name: None)


def write_scope(evaluation: Evaluation, beside: Path) -> None:
    """Write the scope beside its model, whole or not at all. Raises UnusableModel if it can't."""
    try:
        text = evaluation.scope.to_json()
    except ValueError as error:
        raise UnusableModel(f"{shown(beside)} is not written: {error}.") from error
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=beside.parent, prefix=".scope-", delete=False, encoding="utf-8"
        ) as file:
            file.write(text)
        Path(file.name).chmod(0o644)
        Path(file.name).replace(beside)
    except OSError as error:
        raise UnusableModel(
            f"{shown(beside)} can't be written: {error.strerror}. Put the model into a folder "
            "that you may write to."
        ) from error
