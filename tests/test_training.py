"""The trained file and its card: what anybody who takes export.pkl may rely on."""

import re
import subprocess
import sys
from pathlib import Path
from random import Random

import nbformat
import pytest
from PIL import Image

from tests.conftest import ROOT, draw
from voilearn.evaluate import hard_photos
from voilearn.export.file import read_export_file

CARD = (ROOT / "training" / "README.md").read_text()


def test_the_export_is_at_most_25_megabytes(export: Path) -> None:
    assert export.stat().st_size <= 25_000_000


def test_the_export_names_nothing_of_a_notebook_and_no_path(export: Path) -> None:
    told = read_export_file(export)
    assert not [name for name in told.references if "__main__" in name or "cloudpickle" in name]
    for folder in (b"/home/", b"/tmp/", b"/Users/", b"site-packages"):
        assert folder not in export.read_bytes()


@pytest.mark.model
def test_the_export_loads_with_plain_fastai_in_a_fresh_process(
    export: Path, tmp_path: Path
) -> None:
    photo = tmp_path / "photo.png"
    draw((300, 200)).save(photo)
    script = (
        "import sys; from fastai.learner import load_learner\n"
        "learn = load_learner(sys.argv[1])\n"
        "print(*learn.dls.vocab, learn.predict(sys.argv[2])[0])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, str(export), str(photo)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    *vocab, label = done.stdout.split()[-4:]
    assert vocab == ["black", "grizzly", "teddy"]
    assert label in vocab


@pytest.mark.parametrize("name", [*hard_photos.measured_conditions([]), "harder"])
def test_a_harder_photo_is_a_photo_and_the_same_chance_gives_the_same(
    name: str, tmp_path: Path
) -> None:
    scene = tmp_path / "scene.png"
    Image.effect_noise((320, 240), 60).convert("RGB").save(scene)
    conditions = hard_photos.measured_conditions([scene])
    conditions["harder"] = lambda photo, rng: hard_photos.harder(photo, rng, [scene])
    photo = draw((400, 300))
    for seed in range(5):
        twice = [conditions[name](photo, Random(seed)) for _ in range(2)]
        assert twice[0].mode == "RGB"
        assert min(twice[0].size) >= 20
        assert twice[0].tobytes() == twice[1].tobytes()


def test_every_table_of_the_card_is_filled_by_the_notebook() -> None:
    notebook = nbformat.read(ROOT / "training" / "train.ipynb", as_version=4)
    code = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "code")
    filled = set(re.findall(r'fill\(card, "([a-z ]+)"', code))
    assert filled == set(re.findall(r"<!-- ([a-z ]+) -->", CARD))
    for name in filled:
        table = CARD.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0]
        assert table.count("\n|") >= 5, name


def test_the_card_shows_the_pictures_the_notebook_makes() -> None:
    pictures = re.findall(r"!\[[^]]*\]\(([^)]+)\)", CARD)
    assert {"confusion.png", "conditions.png", "mistakes.png"} <= set(pictures)
    assert all((ROOT / "training" / name).is_file() for name in pictures)
