"""What an app says before its author has words of their own, whatever its classes are called."""

import re
import tomllib
from pathlib import Path

import pytest

from voilearn.project.app_toml import app_toml
from voilearn.project.facts import Facts
from voilearn.project.readme import readme_text
from voilearn.project.repository import Repository
from voilearn.project.words import UNNAMED, introduction_of, title_of
from voilearn.settings import MOST_BYTES, Settings, read_settings

ODD = (
    *("true", "1", "1.5", "a.b", "a b", "a-b", "", " ", "inf", "1979-05-27"),
    *(
        'say "cheese"',
        "it's",
        "back\\slash",
        "\\u0041",
        "new\nline",
        "tab\t",
        "\r\n",
        "\x00\x1b\x7f",
    ),
    *("Bär", "熊", "🐻", "\u202egnp", "[classes]", "] # no", "= 1", "'''", '"""', "#", "<b>&amp;"),
    *("`code`", "``", "](x)", "|", "*", "__init__", "x" * 101, "y" * 5000, "polar_bear"),
)


def settings_of(text: str, folder: Path) -> Settings:
    (folder / "app.toml").write_bytes(text.encode())
    return read_settings(folder / "app.toml")


@pytest.mark.parametrize("label", ODD, ids=ascii)
def test_a_class_of_any_name_has_a_place(label: str, tmp_path: Path) -> None:
    settings = settings_of(app_toml("T", "I", [label, "other"], "export.pkl"), tmp_path)
    assert set(settings.classes) == {label, "other"}
    assert settings.unknown_classes([label, "other"]) == []
    assert settings.classes[label].name in ("", " ".join(label.replace("_", " ").split()))


def test_all_odd_names_stand_beside_each_other(tmp_path: Path) -> None:
    text = app_toml("T", "I", ODD, "export.pkl")
    assert set(settings_of(text, tmp_path).classes) == set(ODD)
    assert "[classes.true]\n" in text
    assert '[classes."a.b"]\n' in text
    assert settings_of(text, tmp_path).classes["polar_bear"].name == "polar bear"


def test_a_class_that_no_file_can_name_is_left_out_and_counted(tmp_path: Path) -> None:
    text = app_toml("T", "I", ["a", "\ud83d"], "export.pkl")
    assert set(settings_of(text, tmp_path).classes) == {"a"}
    assert "# One more class has no place here yet." in text


@pytest.mark.parametrize("number", [1_000, 100_000])
def test_many_classes_leave_room_to_write(number: int, tmp_path: Path) -> None:
    classes = [f"class_{at}" for at in range(number)]
    text = app_toml("T", "I", classes, "export.onnx")
    assert len(text.encode()) < MOST_BYTES / 2
    placed = len(settings_of(text, tmp_path).classes)
    assert placed > 300
    assert f"# {number - placed:,} more classes have no place here yet." in text
    assert "voilearn inspect --json export.onnx names them all" in text


def test_what_an_author_fills_in_is_what_the_page_gets(tmp_path: Path) -> None:
    text = app_toml("T", "I", ["cat"], "export.pkl")
    filled = text.replace('description = ""', 'description = "It purrs."')
    assert settings_of(filled, tmp_path).classes["cat"].description == "It purrs."
    without_notes = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    assert tomllib.loads(without_notes) == tomllib.loads(text)


@pytest.mark.parametrize(
    ("folder", "title"),
    [
        ("bear-classifier", "Bear classifier"),
        ("my_app", "My app"),
        ("Bären 2", "Bären 2"),
        ("what's that", "What's that"),
        ("熊", "熊"),
        ("<b>x</b> # & | `y`", "B x b y"),
        ("__--..", UNNAMED),
        ("", UNNAMED),
        ("a" * 200, "A" + "a" * 79),
    ],
)
def test_a_folders_name_is_a_title(folder: str, title: str) -> None:
    assert title_of(folder) == title


@pytest.mark.parametrize(
    ("task", "classes", "end"),
    [
        ("single-label", ["cat", "polar_bear"], "what it shows: cat or polar bear."),
        ("single-label", ["a", "b", "c"], "what it shows: a, b or c."),
        ("multi-label", ["sea", "sky"], "which of these it shows: sea and sky."),
        ("multi-label", ["sea"], "what it shows."),
        ("single-label", ["a", "<b>"], "which of 2 classes it shows."),
        ("single-label", ["a", "*b*"], "which of 2 classes it shows."),
        ("single-label", ["a", "line\nbreak"], "what it shows: a or line break."),
        ("single-label", list(map(str, range(1200))), "which of 1,200 classes it shows."),
    ],
)
def test_an_introduction_says_what_to_do(task: str, classes: list[str], end: str) -> None:
    assert introduction_of(task, classes) == f"Choose a photo, and see {end}"


@pytest.mark.parametrize("label", ODD, ids=ascii)
def test_no_class_breaks_the_readme(label: str) -> None:
    classes = (label, "other")
    facts = Facts({"export.pkl": Path()}, "", 1, "single-label", classes, "resnet18", timm=False)
    text = readme_text("T", "I", facts, Repository("ann", "bears"))
    (line,) = [line for line in text.splitlines() if line.startswith("2 classes: ")]
    fence = re.findall("`+", line)[0]
    span = re.match(rf"2 classes: {fence}(?!`)(.+?)(?<!`){fence}(?!`), `other`\. Whatever", line)
    assert span, line
    assert span[1].isprintable()
