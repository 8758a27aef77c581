"""The three engines that browsers are built on, driven alike: Chromium, Firefox, WebKit.

In comes an engine's name; out go windows that open pages, are given files, run scripts and are
looked at. Each speaks what its browser speaks without a part of somebody else's: Chromium by
playwright, Firefox WebDriver BiDi, WebKitGTK WebDriver. Where VOILEARN_PLAYWRIGHT is set, as on a
Mac, all three are playwright's own.
"""

import base64
import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
from PIL import ImageGrab
from playwright.sync_api import Browser, Page, ViewportSize
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.ports import free_port
from tests.waiting import WITHIN, wait_for

ENGINES = ("chromium", "firefox", "webkit")
STOPS_WITHIN = 15  # seconds, after which a browser is killed
SIZES = {"wide": (1280, 900), "phone": (390, 844), "zoomed": (640, 450)}  # a desk's at 200 %
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # what WebDriver calls one by
KEYS = {"Tab": "\ue004", "Enter": "\ue007"}  # WebDriver's names of them
# What each needs beside playwright: names of one program, and Debian's package of it.
NEEDS = {
    "chromium": ((("chromium", "chromium-browser", "google-chrome"), "chromium"),),
    "firefox": ((("firefox-esr", "firefox"), "firefox-esr"),),
    "webkit": (
        (("WebKitWebDriver",), "webkit2gtk-driver"),
        (("Xvfb",), "xvfb"),
    ),
}
FOR_FIREFOX = {
    "remote.active-protocols": 1,  # BiDi alone
    "app.update.enabled": False,
    "browser.shell.checkDefaultBrowser": False,
    "datareporting.policy.dataSubmissionEnabled": False,
    "network.captive-portal-service.enabled": False,
    "network.connectivity-service.enabled": False,
    "services.settings.server": "data:,",
    "toolkit.telemetry.server": "data:,",
}
FOR_WEBKIT = {
    "DBUS_SESSION_BUS_ADDRESS": "disabled:",  # a bus brings portals, which outlive the test
    "WEBKIT_DISABLE_DMABUF_RENDERER": "1",
    "LIBGL_ALWAYS_SOFTWARE": "1",
}
POPUP = """() => {
  const press = document.body.appendChild(document.createElement('button'))
  press.onclick = () => window.open('about:blank', '', 'popup,width=%d,height=%d')
}"""
IN_SIGHT = """(at) => {
  const found = document.querySelector(at)
  found.scrollIntoView({block: 'center'})
  return found
}"""

# Runs a function on JSON, which the protocols would each carry in another way.
CALL = "async (json) => JSON.stringify((await (%s)(...JSON.parse(json))) ?? null)"


class Window(ABC):
    """A window of a browser with one page in it."""

    @abstractmethod
    def open(self, url: str) -> None:
        """Go to a page, until its elements are there; in WebKit, until all of it is."""

    @abstractmethod
    def reload(self) -> None:
        """Load the page anew."""

    @abstractmethod
    def back(self) -> None:
        """Go back to the page before this one."""

    @abstractmethod
    def call(self, function: str, argument: str) -> str:
        """Run a function of a text that gives a text, or a promise of one."""

    @abstractmethod
    def give(self, field: str, *files: Path) -> None:
        """Choose files in the file field of this selector."""

    @abstractmethod
    def click(self, selector: str) -> None:
        """Press what is there."""

    @abstractmethod
    def tap(self, selector: str) -> None:
        """Touch what is there with a finger."""

    @abstractmethod
    def press(self, key: str) -> None:
        """Press a key of KEYS."""

    @abstractmethod
    def picture(self) -> bytes:
        """Take a picture of what is in sight, as a PNG."""

    @abstractmethod
    def close(self) -> None:
        """Close the window, as its visitor does."""

    def run(self, function: str, *values: Any) -> Any:
        """Run a function of JavaScript on values of JSON; return what it gives."""
        return json.loads(self.call(CALL % function, json.dumps(values)))

    def wait(self, function: str, *values: Any) -> Any:
        """Run a function until what it gives is true; return that."""
        return wait_for(lambda: self.run(function, *values))

    def text(self, selector: str) -> str:
        """Return the text of what is there, without the space around it."""
        return str(
            self.run("(at) => document.querySelector(at)?.textContent.trim() ?? ''", selector)
        )

    def show(self, folder: Path, name: str) -> None:
        """Keep a screenshot."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.png").write_bytes(self.picture())


class Engine(ABC):
    """One running browser."""

    name: str

    @abstractmethod
    def new_window(self, width: int, height: int) -> Window:
        """Open an empty window whose page is this large."""

    @contextlib.contextmanager
    def window(self, size: str = "wide") -> Iterator[Window]:
        """Open an empty window; it is closed in the end, if the test has not done so."""
        window = self.new_window(*SIZES[size])
        try:
            yield window
        finally:
            with contextlib.suppress(Exception):
                window.open("about:blank")  # a page says goodbye
                window.close()


def lacking(name: str) -> str | None:
    """Say what an engine lacks on this machine and how to get it, or None."""
    missing = [package for names, package in NEEDS[name] if not _find(names)]
    if not missing:
        return None
    return f"{name} is not here; on Debian: apt install {' '.join(missing)}"


@contextlib.contextmanager
def firefox(**preferences: Any) -> Iterator[Engine]:
    """Run a Firefox, with a profile of its own and these preferences."""
    program = _find(NEEDS["firefox"][0][0])
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        lines = [
            f"user_pref({json.dumps(key)}, {json.dumps(value)});"
            for key, value in (FOR_FIREFOX | preferences).items()
        ]
        (Path(profile) / "user.js").write_text("\n".join(lines))
        port = free_port()
        command = [program, "--headless", "--no-remote", f"--remote-debugging-port={port}"]
        with (
            _running([*command, "--profile", profile], {"HOME": profile}) as alive,
            contextlib.ExitStack() as opened,
        ):
            yield _Firefox(wait_for(lambda: alive() and _reached(port, opened)))


@contextlib.contextmanager
def webkit(**environment: str) -> Iterator[Engine]:
    """Run a WebKit, on a screen that nobody sees, with these variables in its environment."""
    port = free_port()
    with _screen() as display, httpx.Client(timeout=WITHIN) as client:
        client.base_url = f"http://127.0.0.1:{port}"
        command = ["WebKitWebDriver", f"--port={port}"]
        with _running(command, {"DISPLAY": display, **FOR_WEBKIT, **environment}) as alive:
            wait_for(lambda: alive() and _answers(client))
            yield _WebKit(client, display)


class ByPlaywright(Engine):
    """A browser that playwright drives: any Chromium, and its own builds of the other two."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self.name = browser.browser_type.name

    def new_window(self, width: int, height: int) -> Window:
        viewport: ViewportSize = {"width": width, "height": height}
        context = self._browser.new_context(viewport=viewport, has_touch=width < 500)
        return _PlaywrightWindow(context.new_page())


class _PlaywrightWindow(Window):
    def __init__(self, page: Page) -> None:
        self._page = page
        page.context.set_default_timeout(1000 * WITHIN)

    def open(self, url: str) -> None:
        self._page.goto(url, wait_until="domcontentloaded")

    def reload(self) -> None:
        self._page.reload(wait_until="domcontentloaded")

    def back(self) -> None:
        self._page.go_back(wait_until="domcontentloaded")

    def call(self, function: str, argument: str) -> str:
        return str(self._page.evaluate(function, argument))

    def give(self, field: str, *files: Path) -> None:
        self._page.locator(field).first.set_input_files(files)

    def click(self, selector: str) -> None:
        self._page.locator(selector).first.click()

    def tap(self, selector: str) -> None:
        self._page.locator(selector).first.tap()

    def press(self, key: str) -> None:
        self._page.keyboard.press(key)

    def picture(self) -> bytes:
        return self._page.screenshot()

    def close(self) -> None:
        self._page.context.close()


class _Firefox(Engine):
    """Firefox by WebDriver BiDi: https://w3c.github.io/webdriver-bidi/."""

    name = "firefox"

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._asked = 0
        self.ask("session.new", capabilities={})

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        self._asked += 1
        self._socket.send(json.dumps({"id": self._asked, "method": method, "params": params}))
        while (told := json.loads(self._socket.recv(WITHIN))).get("id") != self._asked:
            pass  # an event
        if told["type"] == "error":
            raise RuntimeError(f"{method}: {told['message']}")
        return dict(told["result"])

    def new_window(self, width: int, height: int) -> Window:
        visitor = self.ask("browser.createUserContext")["userContext"]
        page = self.ask("browsingContext.create", type="tab", userContext=visitor)["context"]
        viewport = {"width": width, "height": height}
        self.ask("browsingContext.setViewport", context=page, viewport=viewport)
        return _FirefoxWindow(self.ask, page)


class _FirefoxWindow(Window):
    def __init__(self, ask: Callable[..., dict[str, Any]], page: str) -> None:
        self._ask, self._page = ask, page

    def open(self, url: str) -> None:
        self._ask("browsingContext.navigate", context=self._page, url=url, wait="interactive")

    def reload(self) -> None:
        self._ask("browsingContext.reload", context=self._page, wait="interactive")

    def back(self) -> None:
        self._ask("browsingContext.traverseHistory", context=self._page, delta=-1)

    def call(self, function: str, argument: str) -> str:
        arguments = [{"type": "string", "value": argument}]
        return str(self._function(function, arguments)["value"])

    def give(self, field: str, *files: Path) -> None:
        self._ask(
            "input.setFiles",
            context=self._page,
            element={"sharedId": self._element(field)},
            files=[str(file) for file in files],
        )

    def click(self, selector: str) -> None:
        self._point("mouse", selector)

    def tap(self, selector: str) -> None:
        self._point("touch", selector)

    def _point(self, kind: str, selector: str) -> None:
        element = {"type": "element", "element": {"sharedId": self._element(selector)}}
        self._ask("input.performActions", context=self._page, actions=[_pointer(kind, element)])

    def press(self, key: str) -> None:
        self._ask("input.performActions", context=self._page, actions=[_keyboard(key)])

    def picture(self) -> bytes:
        told = self._ask("browsingContext.captureScreenshot", context=self._page)
        return base64.b64decode(told["data"])

    def close(self) -> None:
        self._ask("browsingContext.close", context=self._page)

    def _element(self, selector: str) -> str:
        return str(self._function(IN_SIGHT, [{"type": "string", "value": selector}])["sharedId"])

    def _function(self, function: str, arguments: list[Any]) -> dict[str, Any]:
        told = self._ask(
            "script.callFunction",
            functionDeclaration=function,
            arguments=arguments,
            target={"context": self._page},
            awaitPromise=True,
            userActivation=True,
        )
        if told["type"] == "exception":
            raise RuntimeError(told["exceptionDetails"]["text"])
        return dict(told["result"])


class _WebKit(Engine):
    """WebKitGTK's small browser by WebDriver: https://www.w3.org/TR/webdriver2/."""

    name = "webkit"

    def __init__(self, client: httpx.Client, display: str) -> None:
        self._client, self.display = client, display
        self._session = ""
        # it waits for a page's all: a script that runs as a page comes would never give anything
        wanted = {"timeouts": {"script": int(1000 * WITHIN)}}
        told = self.ask("POST", "/session", capabilities={"alwaysMatch": wanted})
        self._session = f"/session/{told['sessionId']}"
        (self._desk,) = self.ask("GET", "/window/handles")

    def ask(self, method: str, path: str, **body: Any) -> Any:
        sent = body if method == "POST" else None
        answer = self._client.request(method, self._session + path, json=sent)
        value = answer.json()["value"]
        if answer.is_error:
            raise RuntimeError(f"{path}: {value['error']}: {value['message']}")
        return value

    def new_window(self, width: int, height: int) -> Window:
        # one that a page opens has no bars, so it may be as narrow as a phone
        old = self.ask("GET", "/window/handles")
        desk = _WebKitWindow(self, self._desk)
        desk.open("about:blank")
        desk.run(POPUP % (width, height))
        desk.click("button")
        opened = wait_for(lambda: set(self.ask("GET", "/window/handles")) - set(old))
        return _WebKitWindow(self, opened.pop())


class _WebKitWindow(Window):
    def __init__(self, engine: _WebKit, page: str) -> None:
        self._engine, self._page = engine, page

    def open(self, url: str) -> None:
        self._ask("POST", "/url", url=url)

    def reload(self) -> None:
        self._ask("POST", "/refresh")

    def back(self) -> None:
        self._ask("POST", "/back")

    def call(self, function: str, argument: str) -> str:
        script = (
            f"const [text, done] = arguments; ({function})(text)"
            ".then((told) => done([told]), (error) => done([null, String(error)]))"
        )
        told, *error = self._ask("POST", "/execute/async", script=script, args=[argument])
        if error:
            raise RuntimeError(error[0])
        return str(told)

    def give(self, field: str, *files: Path) -> None:
        paths = "\n".join(str(file) for file in files)
        self._ask("POST", f"/element/{self._element(field)}/value", text=paths)

    def click(self, selector: str) -> None:
        self._ask("POST", f"/element/{self._element(selector)}/click")

    def tap(self, selector: str) -> None:
        element = {ELEMENT: self._element(selector)}
        self.run(f"(at) => void ({IN_SIGHT})(at)", selector)
        self._ask("POST", "/actions", actions=[_pointer("touch", element)])

    def press(self, key: str) -> None:
        self._ask("POST", "/actions", actions=[_keyboard(key)])

    def picture(self) -> bytes:
        # its driver's own /screenshot does not always answer
        picture = io.BytesIO()
        ImageGrab.grab(xdisplay=self._engine.display).save(picture, "PNG")
        return picture.getvalue()

    def close(self) -> None:
        self._ask("DELETE", "/window")

    def _ask(self, method: str, path: str, **body: Any) -> Any:
        self._engine.ask("POST", "/window", handle=self._page)
        return self._engine.ask(method, path, **body)

    def _element(self, selector: str) -> str:
        (element,) = self._ask("POST", "/element", using="css selector", value=selector).values()
        return str(element)


def _pointer(kind: str, element: dict[str, Any]) -> dict[str, Any]:
    moved = {"type": "pointerMove", "x": 0, "y": 0, "origin": element}
    press = [{"type": each, "button": 0} for each in ("pointerDown", "pointerUp")]
    told = {"parameters": {"pointerType": kind}, "actions": [moved, *press]}
    return {"type": "pointer", "id": kind, **told}


def _keyboard(key: str) -> dict[str, Any]:
    pressed = [{"type": kind, "value": KEYS[key]} for kind in ("keyDown", "keyUp")]
    return {"type": "key", "id": "keyboard", "actions": pressed}


def _find(names: tuple[str, ...]) -> str | None:
    return next(filter(None, map(shutil.which, names)), None)


def _reached(port: int, opened: contextlib.ExitStack) -> ClientConnection | None:
    with contextlib.suppress(OSError, InvalidStatus):
        socket = connect(f"ws://127.0.0.1:{port}/session", max_size=None, proxy=None)
        return opened.enter_context(socket)
    return None


def _answers(client: httpx.Client) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return client.get("/status").is_success
    return False


@contextlib.contextmanager
def _screen() -> Iterator[str]:
    reading, writing = os.pipe()
    screen = "1400x1000x24"
    command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", screen, "-nolisten", "tcp"]
    with _running(command, {}, pass_fds=(writing,)):
        os.close(writing)
        with os.fdopen(reading) as told:
            yield f":{told.readline().strip()}"


@contextlib.contextmanager
def _running(
    command: list[Any], extra: Mapping[str, str], pass_fds: tuple[int, ...] = ()
) -> Iterator[Callable[[], bool]]:
    """Run a program and all that it starts; yield what tells whether it still runs."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            command,
            env=os.environ | extra,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=pass_fds,
        )

        def alive() -> bool:
            if process.poll() is not None:
                log.seek(0)
                said = log.read().decode(errors="replace")
                raise RuntimeError(f"{command[0]} ended:\n{said[-2000:]}")
            return True

        try:
            yield alive
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    for how in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, how)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(STOPS_WITHIN)
