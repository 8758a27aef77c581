"""A visitor: one browser page and what a person does on it.

In: a playwright page; out: what stands on the page, read from the elements it promises
(`.voilearn-upload`, `-preview`, `-status`, `-bar` and the button that asks again).
"""

import contextlib
import json
import re
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import FilePayload, Locator, Page, Request, TimeoutError, WebSocket, expect

from tests.browser.ways import TOKEN, Server
from tests.waiting import WITHIN

# milliseconds, and bounds against hanging: a kernel imports torch on a busy machine
USABLE_WITHIN = ANSWER_WITHIN = 1000 * WITHIN

# Messages over the kernel's own websocket; the answer says whether the kernel got them. A long
# text is made in the browser: playwright itself is slow at carrying one over.
SEND = """
([url, messages, awaited]) => new Promise((resolve) => {
  const socket = new WebSocket(url)
  const heard = []
  const done = (end) => { socket.close(); resolve({end, heard}) }
  setTimeout(() => done('silence'), 300000)
  socket.onclose = (event) => done('closed ' + event.code)
  socket.onopen = () => {
    const ids = messages.map(message => message.header.msg_id)
    for (const message of messages) {
      const data = message.content.data
      if (data) data.filler = 'x'.repeat(data.filler)
      socket.send(JSON.stringify(message))
    }
    socket.onmessage = ({data}) => {
      const told = JSON.parse(data)
      if (!ids.includes(told.parent_header.msg_id)) return
      heard.push(told.header.msg_type)
      if (told.header.msg_type === awaited) done('answered')
    }
  }
})
"""


@dataclass
class Visitor:
    """A person in front of the page of one server."""

    page: Page
    server: Server
    requests: list[Request] = field(default_factory=list)
    frames: list[str] = field(default_factory=list)
    sent: list[int] = field(default_factory=list)  # the sizes of messages to the kernel
    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)  # that no script caught

    def __post_init__(self) -> None:
        self.page.context.set_default_timeout(ANSWER_WITHIN)  # also of what is asked beside it
        self.page.on("request", lambda request: self.requests.append(request))
        self.page.on("websocket", lambda socket: self._listen(socket))
        self.page.on("console", lambda said: self.console.append(f"{said.type}: {said.text}"))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))

    def arrive(self) -> "Visitor":
        """Open the page and wait until a photo can be given."""
        if self.server.way == "hub":
            self.log_in()
        self.page.goto(self.server.page, timeout=USABLE_WITHIN, wait_until="domcontentloaded")
        if self.server.way in ("lab", "notebook"):
            self._run_all_cells()
        self.upload_field.wait_for(state="attached", timeout=USABLE_WITHIN)
        return self

    def leave(self) -> None:
        """Close the page, telling the server so."""
        self.page.goto("about:blank")
        self.page.close()

    @property
    def upload_field(self) -> Locator:
        """The file field."""
        return self.page.locator('.voilearn-upload input[type="file"]').first

    @property
    def preview(self) -> Locator:
        """The picture the visitor gave."""
        return self.page.locator(".voilearn-preview img")

    @property
    def again_button(self) -> Locator:
        """The button that asks about the photo shown once more."""
        return self.page.locator(".voilearn-classify")

    @property
    def status(self) -> Locator:
        """The line that says what goes on, the answer or what is wrong."""
        return self.page.locator(".voilearn-status")

    @property
    def bars(self) -> Locator:
        """One bar for every class."""
        return self.page.locator(".voilearn-bar")

    @property
    def banner(self) -> Locator:
        """What is wrong with the page, and the button that puts it right."""
        return self.page.locator(".voilearn-banner")

    def reconnect(self) -> None:
        """Press that button, unless the page has found its server by itself a moment before."""
        self.page.evaluate("document.querySelector('.voilearn-banner button')?.click()")

    @property
    def thumbnails(self) -> Locator:
        """The photos of this visit."""
        return self.page.locator(".voilearn-history .voilearn-thumb")

    def choose(self, *photos: bytes, name: str = "photo.png") -> None:
        """Give files to the file field."""
        mime = "image/jpeg" if name.endswith("jpg") else "image/png"
        self.upload_field.set_input_files(
            [FilePayload(name=name, mimeType=mime, buffer=photo) for photo in photos]
        )

    def upload(self, data: bytes, name: str = "photo.png") -> None:
        """Give a good photo and wait until it was answered."""
        old = self.preview.get_attribute("src") or "none"
        self.choose(data, name=name)
        expect(self.preview).not_to_have_attribute("src", old, timeout=ANSWER_WITHIN)
        expect(self.preview).to_be_visible(timeout=ANSWER_WITHIN)
        expect(self.again_button).to_be_visible(timeout=ANSWER_WITHIN)

    def classify(self) -> dict[str, float]:
        """Ask once more; return what the bars say, in their order."""
        self.again_button.click()
        return self.answer()

    def ask(self, data: bytes, name: str = "photo.png") -> dict[str, float]:
        """Upload a photo and return the answer."""
        self.upload(data, name)
        return self.answer()

    def answer(self) -> dict[str, float]:
        """Wait for the bars and read them."""
        self.bars.first.wait_for(timeout=ANSWER_WITHIN)
        read = "bars => bars.map(bar => [bar.dataset.label, bar.dataset.probability])"
        return {label: float(value) for label, value in self.bars.evaluate_all(read)}

    def kernel_id(self) -> str:
        """Return the id of the kernel behind the page."""
        if self.server.way not in ("lab", "notebook"):
            config = self.page.locator("#jupyter-config-data").text_content() or ""
            return str(json.loads(config)["kernelId"])
        kernels = self.page.request.get(self.address("api/kernels")).json()
        busiest = max(kernels, key=lambda kernel: kernel["last_activity"])
        return str(busiest["id"])

    def send(self, messages: list[dict[str, Any]], awaited: str) -> dict[str, Any]:
        """Send messages to the kernel by the browser's own means; return what came back."""
        address = self.address(f"api/kernels/{self.kernel_id()}/channels?session_id=test")
        found: dict[str, Any] = self.page.evaluate(
            SEND, [re.sub("^http", "ws", address), messages, awaited]
        )
        return found

    def foreign_requests(self) -> list[str]:
        """Return the addresses on other hosts that the browser really asked."""
        own = urlsplit(self.server.url).netloc
        return [
            request.url
            for request in self.requests
            if urlsplit(request.url).scheme in ("http", "https")
            and urlsplit(request.url).netloc != own
            and request.failure != "csp"
        ]

    def show(self, folder: Path, name: str) -> None:
        """Keep a screenshot."""
        folder.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=folder / f"{name}.png")

    def address(self, path: str) -> str:
        """Return where the kernel's server has a path."""
        prefix = "user/someone/" if self.server.way == "hub" else ""
        return self.server.url + prefix + path

    def log_in(self) -> None:
        """Pass the hub's login, which starts the visitor's server."""
        self.page.goto(self.server.url + "hub/login")
        self.page.locator("#username_input").fill("someone")
        self.page.locator("#password_input").fill(TOKEN)
        self.page.locator("#login_submit").click()
        self.page.wait_for_url("**/user/someone/**", timeout=USABLE_WITHIN)

    def wait_until_connected(self) -> None:
        """Wait until the page has heard from its kernel."""
        wait_in(self.page, lambda: self.frames)

    def _listen(self, socket: WebSocket) -> None:
        if "/channels" in socket.url:
            socket.on("framereceived", lambda _: self.frames.append(socket.url))
            socket.on("framesent", lambda message: self.sent.append(len(message)))

    def _run_all_cells(self) -> None:
        self.wait_until_connected()
        began = self.page.locator(".jp-InputPrompt").filter(has_text=re.compile(r"[*\d]")).first
        select_kernel = self.page.locator(".jp-Dialog .jp-mod-accept")
        for _ in range(60):  # JupyterLab forgets the wish, or asks for a kernel, if it is too early
            if select_kernel.is_visible():
                select_kernel.click()
            self.page.get_by_role("menuitem", name="Run", exact=True).click(timeout=ANSWER_WITHIN)
            self.page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
            with contextlib.suppress(TimeoutError):
                began.or_(select_kernel).first.wait_for(timeout=5_000)
                if began.is_visible():
                    return


def wait_in(page: Page, condition: Callable[[], Any]) -> None:
    """Wait until a condition is true of what a page's browser tells meanwhile."""
    until = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < until, "it did not come"
        page.wait_for_timeout(50)


def message(kind: str, **content: Any) -> dict[str, Any]:
    """Make a kernel message as the page's own script would."""
    header = {
        "msg_id": str(uuid.uuid4()),  # a kernel refuses a message it has had before
        "msg_type": kind,
        "username": "test",
        "session": "test",
        "version": "5.3",
        "date": "2026-01-01T00:00:00Z",
    }
    return {
        "channel": "shell",
        "header": header,
        "parent_header": {},
        "metadata": {},
        "content": content,
        "buffers": [],
    }
