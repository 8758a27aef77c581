"""The words and colours of the page that are its author's, from app.toml beside the notebook.

In: a file, which may be absent; out: `Settings`, checked, or an error that names the key.
"""

import difflib
import re
import tomllib
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from voilearn.errors import UnusableSettings

MOST_BYTES = 100_000
MOST_CLASSES = 10_000
PHOTO_SIZES = (64, 8192)
LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")  # a tag of BCP 47, by its form
UNSHOWN = ("Cc", "Cs", "Zl", "Zp")  # Unicode's categories of what is no text
COLOUR = re.compile(r"#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})")


@dataclass(frozen=True, slots=True)
class ClassWords:
    """What the author says of one class: how an answer names it, a sentence, a bar's colour."""

    name: str = ""
    description: str = ""
    colour: str = ""  # "#rrggbb"

    def to_dict(self) -> dict[str, str]:
        """Return what is said, without what is not."""
        words = {"name": self.name, "description": self.description, "colour": self.colour}
        return {key: value for key, value in words.items() if value}


@dataclass(frozen=True, slots=True)
class Settings:
    """What an app.toml may say; all of it may be left out.

    `photo_size` is about the longest side, in pixels, that a browser makes of a large photo to send
    it. `language` is that of the author's words, as a BCP 47 tag.
    """

    title: str = ""
    introduction: str = ""
    language: str = ""
    photo_size: int = 1024
    classes: Mapping[str, ClassWords] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Return all of it as the browser gets it; what is not said is an empty string."""
        return {
            "title": self.title,
            "introduction": self.introduction,
            "language": self.language,
            "photo_size": self.photo_size,
            "classes": {label: words.to_dict() for label, words in self.classes.items()},
        }

    def unknown_classes(self, classes: Sequence[str]) -> list[str]:
        """Return the labels that are described here, and are none of a model's classes."""
        return [label for label in self.classes if label not in set(classes)]


def read_settings(path: Path | str = "app.toml") -> Settings:
    """Read an app.toml; one that is not there says nothing. Raises UnusableSettings."""
    path = Path(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return Settings()
    except OSError as error:
        raise UnusableSettings(f"{path.name} can't be read: {error.strerror}.") from error
    if len(data) > MOST_BYTES:
        raise UnusableSettings(
            f"{path.name} has {len(data) / 1000:,.0f} kB; the limit is {MOST_BYTES // 1000} kB."
        )
    try:
        told = tomllib.loads(data.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UnusableSettings(f"{path.name} is not in UTF-8. Save it as UTF-8.") from error
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UnusableSettings(f"{path.name} is no TOML: {error}. See https://toml.io.") from error
    return _Reader(path.name).settings(told)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Checks what a file of this name says; its errors name the key."""

    file: str

    def settings(self, told: dict[str, Any]) -> Settings:
        known: dict[str, Callable[[str, Any], Any]] = {
            "title": lambda key, value: self._text(key, value, 100, lines=False),
            "introduction": lambda key, value: self._text(key, value, 1000),
            "language": self._language,
            "photo_size": self._photo_size,
            "classes": self._classes,
        }
        return Settings(**self._table("", told, known))

    def _table(self, at: str, told: Any, known: Mapping[str, Callable[[str, Any], Any]]) -> Any:
        if not isinstance(told, dict):
            self._refuse(at, f"is {_kind(told)}; it has to be a table: [{at}]")
        for key in told:
            if key not in known:
                near = difflib.get_close_matches(key, known, 1)
                hint = f'Did you mean "{near[0]}"?' if near else f"It may be: {', '.join(known)}."
                self._refuse(f"{at}.{key}" if at else key, f"is not known. {hint}")
        return {key: known[key](f"{at}.{key}" if at else key, told[key]) for key in told}

    def _classes(self, at: str, told: Any) -> dict[str, ClassWords]:
        if not isinstance(told, dict):
            self._refuse(at, f"is {_kind(told)}; it has to be tables: [classes.grizzly]")
        if len(told) > MOST_CLASSES:
            self._refuse(at, f"has {len(told):,} classes; the limit is {MOST_CLASSES:,}")
        return {label: self._class(f"{at}.{label}", words) for label, words in told.items()}

    def _class(self, at: str, told: Any) -> ClassWords:
        known: dict[str, Callable[[str, Any], Any]] = {
            "name": lambda key, value: self._text(key, value, 100, lines=False),
            "description": lambda key, value: self._text(key, value, 500),
            "colour": self._colour,
            "color": self._colour,
        }
        found = self._table(at, told, known)
        if "color" in found:
            if "colour" in found:
                self._refuse(f"{at}.color", "stands beside a colour. Leave one of them out")
            found["colour"] = found.pop("color")
        return ClassWords(**found)

    def _text(self, at: str, value: Any, most: int, lines: bool = True) -> str:
        if not isinstance(value, str):
            self._refuse(at, f'is {_kind(value)}; it has to be a text: "…"')
        text, allowed = value.strip(), "\n\t\r" if lines else ""
        if len(text) > most:
            self._refuse(at, f"has {len(text):,} characters; the limit is {most:,}")
        if any(unicodedata.category(sign) in UNSHOWN for sign in text if sign not in allowed):
            self._refuse(at, "has a line break or a control character in it. Leave it out")
        return text.replace("\r\n", "\n")

    def _language(self, at: str, value: Any) -> str:
        text = self._text(at, value, 35, lines=False)
        if text and not LANGUAGE.fullmatch(text):
            self._refuse(at, f'is "{text}"; it has to be a language tag, such as "de" or "pt-BR"')
        return text

    def _photo_size(self, at: str, value: Any) -> int:
        least, most = PHOTO_SIZES
        if not isinstance(value, int) or isinstance(value, bool):
            self._refuse(at, f"is {_kind(value)}; it has to be a whole number of pixels")
        if not least <= value <= most:
            self._refuse(at, f"is out of range; it has to be from {least} to {most} pixels")
        return int(value)

    def _colour(self, at: str, value: Any) -> str:
        text = self._text(at, value, 100, lines=False)
        if not COLOUR.fullmatch(text):
            self._refuse(at, f'is "{text}"; it has to be a colour such as "#1d5fbf"')
        digits = text[1:].lower()
        return "#" + (digits if len(digits) == 6 else "".join(2 * digit for digit in digits))

    def _refuse(self, at: str, what: str) -> NoReturn:
        shown = "".join(sign if sign.isprintable() else "\ufffd" for sign in at)[:80]
        end = "" if what.endswith((".", "?")) else "."
        raise UnusableSettings(f"In {self.file}, {shown} {what}{end}")


def _kind(value: Any) -> str:
    for kind, words in _KINDS:
        if isinstance(value, kind):
            return words
    return "a date"


_KINDS: tuple[tuple[type, str], ...] = (
    (bool, "true or false"),
    (int, "a number"),
    (float, "a number"),
    (str, "a text"),
    (list, "a list"),
    (dict, "a table"),
)
