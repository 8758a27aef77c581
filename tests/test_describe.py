"""The description of an export fits a page, and holds what there is to know."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.conftest import with_fastai
from voilearn.describe import describe
from voilearn.export.file import read_export_file
from voilearn.missing import NOT_INSTALLED

EXPORTS = sorted((Path(__file__).parent / "exports").glob("2.*author_[!c]*.pkl"))


@with_fastai
def test_our_export_is_described(export: Path) -> None:
    told = describe(read_export_file(export))
    for part in (
        "13.9 MB", "fastai 2.8 or newer", "tf_efficientnet_lite0", "3,374,851", "single-label",
        "black, grizzly, teddy", "352 x 352 pixels", "Resize(size=(352, 352)", "weights 13.7 MB",
        "optimizer: fastai.optimizer.Adam", "own code", "nothing in it is run",
    ):  # fmt: skip
        assert part in told, part


@pytest.mark.parametrize("path", EXPORTS, ids=lambda path: path.stem)
def test_every_line_fits_and_starts_with_its_name(path: Path) -> None:
    for line in describe(read_export_file(path)).splitlines():
        whole = " " not in line[17:].strip() or line.startswith("install it by")
        assert len(line) <= 100 or whole
        assert line[16] == " "


def test_the_line_to_install_what_is_missing_is_not_broken(export: Path) -> None:
    line = f"'{'/a long way' * 12}/bin/python' -m pip install \"voilearn[learner]\""
    absent = f"export.pkl needs the Python package fastai, which is {NOT_INSTALLED}: {line}"
    told = describe(replace(read_export_file(export), hindrance=absent)).splitlines()
    assert told[-1] == f"install it by    {line}"
    assert told[-2].endswith("which is not installed here")


def test_a_thousand_classes_are_a_few_lines(export: Path) -> None:
    told = read_export_file(export)
    many = replace(told.learner, classes=tuple(f"class {n}" for n in range(1000)))
    described = describe(replace(told, learner=many))
    assert "1,000 classes" in described
    assert "and 988 more" in described
    assert len(described.splitlines()) < 40


def test_a_label_that_a_terminal_would_obey_is_shown_without_that(export: Path) -> None:
    told = read_export_file(export)
    odd = replace(told.learner, classes=("a\x1b[31m", "b\nc"))
    assert "a?[31m, b?c" in describe(replace(told, learner=odd))
