"""Set what was measured of each page side by side, and say which targets were reached.

In come the figures that page.py found of each tool, by its name; out go the lines of two tables
for people, and of notes.
"""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.lost import Noticed
from benchmarks.slow_line import Speed

SLOW = Speed(mbit=5, round_trip=0.1)
NOTEBOOK, SERVICE = "Voilearn, notebook", "Voilearn, service"
GRADIO, STOCK = "Gradio", "the book's notebook"
OURS = (NOTEBOOK, SERVICE)
LOST_IN_TIME = 5.0  # seconds


@dataclass(frozen=True)
class Row:
    """A row of the table: what was measured, in which unit; of many visits, their middle."""

    title: str
    key: str
    unit: float = 1.0
    digits: int = 2
    of_all: Callable[[Sequence[float]], float] = statistics.median


ROWS = (
    Row("first contentful paint, s", "painted"),
    Row("page usable: a photo can be chosen, s", "usable"),
    Row("page opened to answer, photo chosen as soon as it can be, s", "opened"),
    Row("photo of 12 megapixels chosen to answer, s", "chosen"),
    Row(
        "page's thread blocked by that, worst visit, ms (0: never for 50)", "blocked", 1e-3, 0, max
    ),
    Row(f"{SLOW}: first contentful paint, s", "slow painted"),
    Row(f"{SLOW}: page usable, s", "slow usable"),
    Row(f"{SLOW}: page opened to answer, s", "slow opened"),
    Row(f"{SLOW}: photo chosen to answer, s", "slow chosen"),
    Row("MB over the wire, cold", "slow page bytes", 1e6, 3),
    Row("requests, cold", "requests", digits=0),
    Row("requests to other hosts", "other hosts", digits=0),
    Row("MB sent for the photo", "slow photo bytes", 1e6),
)


@dataclass(frozen=True)
class Target:
    """What a page of ours is to reach: at most `limit`, or so large a share of what `of` has."""

    whose: str
    key: str
    limit: float | None = None
    share: float = 1.0
    of: str = ""


TARGETS = (
    Target(SERVICE, "painted", of=NOTEBOOK),
    Target(SERVICE, "usable", of=NOTEBOOK),
    Target(SERVICE, "opened", of=NOTEBOOK),
    Target(SERVICE, "opened", share=0.45, of=GRADIO),
    Target(SERVICE, "chosen", share=0.45, of=GRADIO),
    Target(SERVICE, "blocked", limit=50),
    Target(SERVICE, "slow usable", of=GRADIO),
    Target(SERVICE, "slow opened", of=GRADIO),
    Target(SERVICE, "slow chosen", share=0.5, of=GRADIO),
    Target(SERVICE, "slow page bytes", limit=0.08),
    Target(SERVICE, "requests", limit=10),
    Target(SERVICE, "other hosts", limit=0),
    Target(SERVICE, "slow photo bytes", limit=0.3),
    Target(NOTEBOOK, "painted", limit=0.3),
    Target(NOTEBOOK, "usable", of=GRADIO),
    Target(NOTEBOOK, "opened", of=GRADIO),
    Target(NOTEBOOK, "chosen", share=0.45, of=GRADIO),
    Target(NOTEBOOK, "blocked", limit=50),
    Target(NOTEBOOK, "slow usable", of=GRADIO),
    Target(NOTEBOOK, "slow opened", of=GRADIO),
    Target(NOTEBOOK, "slow chosen", share=0.5, of=GRADIO),
    Target(NOTEBOOK, "slow page bytes", limit=0.6),
    Target(NOTEBOOK, "requests", limit=40),
    Target(NOTEBOOK, "other hosts", limit=0),
    Target(NOTEBOOK, "slow photo bytes", limit=0.3),
)


@dataclass
class Measured:
    """What was found of one tool: figures by their keys, its answers, and when it was lost."""

    figures: dict[str, list[float]] = field(default_factory=dict)
    answers: set[str] = field(default_factory=set)
    server_lost: Noticed | None = None
    kernel_lost: Noticed | None = None

    def add(self, found: Mapping[str, Any], prefix: str = "") -> None:
        """Take in what one visit found."""
        for key, value in found.items():
            if key == "answer":
                self.answers.add(" ".join(value.split()))
            elif value is not None:
                self.figures.setdefault(prefix + key, []).append(value)

    def figure(self, row: Row) -> float | None:
        """Return what stands in a row, in its unit; None where nothing was measured."""
        values = self.figures.get(row.key)
        return row.of_all(values) / row.unit if values else None


def yes(reached: bool) -> str:
    """Return a verdict that can't be overlooked."""
    return "yes" if reached else "NO"


def table(found: Mapping[str, Measured]) -> Iterator[str]:
    """Return the lines of the table of figures, one column a tool, and of ours over Gradio's."""
    ours = [name for name in OURS if name in found]
    over = [f"{name} over {GRADIO}" for name in ours]
    yield f"| | {' | '.join([*found, *over])} |"
    yield "|---" * (len(found) + len(ours) + 1) + "|"
    for row in ROWS:
        figures = {name: tool.figure(row) for name, tool in found.items()}
        cells = ["" if it is None else f"{it:.{row.digits}f}" for it in figures.values()]
        cells += [ratio(figures[name], figures.get(GRADIO)) for name in ours]
        yield f"| {row.title} | {' | '.join(cells)} |"
    for title, which in (("server", "server_lost"), ("kernel", "kernel_lost")):
        cells = [str(getattr(tool, which) or "") for tool in found.values()]
        if any(cells):
            cells += [""] * len(ours)
            yield f"| {title} killed: the page says so, unprompted | {' | '.join(cells)} |"


def ratio(ours: float | None, theirs: float | None) -> str:
    """Return ours over theirs, or nothing where there is no such ratio."""
    return f"{ours / theirs:.2f}" if ours is not None and theirs else ""


def verdicts(found: Mapping[str, Measured]) -> Iterator[str]:
    """Return the lines of the table of targets, without those that nothing was measured for."""
    yield "| page | target | found | reached |"
    yield "|---|---|---|---|"
    rows = {row.key: row for row in ROWS}
    for target in TARGETS:
        row = rows[target.key]
        ours = found[target.whose].figure(row) if target.whose in found else None
        limit, words = target.limit, f"at most {target.limit}"
        if target.of:
            theirs = found[target.of].figure(row) if target.of in found else None
            limit = None if theirs is None else target.share * theirs
            words = "under" if target.share == 1 else f"at most {target.share:g} of"
            words += f" that of {target.of}"
            words += "" if limit is None else f" ({limit:.{row.digits}f})"
        if ours is None or limit is None:
            continue
        reached = ours < limit if target.of and target.share == 1 else ours <= limit
        yield (
            f"| {target.whose} | {row.title}: {words} | {ours:.{row.digits}f} | {yes(reached)} |"
        )
    for what, which in (("server", "server_lost"), ("kernel", "kernel_lost")):
        for name in OURS:
            noticed = getattr(found[name], which) if name in found else None
            if noticed:
                told = f"{what} killed, told within {LOST_IN_TIME:g} s"
                yield f"| {name} | {told} | {noticed} | {in_time(noticed)} |"


def in_time(noticed: Noticed) -> str:
    """Return whether a page said early enough that it is lost."""
    return yes(noticed.unprompted is not None and noticed.unprompted <= LOST_IN_TIME)


def notes(found: Mapping[str, Measured]) -> Iterator[str]:
    """Return what each tool answered, and what it said when it was lost."""
    for name, tool in found.items():
        yield f"- {name} answered: {'; '.join(sorted(tool.answers))}"
        for what, noticed in (("server", tool.server_lost), ("kernel", tool.kernel_lost)):
            if noticed and noticed.words:
                yield f"- {name}, its {what} killed: “{noticed.words}”"
