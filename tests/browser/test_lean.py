"""A page whose runtime lacks what its model calls goes on with the whole one; no photo is lost."""

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, expect

from tests.browser.device import Device, hosting, write_model
from tests.browser.test_web import best, jpeg
from tests.conftest import ROOT
from voilearn.device import build as building
from voilearn.device.lean import ENDS, bodies, number, sections, with_bodies
from voilearn.device.npm import RUNTIME, get_package
from voilearn.errors import CannotBuild

pytestmark = pytest.mark.browser
IMPORT, EXPORT = 2, 7  # sections
FUNCTION = 0


def named(binary: bytes, at: int) -> tuple[str, int]:
    size, at = number(binary, at)
    return binary[at : at + size].decode(), at + size


def imported(content: bytes) -> Iterator[int]:
    """Yield the kinds of what a binary takes from its script."""
    count, at = number(content, 0)
    for _ in range(count):
        at = named(content, named(content, at)[1])[1]
        kind, at = content[at], at + 1
        yield kind
        if kind == FUNCTION:
            at = number(content, at)[1]
        else:  # a table or a memory: limits, after the type of what is in a table
            at += kind == 1
            flags, at = number(content, at)
            for _ in range(1 + (flags & 1)):
                at = number(content, at)[1]


def place_of(binary: bytes, name: str) -> int:
    """Return which of its own functions a binary shows by a name."""
    parts = dict(sections(binary))
    count, at = number(parts[EXPORT], 0)
    for _ in range(count):
        found, at = named(parts[EXPORT], at)
        place, at = number(parts[EXPORT], at + 1)
        if found == name:
            return place - list(imported(parts[IMPORT])).count(FUNCTION)
    raise LookupError(name)


@pytest.fixture(params=["to start", "for a photo"])
def lacking(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A page whose runtime ends where it is called: at once, or for the first photo."""
    try:
        brought = get_package(RUNTIME, None, print)
    except CannotBuild as error:
        pytest.skip(str(error))
    runs = re.search(rb"\._OrtRun=\w+\.(\w+)", brought.script)
    assert runs
    binary = gzip.decompress(brought.binary.packed)
    functions = bodies(binary)
    if request.param == "to start":
        functions = [ENDS] * len(functions)
    else:
        functions[place_of(binary, runs[1].decode())] = ENDS
    monkeypatch.setattr(building, "lean", lambda *_: with_bodies(binary, functions))
    out = tmp_path / "dist"
    building.build(write_model(tmp_path / "model"), ROOT / "app.ipynb", out)
    assert len(list(out.glob("ort-*.wasm.gz"))) == 2
    return out


def test_it_goes_on_with_the_whole_runtime(lacking: Path, context: BrowserContext) -> None:
    with hosting(lacking) as host:
        device = Device(context.new_page(), host.url).open()
        assert best(device.ask(jpeg("top right"))) == "top right"
        expect(device.banner).to_have_count(0)
        assert best(device.ask(jpeg("bottom left"))) == "bottom left"
        large = [path for path in host.asked if path.endswith(".gz")]
        assert len(large) == len(set(large)) == 3  # the model but once
        expect(device.offline).to_be_visible()
        later = Device(context.new_page(), host.url).open_ready()
        assert best(later.ask(jpeg("top left"))) == "top left"
        assert [path for path in host.asked if path.endswith(".gz")] == large  # it knows which


def test_without_the_whole_runtime_the_page_says_so_and_tries_again(
    lacking: Path, context: BrowserContext
) -> None:
    with hosting(lacking) as host:
        whole = max(lacking.glob("ort-*.wasm.gz"), key=lambda file: file.stat().st_size)
        host.faults[whole.name] = lambda _: 503
        device = Device(context.new_page(), host.url).open()
        device.choose(jpeg("top right"))
        expect(device.banner).to_contain_text("The runtime")
        host.faults.clear()
        device.again.click()
        assert best(device.answer()) == "top right"
