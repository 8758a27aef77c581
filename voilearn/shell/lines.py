"""Put a photo's answer into a line: words for people, JSON for programs, CSV for a spreadsheet.

In come the photo's name, as it was given or found, and its Prediction or error; out goes text
without its end of line. Words show a name as a terminal can; JSON and CSV have it exactly.
"""

import json
import re
from collections.abc import Callable, Iterable, Sequence

from voilearn.errors import VoilearnError, printable
from voilearn.prediction import Prediction
from voilearn.shell.terminal import MOST

Answer = Prediction | VoilearnError
Line = Callable[[str, Answer], str]


def in_words(photo: str, answer: Answer) -> str:
    """Return a sentence's worth: the labels, and the probability of each class."""
    name = printable(photo, MOST) or repr(photo)
    if isinstance(answer, VoilearnError):
        return f"{name}: {answer}"
    shares = ", ".join(f"{_seen(label)} {p:.1%}" for label, p in answer.probabilities.items())
    labels = ", ".join(map(_seen, answer.labels)) or "none"
    if answer.in_scope is False:
        nearest = _seen(next(iter(answer.probabilities)))
        labels = f"This doesn't look like any of the things I know; the nearest is {nearest}"
    return f"{name}: {printable(labels)} ({printable(shares, MOST)})"


def _seen(label: str) -> str:
    return label if label.strip() else repr(label)  # of blanks alone, nothing would be seen


def as_json(photo: str, answer: Answer) -> str:
    """Return the JSON object of the contract."""
    if isinstance(answer, VoilearnError):
        return error_as_json("photo", photo, answer)
    return json.dumps({"photo": photo, **answer.to_dict()})


def error_as_json(what: str, name: str, error: VoilearnError) -> str:
    """Return the JSON object that tells of an error; `what` is the name's key."""
    return json.dumps({what: name, "error": {"type": error.type, "message": str(error)}})


def csv_heading(classes: Iterable[str]) -> str:
    """Return the first line of a table, as `page/saving.js` has it."""
    return _row("photo", "label", "labels", "probability", "error", *classes, "in_scope")


def as_csv(classes: Sequence[str]) -> Line:
    """Return the function to a row of that table: a column for each class, empty for an error.

    The last says whether the photo is of any of them, and is empty where that can't be told.
    """

    def row(photo: str, answer: Answer) -> str:
        if isinstance(answer, VoilearnError):
            return _row(photo, "", "", "", str(answer), *("" for _ in classes), "")
        shares = [answer.probabilities.get(label, "") for label in classes]
        labels = "; ".join(answer.labels)
        known = "" if answer.in_scope is None else str(answer.in_scope).lower()
        return _row(photo, answer.label or "", labels, answer.probability, "", *shares, known)

    return row


def _row(*values: str | float) -> str:
    return ",".join(map(_cell, values))


def _cell(value: str | float) -> str:
    # A spreadsheet would run what begins so: https://owasp.org/www-community/attacks/CSV_Injection
    text = str(value)
    if isinstance(value, str) and re.match(r"[=+\-@\t\r]", text):
        text = f"'{text}"
    return f'"{text.replace(chr(34), chr(34) * 2)}"' if re.search(r'[",;\t\r\n]', text) else text
