"""An author's app.toml: what it may say, and the sentence for what it can't."""

from pathlib import Path

import pytest

from tests.conftest import ROOT
from voilearn.errors import UnusableSettings
from voilearn.settings import ClassWords, Settings, read_settings

ALL = """
title = "Bear classifier"
introduction = '''
One paragraph.

Another.
'''
language = "en-GB"
photo_size = 640

[classes.grizzly]
name = "A grizzly bear"
description = "Brown."
colour = "#ABC"

[classes."black bear"]
color = "#1D5FBF"
"""


def write(folder: Path, text: str | bytes) -> Path:
    path = folder / "app.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_without_a_file_nothing_is_said(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "app.toml") == Settings()
    assert Settings().to_dict() == {
        "title": "",
        "introduction": "",
        "language": "",
        "photo_size": 1024,
        "classes": {},
    }


def test_all_of_it_is_read(tmp_path: Path) -> None:
    settings = read_settings(write(tmp_path, ALL))
    assert settings.title == "Bear classifier"
    assert settings.introduction == "One paragraph.\n\nAnother."
    assert (settings.language, settings.photo_size) == ("en-GB", 640)
    assert settings.classes == {
        "grizzly": ClassWords("A grizzly bear", "Brown.", "#aabbcc"),
        "black bear": ClassWords(colour="#1d5fbf"),
    }
    assert settings.to_dict()["classes"]["black bear"] == {"colour": "#1d5fbf"}


def test_a_file_saved_by_windows_is_read(tmp_path: Path) -> None:
    text = '\ufeffintroduction = "One\\r\\ntwo"\r\n'
    assert read_settings(write(tmp_path, text)).introduction == "One\ntwo"


def test_classes_that_no_model_has_are_named() -> None:
    settings = Settings(classes={"grizzley": ClassWords("A"), "black": ClassWords("B")})
    assert settings.unknown_classes(("black", "grizzly")) == ["grizzley"]


BAD = {
    "titel = 'a'": ["titel", "not known", 'Did you mean "title"'],
    'title = "a\\u2028b"': ["title", "line break"],
    "xyz = 1": ["xyz", "not known", "title, introduction, language, photo_size, classes"],
    "title = 1": ["title", "a number", "a text"],
    "title = true": ["title", "true or false"],
    "title = 2026-01-01": ["title", "a date"],
    "title = '''a\nb'''": ["title", "line break"],
    'title = "a\\u0007"': ["title", "control character"],
    f"title = '{'x' * 101}'": ["title", "101", "100"],
    f"introduction = '{'x' * 1001}'": ["introduction", "1,001", "1,000"],
    "language = 'English please'": ["language", "English please", '"de"'],
    "photo_size = '1024'": ["photo_size", "a text", "whole number"],
    "photo_size = true": ["photo_size", "true or false"],
    "photo_size = 10": ["photo_size", "64", "8192"],
    "photo_size = 100000": ["photo_size", "64", "8192"],
    "classes = 'a'": ["classes", "a text", "[classes.grizzly]"],
    "[classes]\ngrizzly = 'a'": ["classes.grizzly", "a text", "table"],
    "[classes.grizzly]\ncolour = 'red'": ["classes.grizzly.colour", "red", "#1d5fbf"],
    "[classes.grizzly]\ncolour = '#12345'": ["classes.grizzly.colour", "#12345"],
    "[classes.grizzly]\ncolour = '#111'\ncolor = '#222'": ["classes.grizzly.color", "beside"],
    "[classes.grizzly]\nnaem = 'a'": ["classes.grizzly.naem", 'Did you mean "name"'],
    "[classes.grizzly]\nname = ['a']": ["classes.grizzly.name", "a list"],
    "title = \n": ["no TOML", "line 1, column"],
    "title = 'a'\ntitle = 'b'\n": ["no TOML", "line 2"],
    "a = " + "[" * 5000: ["no TOML"],
}


@pytest.mark.parametrize("text", BAD, ids=lambda text: text[:40])
def test_what_can_not_be_is_told_by_its_key(tmp_path: Path, text: str) -> None:
    with pytest.raises(UnusableSettings) as caught:
        read_settings(write(tmp_path, text))
    sentence = str(caught.value)
    assert "app.toml" in sentence
    assert sentence.endswith((".", "?"))
    assert all(part in sentence for part in BAD[text]), sentence


def test_a_file_that_can_not_be_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "app.toml").mkdir()
    with pytest.raises(UnusableSettings, match=r"app\.toml can't be read"):
        read_settings(tmp_path / "app.toml")


def test_a_file_that_is_not_utf_8_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnusableSettings, match="UTF-8"):
        read_settings(write(tmp_path, b"title = 'B\xe4r'"))


def test_a_file_of_megabytes_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnusableSettings, match=r"200 kB; the limit is 100 kB"):
        read_settings(write(tmp_path, b"#" * 200_000))


def test_more_classes_than_any_model_has_are_told(tmp_path: Path) -> None:
    text = "classes = {" + ",".join(f"a{n}={{}}" for n in range(10_001)) + "}"
    with pytest.raises(UnusableSettings, match="10,001"):
        read_settings(write(tmp_path, text))


def test_the_bears_words_are_of_the_bears_and_can_be_seen() -> None:
    """A bar stands beside its percent, and all the same has 3:1 on white and on the dark page."""
    settings = read_settings(ROOT / "app.toml")
    assert set(settings.classes) == {"black", "grizzly", "teddy"}
    for words in settings.classes.values():
        assert all(words.to_dict().values()) and len(words.to_dict()) == 3
        for paper in ("#ffffff", "#14171c"):
            assert contrast(words.colour, paper) >= 3, words.name


def contrast(one: str, other: str) -> float:
    """Return the ratio of WCAG 2.2: https://www.w3.org/TR/WCAG22/#dfn-contrast-ratio."""
    darker, lighter = sorted(map(luminance, (one, other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares]
    return sum(w * s for w, s in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize(
    "title", ["Ours\u00a0: un titre", "\U0001f469\u200d\U0001f52c", "می\u200cخواهم"]
)
def test_what_languages_need_between_letters_is_text(tmp_path: Path, title: str) -> None:
    """No-break spaces of French, joiners of emoji and of Persian."""
    (tmp_path / "app.toml").write_text(f'title = "{title}"', "utf-8")
    assert read_settings(tmp_path / "app.toml").title == title
