"""What the browser tests share: servers in every way of running, browsers, the reference.

In: the checkout; out: fixtures. Screenshots go to tests/screenshots or VOILEARN_SCREENSHOTS.
"""

import contextlib
import io
import json
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from PIL import Image, ImageOps
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Error,
    Page,
    Playwright,
    expect,
    sync_playwright,
)

from tests.browser import drawn, engines, stub, ways
from tests.browser.chromium import BROWSERS, QUIET, SHELL
from tests.browser.device import Device, Host, build, hosting, write_model, write_notebook
from tests.browser.engines import ByPlaywright, Engine, Window
from tests.browser.visitor import ANSWER_WITHIN, Visitor
from tests.browser.ways import Place, Server

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
# a kernel left by an earlier test ends in time; one in use says every minute that it is
TIDY = {"cull_idle_timeout": 240, "cull_interval": 10}
NEEDED = (
    "app.ipynb",
    "app.toml",
    "export.pkl",
    "export.scope.json",
    "voilearn",
    "voila.json",
    ".jupyter",
    "requirements.txt",
)

# What these test is the same in every way, so `make test` asks some of them; the matrix asks all.
ALIKE = {
    "test_access": ("voila",),
    "test_answers": ("voila",),
    "test_photos": ("voila",),
    "test_states": ("voila", "service"),
}
IN_EVERY_WAY = ("test_a_killed_kernel", "test_where_there_is_no_page")
# and what differs by who is asked: a kernel, a service, the visitor's device
BY_HOST = ("test_axe", "test_what_nobody", "test_a_photo_on_its_way", "test_progress")
HOSTS = ("voila", "service", "device")
# What is asked once by `make test`, in each language, size or way by the matrix.
ONCE = {
    "test_a_photo_gets_the_answer_of_learner_predict": {"make", "lab", "binder", "hub"},
    "test_a_real_photo_gets_the_answer_of_learner_predict": {"hub"},
    "test_a_photo_over_ten_megabytes_works": {"hub"},
    "test_a_message_over_ten_megabytes_reaches_the_kernel": {"hub"},
    "test_two_visitors_at_once_do_not_mix": {"hub"},
    "test_a_visitor_who_leaves_ends_the_kernel": {"close", "a link"},
    "test_who_comes_back_has_a_kernel_at_once": {"voila"},
    "test_a_page_that_is_only_hidden_keeps_its_kernel": {"voila"},
    "test_of_two_pages_of_one_visitor_the_other_stays": {"binder"},
    "test_a_browser_that_is_quit_ends_the_kernel": {"binder"},
    "test_a_page_that_says_no_goodbye_ends_its_kernel_all_the_same": {"binder"},
    "test_a_restarted_server_answers_the_photo_that_was_kept": {"voila", "service"},
    "test_a_page_without_a_model_says_why": {"voila"},
    "test_a_large_photo_is_upright_whichever_way_the_camera_was_held": {"JPEG"},
    "test_too_large_a_picture_is_known_by_its_header": {"JPEG", "PNG"},
    "test_no_english_is_left_in_any_state": {"de", "zh"},
    "test_the_real_page_looks_well_in_every_state": {"phone"},
    "test_the_answer_is_in_sight_and_the_field_true": {"phone"},
    "test_a_page_loaded_anew_takes_no_photo_of_before": {"phone"},
    "test_the_token_is_asked_for_in_the_visitors_language_and_fits_a_phone": {"de"},
}
ON_A_DEVICE = ("test_access", "test_answers", "test_photos")  # it has no line that could be lost

Predict = Callable[[bytes], dict[str, float]]

expect.set_options(timeout=ANSWER_WITHIN)  # playwright's own five seconds are a speed


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark everything in this folder as a browser test, and leave out what a device has not."""
    items[:] = [item for item in items if HERE not in item.path.parents or _is_for(item)]
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.browser)
            if _is_of_the_matrix(item):
                item.add_marker(pytest.mark.slow)


def _is_of_the_matrix(item: pytest.Item) -> bool:
    """Tell whether a test asks once more what `make test` has asked in another way."""
    name, way, params = item.path.stem, _way_of(item), _params(item)
    other_engine = params.get("engine", "chromium") != "chromium"
    if name == "test_files":  # a service's page reads files as a notebook's does
        return params.get("page") == "service" or (other_engine and params.get("page") == "device")
    if other_engine:  # what differs most between them, how they read files, is asked above
        return True
    test = item.name.partition("[")[0]
    if name == "test_engines" and test != "test_a_photo_is_answered":
        return True  # asked of Chromium elsewhere, more closely
    if test in ONCE and ONCE[test].isdisjoint(map(str, params.values())):
        return True
    if name not in ALIKE or way is None or way in ALIKE[name]:
        return False
    of_its_host = way in HOSTS and item.name.startswith(BY_HOST)
    return not (of_its_host or item.name.startswith(IN_EVERY_WAY))


def _is_for(item: pytest.Item) -> bool:
    """Tell whether the way that a test's page is run in has what it tests."""
    return _way_of(item) != "device" or item.path.stem in ON_A_DEVICE


def _way_of(item: pytest.Item) -> Any:
    return _params(item).get("stubbed")


def _params(item: pytest.Item) -> dict[str, Any]:
    return getattr(getattr(item, "callspec", None), "params", {})


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show the server's log and keep a screenshot when a test fails."""
    report = yield
    if report.failed:
        for value in getattr(item, "funcargs", {}).values():
            if isinstance(value, Visitor):
                _keep(value, item.name)
                report.sections.append(("the browser's console", "\n".join(value.console)))
                value = value.server
            if isinstance(value, Window):
                with contextlib.suppress(Exception):
                    report.sections.append(("the page's words", value.text("body")))
                    value.show(_screenshots(), f"failed-{item.name}")
            if isinstance(value, Server):
                report.sections.append((f"log of {value.way}", value.log_tail()))
    return report


@pytest.fixture(scope="session")
def chromium_path(whole_chromium: str) -> str:
    """Find what most tests drive: Chromium's shell, unless VOILEARN_WHOLE_CHROMIUM is set."""
    shell = None if os.environ.get("VOILEARN_WHOLE_CHROMIUM") else shutil.which(SHELL)
    return shell or whole_chromium


@pytest.fixture(scope="session")
def whole_chromium() -> str:
    """Find the machine's Chromium or playwright's own."""
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    with sync_playwright() as playwright:
        if Path(playwright.chromium.executable_path).exists():
            return playwright.chromium.executable_path
    return _missing("no chromium or chrome on the PATH, nor one installed by playwright")


@pytest.fixture(scope="session")
def playwright(chromium_path: str) -> Iterator[Playwright]:
    """Run playwright's driver."""
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="session")
def launch(playwright: Playwright, chromium_path: str) -> Callable[[], Browser]:
    """Return what starts another browser process."""

    def start() -> Browser:
        return playwright.chromium.launch(executable_path=chromium_path, args=list(QUIET))

    return start


@pytest.fixture(scope="session")
def browser(launch: Callable[[], Browser]) -> Iterator[Browser]:
    """Run the one browser most tests share."""
    running = launch()
    yield running
    running.close()


@pytest.fixture(scope="session", params=engines.ENGINES)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    """Run each of the three engines, one after the other."""
    name: str = request.param
    if os.environ.get("VOILEARN_PLAYWRIGHT"):
        playwright: Playwright = request.getfixturevalue("playwright")
        with getattr(playwright, name).launch() as running:
            yield ByPlaywright(running)
        return
    if lack := engines.lacking(name):
        _missing(lack)
    if name == "chromium":
        # the shell sends no goodbye as a page is closed
        path: str = request.getfixturevalue("whole_chromium")
        started = request.getfixturevalue("playwright").chromium
        with started.launch(executable_path=path, args=list(QUIET)) as running:
            yield ByPlaywright(running)
    else:
        with engines.firefox() if name == "firefox" else engines.webkit() as running:
            yield running


@pytest.fixture(params=["wide", "phone"])
def window(request: pytest.FixtureRequest, engine: Engine) -> Iterator[Window]:
    """Open a window in each engine, wide and as narrow as a phone."""
    with engine.window(request.param) as opened:
        yield opened


@pytest.fixture(scope="session")
def notebook_page(app: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of a notebook whose model is a stub."""
    scratch = tmp_path_factory.mktemp("notebook")
    place = Place(stub.lay_out(app, scratch / "app"), scratch)
    with ways.running("voila", place) as server:
        yield server.page


@pytest.fixture(scope="session")
def service_page(app: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page of a service whose model is a stub."""
    scratch = tmp_path_factory.mktemp("service")
    with ways.running("service", Place(stub.lay_out(app, scratch / "app"), scratch)) as server:
        yield server.page


@pytest.fixture(scope="session")
def device_page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The page for devices, with a tiny model and two examples."""
    folder = tmp_path_factory.mktemp("device")
    notebook = write_notebook(folder / "author", "Corners")
    (notebook.parent / "examples").mkdir()
    for number in (1, 2):
        (notebook.parent / "examples" / f"bear_{number}.png").write_bytes(drawn.png(number))
    with hosting(build(write_model(folder / "model"), folder / "dist", notebook)) as host:
        yield host.url


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A device that was never here."""
    fresh = browser.new_context(viewport={"width": 1000, "height": 800})
    yield fresh
    fresh.close()


@pytest.fixture
def device(host: Host, context: BrowserContext) -> Device:
    """That device, at the page of the test's `host`."""
    return Device(context.new_page(), host.url)


@pytest.fixture(params=["notebook", "service", "device"])
def page(request: pytest.FixtureRequest) -> str:
    """The address of each page."""
    address: str = request.getfixturevalue(f"{request.param}_page")
    return address


@pytest.fixture(scope="session")
def screenshots() -> Path:
    """Return the folder where pictures of the page are kept."""
    return _screenshots()


@pytest.fixture(scope="session")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy what the page needs, so that no test writes into the checkout."""
    if not (ROOT / "export.pkl").exists():
        pytest.skip("there is no export.pkl in the root")
    folder = tmp_path_factory.mktemp("app")
    for name in (*NEEDED, "Makefile", "pyproject.toml"):
        _copy(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def place(app: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Return where the servers of this session run."""
    return Place(app, tmp_path_factory.mktemp("server"))


@pytest.fixture(scope="package", params=ways.every_way(slow=("notebook",)))
def server(request: pytest.FixtureRequest, place: Place) -> Iterator[Server]:
    """Run the page in every way, one after the other."""
    with ways.running(request.param, place, **TIDY) as running:
        yield running


@pytest.fixture(scope="package")
def visitor(server: Server, browser: Browser) -> Iterator[Visitor]:
    """Bring one visitor to the page of every way; the page stays open for all its tests."""
    with _context(browser) as page:
        yield Visitor(page, server).arrive()


@pytest.fixture(scope="module")
def voila(place: Place) -> Iterator[Server]:
    """Run the page the usual way, for what is the same in every way."""
    with ways.running("voila", place, **TIDY) as running:
        yield running


@pytest.fixture(scope="module")
def guest(voila: Server, browser: Browser) -> Iterator[Visitor]:
    """Bring one visitor to the page run the usual way."""
    with _context(browser) as page:
        yield Visitor(page, voila).arrive()


@pytest.fixture
def arrive(voila: Server, browser: Browser) -> Iterator[Callable[[], Visitor]]:
    """Return what brings one more visitor, with cookies and a kernel of their own."""
    with contextlib.ExitStack() as everyone:
        yield lambda: Visitor(everyone.enter_context(_context(browser)), voila).arrive()


@pytest.fixture(scope="package", params=["voila", "binder", "service", "device"])
def stubbed(
    request: pytest.FixtureRequest, app: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    """Run a page whose model is a stub: Voilà's, behind Jupyter, a service's, a device's."""
    scratch = tmp_path_factory.mktemp("stubbed")
    place = Place(stub.lay_out(app, scratch / "app"), scratch)
    with ways.running(request.param, place, **TIDY) as running:
        yield running


@pytest.fixture
def come(stubbed: Server, browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Return what brings a visitor to that page, in a browser with these settings."""
    visitors = []
    with contextlib.ExitStack() as everyone:

        def arrive(**settings: Any) -> Visitor:
            page = everyone.enter_context(_context(browser, **settings))
            visitors.append(Visitor(page, stubbed))
            return visitors[-1].arrive()

        yield arrive
        assert [error for visitor in visitors for error in visitor.errors] == []


@pytest.fixture(scope="session")
def predict() -> Predict:
    """Return fastai's own answer to a photo's bytes, upright, at the temperature of its scope."""
    vision = pytest.importorskip("fastai.vision.all", reason="fastai is not installed")
    learner = vision.load_learner(ROOT / "export.pkl")
    temperature = json.loads((ROOT / "export.scope.json").read_text())["temperature"]

    def answer(data: bytes) -> dict[str, float]:
        upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
        with learner.no_bar(), learner.no_logging():
            _, _, probabilities = learner.predict(vision.PILImage.create(upright))
        cooled = [float(probability) ** (1 / temperature) for probability in probabilities]
        shares = [each / sum(cooled) for each in cooled]
        pairs = zip(learner.dls.vocab, shares, strict=True)
        return dict(sorted(pairs, key=lambda pair: -pair[1]))

    return answer


@contextlib.contextmanager
def _context(browser: Browser, **settings: Any) -> Iterator[Page]:
    context = browser.new_context(**({"viewport": {"width": 1000, "height": 800}} | settings))
    page = context.new_page()
    yield page
    with contextlib.suppress(Error):  # the test may have closed it already
        page.goto("about:blank")  # says goodbye, so that the kernel ends now
    context.close()


def _copy(source: Path, target: Path) -> None:
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    elif source.exists():
        shutil.copy2(source, target)


def _keep(visitor: Visitor, name: str) -> None:
    with contextlib.suppress(Error):
        visitor.show(_screenshots(), f"failed-{name}")


def _screenshots() -> Path:
    return Path(os.environ.get("VOILEARN_SCREENSHOTS", HERE.parent / "screenshots"))


def _missing(what: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)
