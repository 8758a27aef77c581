"""Tell an evaluation in the terminal: some ten lines.

In comes an `Evaluation`; out go lines of text.
"""

from collections.abc import Iterator

from voilearn.errors import printable
from voilearn.evaluate.evaluate import Evaluation
from voilearn.evaluate.measure import Measured
from voilearn.evaluate.outsiders import LEFT_OUT, MADE

MARGIN = 19
LISTED = 3


def in_lines(found: Evaluation) -> Iterator[str]:
    """Yield what is most worth knowing, a line each."""
    before, harder = found.before, found.harder
    right = "all labels right" if before.confusion is None else "right"
    yield _row(right, str(before.accuracy))
    yield _row("harder copies", str(harder.accuracy))
    worst = sorted(
        (each for each in before.classes if each.found.of), key=lambda each: each.found.value
    )
    told = [f"{printable(each.label, 30)} {each.found.value:.1%}" for each in worst[:LISTED]]
    yield _row("hardest classes", ", ".join(told))
    if mixed := _most_mixed(before):
        yield _row("most mixed up", mixed)
    yield _row("calibration", _calibration(found))
    yield from _scope(found)
    for warning in found.warnings():
        yield _row("note", warning)


def _calibration(found: Evaluation) -> str:
    error, hard = found.before.reliability.error, found.harder.reliability.error
    told = f"probabilities are {error:.1%} off, {hard:.1%} on harder copies"
    value = found.temperature.value
    if value is None:
        return f"{told}; left as they are: {found.temperature.why}"
    after, hard = found.after.reliability.error, found.harder_after.reliability.error
    return f"{told}; {after:.1%} and {hard:.1%} at temperature {value:g}"


def _most_mixed(measured: Measured) -> str:
    matrix = measured.confusion
    if matrix is None:
        return ""
    labels = [printable(each.label, 30) for each in measured.classes]
    pairs = sorted(
        (
            (-int(matrix[truth, answer]), truth, answer)
            for truth in range(len(labels))
            for answer in range(len(labels))
            if truth != answer and matrix[truth, answer]
        ),
    )
    return ", ".join(
        f"{-count} {labels[truth]} called {labels[answer]}"
        for count, truth, answer in pairs[:LISTED]
    )


def _scope(found: Evaluation) -> Iterator[str]:
    outsiders = found.outsiders
    if not outsiders.terms:
        yield _row("out of scope", f"can't be told: {outsiders.why}")
        return
    way = outsiders.ways[0]
    yield _row("out of scope", f"told by {' and '.join(way.kinds)}, {outsiders.why}")
    yield _row("refused", f"{way.refused} of these photos, {way.refused_harder.value:.1%} harder")
    told = [f"{share.value:.0%} of {printable(name, 30)}" for name, share in way.passed.items()]
    named = {MADE, LEFT_OUT}
    first = sorted(range(len(told)), key=lambda at: list(way.passed)[at] in named)
    yield _row("would be answered", ", ".join(told[at] for at in first[:8]))


def _row(name: str, told: str) -> str:
    return f"{name:<{MARGIN}}{told}"
