"""What must hold in every engine, on a wide window and on a phone's.

In: the pages of a notebook and a service whose model is a stub, and the page for devices round a
tiny model; out: what a visitor gets there, in Chromium, in Firefox and in WebKit.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from tests.browser import drawn, engines, stub, ways
from tests.browser.device import Host, build, hosting, write_model
from tests.browser.drawn import scene
from tests.browser.engines import Engine, Window
from tests.browser.ways import Place
from tests.conftest import encode

TOLD = """() => {
  const status = document.querySelector('.voilearn-answer, .voilearn-error')
  return status?.getClientRects().length ? status.textContent : ''
}"""
LISTENS = """() => {
  const said = document.querySelector('.voilearn-status')?.textContent
  return said !== undefined && !said.startsWith('Opening')
}"""
TOO_WIDE = "() => document.documentElement.scrollWidth > innerWidth"
OF_VISIT = "() => document.querySelectorAll('.voilearn-history .voilearn-%s').length"
PHOTOS = """(kind, photos) => {
  const given = new DataTransfer()
  for (const [name, text] of photos) {
    const bytes = Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0))
    given.items.add(new File([bytes], name, {type: 'image/png'}))
  }
  const of = {bubbles: true, cancelable: true}
  const event =
    kind === 'drop' ? new DragEvent('drop', {dataTransfer: given, ...of}) : new Event('paste', of)
  // Firefox gives a ClipboardEvent of a script's an empty clipboard
  if (kind === 'paste') Object.defineProperty(event, 'clipboardData', {value: given})
  document.body.dispatchEvent(event)
}"""
SAVED = """async (button) => {
  const made = []
  const before = URL.createObjectURL
  URL.createObjectURL = (blob) => { made.push(blob); return before.call(URL, blob) }
  document.querySelector(button).click()
  URL.createObjectURL = before
  return made[0].text()
}"""
FOCUSED = """() => {
  const at = document.activeElement
  if (!at || at === document.body) return ''
  // a screen without a window manager gives only one window the keyboard's marks
  const shown = at.closest('label') ?? at
  const outline = document.hasFocus() ? getComputedStyle(shown).outlineWidth : '3px'
  return at.type === 'file' ? `file ${outline}` : `${at.className.split(' ')[0]} ${outline}`
}"""
MOVING = """() => [...document.querySelectorAll('*')].filter(
  (e) => getComputedStyle(e).transitionDuration !== '0s' ||
    getComputedStyle(e).animationName !== 'none').length"""
GROUND = "() => getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).map(Number)"
AXE = """async (rules) => {
  const found = await axe.run(document, {runOnly: rules})
  return found.violations.map(({id, nodes}) => `${id}: ${nodes.map((n) => n.html).join(' ')}`)
}"""
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def ask(window: Window, photo: Path) -> str:
    """Give a photo to an open page; return the sentence that comes."""
    window.wait(LISTENS)
    window.give("input[type=file]", photo)
    return str(window.wait(TOLD))


def is_answer(sentence: str) -> bool:
    """Whether a sentence is an answer: what code draws is of no class, or is taken for one."""
    return "sure" in sentence or sentence == "This doesn't look like any of the things I know"


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    file = tmp_path / "photo.jpg"
    file.write_bytes(encode(scene(1), "JPEG"))
    return file


def test_a_photo_is_answered(window: Window, page: str, photo: Path) -> None:
    window.open(page)
    assert is_answer(ask(window, photo))
    assert window.run("() => document.querySelectorAll('.voilearn-bar').length") > 2
    assert not window.run(TOO_WIDE)


def test_several_photos_stay_by_each_other_and_are_saved(
    window: Window, page: str, tmp_path: Path
) -> None:
    names = [f"photo {number}.png" for number in range(3)]
    for number, name in enumerate(names):
        (tmp_path / name).write_bytes(drawn.png(number))
    (tmp_path / "words.jpg").write_text("dear diary")
    window.open(page)
    window.wait(LISTENS)
    window.give("input[type=file]", *(tmp_path / name for name in names), tmp_path / "words.jpg")
    window.wait(f"{OF_VISIT % 'is-answer'} === 3")
    window.wait(f"{OF_VISIT % 'is-error'} === 1")
    assert not window.run(TOO_WIDE)
    window.run("() => document.querySelectorAll('.voilearn-history button')[3].click()")
    assert not is_answer(str(window.wait(TOLD)))
    saved = json.loads(window.run(SAVED, ".voilearn-json"))
    assert [each["photo"] for each in saved] == [*names, "words.jpg"]
    assert all(sum(each["probabilities"].values()) > 0.9 for each in saved[:3])
    assert saved[3]["error"]["type"]
    table = str(window.run(SAVED, ".voilearn-csv"))
    assert [line.split(",")[0] for line in table.splitlines()] == ["photo", *names, "words.jpg"]


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_photos_are_dropped_and_pasted(window: Window, page: str, kind: str) -> None:
    import base64

    photos = [(f"{n}.png", base64.b64encode(drawn.png(n)).decode()) for n in (1, 2)]
    window.open(page)
    window.wait(LISTENS)
    window.run(PHOTOS, kind, photos)
    window.wait(f"{OF_VISIT % 'is-answer'} === 2")
    held = "() => document.querySelector('input[type=file]').files.length"
    assert window.run(held) == 2


def test_an_example_is_answered_by_keyboard_alone(window: Window, page: str) -> None:
    window.open(page)
    window.wait("() => document.querySelectorAll('.voilearn-gallery button').length === 2")
    window.wait(LISTENS)
    reached: list[str] = []
    while not reached or reached[-1].split()[0] != "voilearn-thumb":
        window.press("Tab")
        reached.append(str(window.run(FOCUSED)))
        assert len(reached) < 20, reached
    assert {name.partition(" ")[2] for name in reached if not name.startswith("a ")} == {"3px"}
    assert reached[0].startswith("file")
    window.press("Enter")
    assert is_answer(str(window.wait(TOLD)))


TOUCHED = """() => {
  window.pointers = []
  addEventListener('pointerup', (event) => window.pointers.push(event.pointerType), true)
}"""


def test_a_finger_asks_again_chooses_a_photo_and_opens_an_example(
    engine: Engine, page: str, tmp_path: Path
) -> None:
    for number in (1, 2):
        (tmp_path / f"{number}.png").write_bytes(drawn.png(number))
    with engine.window("phone") as phone:
        phone.open(page)
        phone.wait(LISTENS)
        phone.run(TOUCHED)
        phone.give("input[type=file]", tmp_path / "1.png", tmp_path / "2.png")
        phone.wait(f"{OF_VISIT % 'is-answer'} === 2")
        first = phone.run("() => document.querySelector('.voilearn-preview img').src")
        phone.tap(".voilearn-history button[aria-current=false]")
        phone.wait("(src) => document.querySelector('.voilearn-preview img').src !== src", first)
        phone.wait("() => !document.querySelector('.voilearn-classify').hidden")
        phone.tap(".voilearn-classify")
        assert is_answer(str(phone.wait(TOLD)))
        phone.tap(".voilearn-gallery button")
        phone.wait(f"{OF_VISIT % 'is-answer'} === 3")
        # WebKitGTK's driver makes a mouse of a finger
        assert phone.run("() => [...new Set(pointers)]") == ["touch"] or engine.name == "webkit"
        assert not phone.run(TOO_WIDE)


@pytest.fixture
def zoomed(engine: Engine) -> Iterator[Window]:
    with engine.window("zoomed") as opened:
        yield opened


def check(window: Window) -> None:
    """Have axe-core look at a page; it finds nothing."""
    script = files("axe_playwright_python").joinpath("axe.min.js").read_text("utf-8")
    window.call(
        f"async () => {{ {script}\n; return '' }}", ""
    )  # a page's own policy allows no eval
    assert window.run(AXE, RULES) == []


def test_axe_finds_nothing_and_nothing_is_cut_off_at_twice_the_size(
    zoomed: Window, page: str, photo: Path
) -> None:
    zoomed.open(page)
    zoomed.wait(LISTENS)
    check(zoomed)
    assert is_answer(ask(zoomed, photo))
    assert not zoomed.run(TOO_WIDE)
    check(zoomed)


# What a visitor has set in the system, as each engine is told of it without a desktop.
WISHES: dict[str, Callable[[], contextlib.AbstractContextManager[Engine]]] = {
    "firefox": lambda: engines.firefox(
        **{
            "layout.css.prefers-color-scheme.content-override": 0,
            "ui.prefersReducedMotion": 1,
            "intl.accept_languages": "de",
            "media.navigator.streams.fake": True,
            "media.navigator.permission.disabled": True,
        }
    ),
    "webkit": lambda: engines.webkit(GTK_THEME="Adwaita:dark", LANGUAGE="de", LC_ALL="C.UTF-8"),
}


@pytest.fixture(scope="module", params=[*WISHES])
def wishing(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """A browser of who wants it dark and still, in German, with a camera; Chromium has tests of
    its own for each of these."""
    if lack := engines.lacking(request.param):
        pytest.skip(lack)
    with WISHES[request.param]() as running:
        yield running


@pytest.mark.slow
def test_dark_still_and_german_where_the_system_is(wishing: Engine, page: str, photo: Path) -> None:
    with wishing.window("phone") as window:
        window.open(page)
        told = {
            name: window.run(f"() => matchMedia('({name})').matches")
            for name in ("prefers-color-scheme: dark", "prefers-reduced-motion: reduce")
        }
        language = str(window.run("() => navigator.language"))
        answered = ask(window, photo)
        if told["prefers-color-scheme: dark"]:
            assert sum(window.run(GROUND)[:3]) < 200
        if told["prefers-reduced-motion: reduce"]:
            assert window.run(MOVING) == 0
        if language.startswith("de"):
            assert window.text(".voilearn-choose span") == "Foto auswählen"
            assert not is_answer(answered)
        check(window)
        assert told["prefers-color-scheme: dark"], told
        if wishing.name == "firefox":
            assert all(told.values())
            assert language == "de"


@pytest.mark.slow
def test_a_photo_is_taken_with_the_camera(wishing: Engine, page: str) -> None:
    if wishing.name == "webkit":
        pytest.skip("WebKitGTK's driver has no camera that is none")
    with wishing.window() as window:
        window.open(page)
        window.wait("() => !document.querySelector('.voilearn-camera').hidden")
        window.click(".voilearn-camera")
        window.wait("() => document.querySelector('.voilearn-live video').videoWidth > 0")
        window.click(".voilearn-snap")
        assert window.wait(TOLD)
        assert (
            window.run("() => document.querySelector('.voilearn-preview img').naturalWidth") > 100
        )


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[Host]:
    """A host of the page for devices that may go away."""
    with hosting(build(write_model(tmp_path / "model"), tmp_path / "dist")) as host:
        yield host


def test_the_page_for_devices_opens_without_a_network(
    engine: Engine, alone: Host, photo: Path
) -> None:
    with engine.window() as window:
        window.open(alone.url)
        assert is_answer(ask(window, photo))
        window.wait("() => Boolean(document.querySelector('.voilearn-offline'))")
        asked = len(alone.asked)
        alone.faults[""] = lambda _: None  # every connection breaks off
        window.reload()
        assert is_answer(ask(window, photo))
        assert window.run("() => document.styleSheets.length") >= 1
        alone.faults.clear()
        assert not [path for path in alone.asked[asked:] if path.endswith(".gz")]


def test_a_heic_photo_is_answered_on_a_device(
    engine: Engine, device_page: str, tmp_path: Path
) -> None:
    (tmp_path / "photo.heic").write_bytes(drawn.HEIC)
    with engine.window() as window:
        window.open(device_page)
        assert ask(window, tmp_path / "photo.heic").startswith("Top left")


@pytest.mark.parametrize("script", ["heic.js", "libheif.js", ".wasm.gz"])
def test_a_heic_photo_is_answered_once_its_decoder_can_be_had(
    engine: Engine, alone: Host, tmp_path: Path, script: str
) -> None:
    """A browser remembers that a script failed; the photo is asked again without a reload."""
    (tmp_path / "photo.heic").write_bytes(drawn.HEIC)
    with engine.window() as window:
        window.open(alone.url)
        window.wait("() => Boolean(document.querySelector('.voilearn-offline'))")
        alone.faults[script] = lambda _: 503
        told = ask(window, tmp_path / "photo.heic")
        alone.faults.clear()
        assert "HEIC" in told or "sure" in told, told  # WebKit opens it by itself
        (tmp_path / "again.heic").write_bytes(drawn.HEIC)
        window.give("input[type=file]", tmp_path / "again.heic")
        window.wait(f"() => ({TOLD})().includes('sure')")


LOST = "() => document.querySelector('.voilearn-alert')?.textContent"


@pytest.mark.parametrize("way", ["voila", "service"])
def test_a_server_that_goes_and_comes_back_is_told_and_the_photo_kept(
    engine: Engine, way: str, app: Path, tmp_path: Path, photo: Path
) -> None:
    place = Place(stub.lay_out(app, tmp_path / "app"), tmp_path)
    with contextlib.ExitStack() as servers, engine.window() as window:
        server = servers.enter_context(ways.running(way, place))
        port = int(server.url.rsplit(":", 1)[1].strip("/").split("/")[0])
        window.open(server.page)
        assert is_answer(ask(window, photo))
        server.stop()
        window.wait(LOST)
        servers.enter_context(ways.running(way, place, port))
        window.run(
            "() => document.querySelector('.voilearn-alert button')?.click()"
        )  # a service's page comes back by itself
        window.wait("() => !document.querySelector('.voilearn-alert').textContent")
        assert is_answer(str(window.wait(TOLD)))
        assert is_answer(ask(window, photo))
