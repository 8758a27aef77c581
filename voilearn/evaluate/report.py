"""Write an evaluation as one HTML page, to look at and to send: nothing in it comes from elsewhere.

In comes an `Evaluation`; out goes a text. It shows small copies of some of the photos, without what
else their files hold, so whoever gets it sees those.
"""

import base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import date
from html import escape
from pathlib import Path
from string import Template

from voilearn.errors import CannotBuild, PhotoError, printable, shown
from voilearn.evaluate.asking import thumbnail
from voilearn.evaluate.evaluate import Evaluation, Shown
from voilearn.evaluate.measure import Measured, Reliability, Share
from voilearn.evaluate.outsiders import Way

PAGE = Path(__file__).with_name("report.html")
MOST_CLASSES = 30  # of a confusion matrix that is shown as one
MOST_PAIRS = 20
MOST_ROWS = 200
NAMES = {
    "energy": "the sum of what the network says for all classes (energy)",
    "means": "how near its features are to those of a class (class means)",
    "outside": "a layer trained on the photos of something else",
}


def report(found: Evaluation) -> str:
    """Return the page."""
    title = f"How good is {printable(found.file.name, 80)}?"
    return Template(PAGE.read_text("utf-8")).substitute(
        title=escape(title),
        day=date.today().isoformat(),
        sha256=found.model.sha256,
        summary=_summary(found),
        warnings=_list(found.warnings(), "notes"),
        classes=_classes(found.before),
        confusion=_confusion(found.before),
        reliability=_reliability(found),
        mistakes=_gallery(found.mistakes, _mistake, "None of these photos was named wrongly."),
        scope=_scope(found),
    )


def write_report(path: Path, page: str) -> None:
    """Write a page to a file. Raises CannotBuild if it can't be."""
    try:
        path.write_text(page, "utf-8")
    except OSError as error:
        raise CannotBuild(
            f"{shown(path)} can't be written: {error.strerror}. Name another file with -o."
        ) from error


def _summary(found: Evaluation) -> str:
    of_all = "has all labels right" if found.before.confusion is None else "is right"
    facts = [
        (f"{found.before.accuracy.value:.1%}", f"{of_all}, of {found.before.accuracy.of:,} photos"),
        (f"{found.harder.accuracy.value:.1%}", "of a harder copy of each: small, dark, blurred"),
        (f"{found.after.reliability.error:.1%}", "is how far its percentages are off"),
    ]
    if found.others is not None:
        answered = f"{found.others.value:.0%}"
        facts.append((answered, f"of {found.others.of:,} photos of something else get an answer"))
    items = (f"<li><strong>{escape(a)}</strong> {escape(b)}</li>" for a, b in facts)
    return f'<ul class="facts">{"".join(items)}</ul>'


def _list(sentences: Sequence[str], kind: str) -> str:
    items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return f'<ul class="{kind}">{items}</ul>' if items else ""


def _classes(measured: Measured) -> str:
    ranked = sorted(measured.classes, key=lambda each: (not each.found.of, each.found.value))
    rows = [("all", measured.accuracy, None), *((e.label, e.found, e.right) for e in ranked)]
    body = "".join(
        f'<tr><th scope="row">{escape(label)}</th><td>{found.of:,}</td>'
        f"<td>{_bar(found)}</td><td>{_percent(right)}</td></tr>"
        for label, found, right in rows[: MOST_ROWS + 1]
    )
    more = len(rows) - 1 - MOST_ROWS
    note = f"<p>{more:,} more classes are found more often.</p>" if more > 0 else ""
    return (
        '<div class="wide"><table><thead><tr><th scope="col">class</th><th scope="col">photos</th>'
        '<th scope="col">found, with its interval of 95&nbsp;%</th>'
        '<th scope="col">right when named</th></tr></thead>'
        f"<tbody>{body}</tbody></table></div>{note}"
    )


def _percent(share: Share | None) -> str:
    return "" if share is None else f"{share.value:.1%}" if share.of else "never named"


def _bar(share: Share) -> str:
    if not share.of:
        return "no photos"
    low, high = share.interval
    drawn = f"--share:{share.value:.4f};--low:{low:.4f};--high:{high:.4f}"
    return (
        f'<span class="bar" style="{drawn}"></span> {share.value:.1%} '
        f'<span class="interval">{low:.1%} to {high:.1%}</span>'
    )


def _confusion(measured: Measured) -> str:
    matrix = measured.confusion
    if matrix is None:
        return "<p>A photo may have several labels here, so there is no such table.</p>"
    labels = [escape(each.label) for each in measured.classes]
    if len(labels) > MOST_CLASSES:
        return _pairs(measured)
    head = "".join(f'<th scope="col"><span>{label}</span></th>' for label in labels)
    body = ""
    for label, row in zip(labels, matrix.tolist(), strict=True):
        most = max(sum(row), 1)
        cells = (f'<td style="--share:{n / most:.3f}">{n or ""}</td>' for n in row)
        body += f'<tr><th scope="row">{label}</th>{"".join(cells)}</tr>'
    return (
        '<div class="wide"><table class="matrix"><caption>Rows: what is in the photo. Columns: '
        f"the answer.</caption><thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody>"
        "</table></div>"
    )


def _pairs(measured: Measured) -> str:
    matrix = measured.confusion
    assert matrix is not None  # noqa: S101  # as it was asked
    labels = [each.label for each in measured.classes]
    pairs = sorted(
        (
            (-int(matrix[one, other]), labels[one], labels[other])
            for one, other in zip(*matrix.nonzero(), strict=True)
            if one != other
        ),
    )
    return _list(
        [f"{-count} {one} called {other}" for count, one, other in pairs[:MOST_PAIRS]], "pairs"
    )


def _reliability(found: Evaluation) -> str:
    value = found.temperature.value
    told = "As the model gives them. " + found.temperature.why.capitalize()
    if value is not None:
        told = f"Its numbers are divided by {value:g}, {found.temperature.why}"
    diagrams = [
        ("These photos", found.before.reliability, found.after.reliability),
        ("Harder copies", found.harder.reliability, found.harder_after.reliability),
    ]
    figures = "".join(_diagram(*each, value is not None) for each in diagrams)
    return f'<p>{escape(told)}.</p><div class="figures">{figures}</div>'


def _diagram(name: str, before: Reliability, after: Reliability, both: bool) -> str:
    """Draw how often what the model says comes true: on the line, as often as it says."""
    side, drawn = 200, ""
    for kind, measured in (("before", before), *([("after", after)] if both else [])):
        for each in measured.bins:
            x, y = each.mean * side, side - each.right.value * side
            size = 2.5 + 5 * (each.right.of / max(b.right.of for b in measured.bins)) ** 0.5
            drawn += f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}"/>'
    told = f"{name}: {before.error:.1%} off"
    told += f", {after.error:.1%} with the temperature" if both else ""
    return (
        f'<figure><svg viewBox="-22 -8 {side + 30} {side + 30}" role="img" '
        f'aria-label="{escape(told)}"><path d="M0 0V{side}H{side}"/>'
        f'<path class="ideal" d="M0 {side}L{side} 0"/>{drawn}'
        f'<text x="{side}" y="{side + 16}" text-anchor="end">how sure it is</text>'
        '<text x="0" y="-8" text-anchor="end" transform="rotate(-90)">how often it is right</text>'
        "</svg>"
        f"<figcaption>{escape(told)}</figcaption></figure>"
    )


def _gallery(ones: Sequence[Shown], caption: Callable[[Shown], str], none: str) -> str:
    if not ones:
        return f"<p>{escape(none)}</p>"
    return f'<ul class="gallery">{"".join(_photos(ones, caption))}</ul>'


def _photos(ones: Iterable[Shown], caption: Callable[[Shown], str]) -> Iterator[str]:
    for one in ones:
        picture = _picture(one.file)
        if one.nearest:
            picture += _picture(one.nearest[0])
        yield f"<li>{picture}<span>{caption(one)}</span></li>"


def _picture(file: Path) -> str:
    with suppress(PhotoError, OSError):
        data = base64.b64encode(thumbnail(file)).decode()
        name = escape(printable(file.name, 80), quote=True)
        return f'<img alt="{name}" title="{name}" src="data:image/jpeg;base64,{data}">'
    return ""


def _mistake(one: Shown) -> str:
    told = f"<b>{escape(one.answer)}</b> {one.probability:.0%}, is {escape(one.truth or 'none')}"
    return told + (f"; most alike: {escape(one.nearest[1])}" if one.nearest else "")


def _other(one: Shown) -> str:
    return f"<b>{escape(one.answer)}</b> {one.probability:.0%}, is of {escape(one.truth)}"


def _scope(found: Evaluation) -> str:
    outsiders = found.outsiders
    none = "None of the photos of something else would be answered."
    gallery = _gallery(found.passed, _other, none) if found.others is not None else ""
    if not outsiders.terms:
        told = escape(f"Nothing tells such photos here: {outsiders.why}.")
        return f"<p>{told} So every photo gets an answer.</p>{gallery}"
    way = outsiders.ways[0]
    told = f"Told by {' and '.join(NAMES[kind] for kind in way.kinds)}; {outsiders.why}."
    advice = ""
    if found.others is None:
        advice = (
            "<p>No real photos of something else were given. With a folder of some, by "
            "<code>--out-of-scope</code>, this would be known better, and done better.</p>"
        )
    return f"<p>{escape(told)}</p>{_ways(way)}{advice}{gallery}"


def _ways(way: Way) -> str:
    rows = [
        ("these photos, refused", way.refused),
        ("harder copies, refused", way.refused_harder),
        *((f"{name}, answered", share) for name, share in way.passed.items()),
    ]
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{share.of:,}</td><td>{_bar(share)}</td></tr>'
        for name, share in rows[:MOST_ROWS]
    )
    return f'<div class="wide"><table><tbody>{body}</tbody></table></div>'
