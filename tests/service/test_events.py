"""What an open page is told: which model answers, its photo's place in the line, that we are there.

In: real services and pages that listen over sockets; out: the events that came.
"""

import asyncio
import contextlib
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from PIL import Image

from tests import onnx_files
from tests.conftest import encode
from tests.ports import free_port
from tests.serving import Serving, serving, wait_for
from tests.waiting import WITHIN, returned
from voilearn.service import open_pages
from voilearn.service.work_queue import WorkQueue

TOKEN = "a-token-of-some-length"
PHOTO = encode(Image.new("RGB", (40, 30), (250, 0, 0)), "JPEG")
NAME = "a-page-of-this-test"
OTHER_SHA = "1" * 64

# A worker that waits as long as there is a file "held" in the folder, and one worker alone.
HELD = """
import time
from pathlib import Path
from voilearn.service import live_model, serve
serve.granted_cores = lambda: 1
answer = live_model.LiveModel.__call__
def held(self, photo):
    while Path("held").exists():
        time.sleep(0.01)
    return answer(self, photo)
live_model.LiveModel.__call__ = held
"""
FEW = "from voilearn.service import serve; serve.MOST = 2"
SLOW_TO_LOAD = """
import time
from pathlib import Path
from voilearn.service import live_model
load = live_model.load_classify
def slow(*arguments):
    while Path("held").exists():
        time.sleep(0.01)
    return load(*arguments)
live_model.load_classify = slow
"""


class Listener:
    """A page that is open: `events` has what it was told, `alive` how often it heard a comment."""

    def __init__(self, service: Serving, name: str = NAME, **headers: str) -> None:
        self.connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=WITHIN)
        self.connection.request("GET", "/v1/events", headers={"X-Voilearn-Page": name, **headers})
        self.answer = self.connection.getresponse()
        self.events: list[tuple[str, Any]] = []
        self.alive, self.ended = 0, threading.Event()
        if self.answer.status == 200:
            threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        name = ""
        with contextlib.suppress(OSError, http.client.HTTPException, ValueError, AttributeError):
            while line := self.answer.readline().decode():
                self.alive += line.startswith(":")
                if line.startswith("event: "):
                    name = line.removeprefix("event: ").strip()
                if line.startswith("data: "):
                    self.events.append((name, json.loads(line.removeprefix("data: "))))
        self.ended.set()

    def told(self, name: str) -> list[Any]:
        return [what for event, what in list(self.events) if event == name]

    def close(self) -> None:
        sock = self.connection.sock or self.answer.fp.raw._sock  # type: ignore[attr-defined]
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        self.connection.close()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_files.write(tmp_path_factory.mktemp("made"), onnx_files.model())


@pytest.fixture
def model(made: Path, tmp_path: Path) -> Path:
    for name in ("export.onnx", "export.json"):
        shutil.copy(made.parent / name, tmp_path)
    return tmp_path / "export.onnx"


@pytest.fixture(scope="module")
def service(made: Path) -> Iterator[Serving]:
    with serving(made) as service:
        yield service


def ask(service: Serving, page: str = "") -> threading.Thread:
    """Ask about a photo, in the background."""
    named = {"X-Voilearn-Page": page} if page else {}
    asking = threading.Thread(target=lambda: service.post(PHOTO, **named), daemon=True)
    asking.start()
    return asking


def wait_for_line(service: Serving, waiting: int) -> None:
    wait_for(lambda: service.metric("voilearn_queue_depth") == waiting)


def test_a_page_hears_at_once_which_model_answers(service: Serving) -> None:
    page = Listener(service)
    headers = page.answer.headers
    assert headers["content-type"] == "text/event-stream; charset=utf-8"
    assert headers["cache-control"] == "no-store"
    assert headers["x-accel-buffering"] == "no"
    wait_for(lambda: page.events == [("model", {"sha256": "0" * 64})])
    assert page.events[0][1]["sha256"] == service.model()["sha256"]
    page.close()


def test_a_page_hears_again_and_again_that_the_service_is_there(service: Serving) -> None:
    page = Listener(service)
    wait_for(lambda: page.alive >= 2)
    page.close()


def test_a_page_is_told_that_the_model_is_loaded_and_when_it_is(model: Path) -> None:
    (model.parent / "held").touch()
    with serving(model, before=SLOW_TO_LOAD, ready=False) as service:
        page = Listener(service)
        wait_for(lambda: page.told("model") == [{"sha256": None}])
        (model.parent / "held").unlink()
        wait_for(lambda: page.told("model") == [{"sha256": None}, {"sha256": "0" * 64}])


def test_every_page_hears_of_another_model(model: Path) -> None:
    with serving(model) as service:
        pages = [Listener(service, f"page-number-{n:010}") for n in range(5)]
        info = {**onnx_files.description(model.read_bytes())["model"], "sha256": OTHER_SHA}
        onnx_files.write(model.parent, onnx_files.model(), model=info)
        told = [{"sha256": "0" * 64}, {"sha256": OTHER_SHA}]
        wait_for(lambda: all(page.told("model") == told for page in pages))


def test_a_page_hears_of_its_own_photos_place_until_its_turn(model: Path) -> None:
    (model.parent / "held").touch()
    with serving(model, before=HELD) as service:
        page, other = Listener(service), Listener(service, "another-page-of-this")
        asking = [ask(service)]
        wait_for(lambda: service.metric("voilearn_workers_busy") == 1)
        for place, name in enumerate(("", NAME, "another-page-of-this")):
            asking.append(ask(service, name))
            wait_for_line(service, place + 1)
        wait_for(lambda: page.told("place") == [{"place": 2}])
        wait_for(lambda: other.told("place") == [{"place": 3}])
        (model.parent / "held").unlink()
        for thread in asking:
            thread.join(WITHIN)
        wait_for(lambda: page.told("place")[-1:] == other.told("place")[-1:] == [{"place": 0}])
        for heard in (page, other):
            places = [each["place"] for each in heard.told("place")]
            assert places == sorted(set(places), reverse=True)


def test_a_photo_that_is_begun_at_once_is_not_spoken_of(service: Serving) -> None:
    page = Listener(service)
    for _ in range(5):
        assert service.post(PHOTO, X_Voilearn_Page=NAME)[0] == 200
    wait_for(lambda: page.alive)
    assert page.told("place") == []
    page.close()


def test_a_photo_given_up_leaves_the_line_and_its_page_hears_so(model: Path) -> None:
    (model.parent / "held").touch()
    with serving(model, before=HELD) as service:
        page = Listener(service)
        first = ask(service)
        wait_for(lambda: service.metric("voilearn_workers_busy") == 1)
        connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=WITHIN)
        connection.request("POST", "/v1/classify", PHOTO, {"X-Voilearn-Page": NAME})
        wait_for(lambda: page.told("place") == [{"place": 1}])
        connection.close()
        wait_for(lambda: page.told("place") == [{"place": 1}, {"place": 0}])
        (model.parent / "held").unlink()
        first.join(WITHIN)


@pytest.mark.parametrize(
    "name", ["", "short", "x" * 65, "with spaces in it all", "a-page-of-this\xff"]
)
def test_a_name_that_others_could_guess_is_none(model: Path, name: str) -> None:
    (model.parent / "held").touch()
    with serving(model, before=HELD) as service:
        page = Listener(service, name)
        asking = [ask(service)]
        wait_for(lambda: service.metric("voilearn_workers_busy") == 1)
        asking.append(ask(service, name))
        wait_for(lambda: service.metric("voilearn_queue_depth") == 1)
        wait_for(lambda: page.alive)
        assert page.told("place") == []
        (model.parent / "held").unlink()
        for thread in asking:
            thread.join(WITHIN)


def test_open_pages_are_counted_and_are_no_requests_in_flight(service: Serving) -> None:
    pages = [Listener(service) for _ in range(7)]
    wait_for(lambda: service.metric("voilearn_pages_open ") == 7)
    assert service.metric("voilearn_requests_in_flight ") == 1  # the one that asks
    for page in pages:
        page.close()
    wait_for(lambda: service.metric("voilearn_pages_open ") == 0)
    assert service.metric("voilearn_requests_in_flight ") == 1


def test_a_page_is_one_line_in_the_log_at_its_end(service: Serving) -> None:
    def lines() -> list[dict[str, Any]]:
        return [line for line in service.events("request") if line["route"] == "/v1/events"]

    before = len(lines())
    page = Listener(service)
    wait_for(lambda: page.alive)
    assert len(lines()) == before
    page.close()
    wait_for(lambda: len(lines()) == before + 1)
    assert (lines()[-1]["status"], lines()[-1]["outcome"]) == (200, "answered")
    assert NAME not in json.dumps(lines())


def test_pages_are_let_go_of_at_once_when_the_service_is_to_end(model: Path) -> None:
    with serving(model) as service:
        pages = [Listener(service) for _ in range(20)]
        wait_for(lambda: service.metric("voilearn_pages_open ") == 20)
        service.process.send_signal(signal.SIGTERM)
        for page in pages:
            assert page.ended.wait(WITHIN)
            assert page.answer.isclosed()  # it came to its end, and was not cut
        assert service.ended() == 0
        lines = [line for line in service.events("request") if line["route"] == "/v1/events"]
        assert {line["outcome"] for line in lines} == {"answered"}
        assert not service.events("a bug ended the service")


def test_a_page_that_comes_while_the_service_ends_is_sent_away(model: Path) -> None:
    (model.parent / "held").touch()
    with serving(model, before=HELD) as service:
        kept = http.client.HTTPConnection("127.0.0.1", service.port, timeout=WITHIN)
        asking = ask(service)
        wait_for(lambda: service.metric("voilearn_workers_busy") == 1)
        kept.connect()
        service.process.send_signal(signal.SIGTERM)
        wait_for(lambda: service.get("/readyz")[0] == 503)
        kept.request("GET", "/v1/events")
        answer = kept.getresponse()
        assert answer.status == 503
        assert answer.headers["retry-after"] == "1"
        (model.parent / "held").unlink()
        asking.join(WITHIN)


def test_more_pages_than_may_listen_are_told_to_ask_instead(model: Path) -> None:
    with serving(model, before=FEW) as service:
        pages = [Listener(service) for _ in range(3)]
        assert [page.answer.status for page in pages] == [200, 200, 503]
        told = json.loads(pages[2].answer.read())
        assert told["type"] == "urn:voilearn:ServiceBusy"
        assert service.post(PHOTO)[0] == 200
        pages[0].close()
        wait_for(lambda: service.metric("voilearn_pages_open ") == 1)
        assert Listener(service).answer.status == 200


def test_who_listens_needs_the_token(model: Path) -> None:
    with serving(model, environment={"VOILEARN_TOKEN": TOKEN}) as service:
        assert Listener(service).answer.status == 401
        assert Listener(service, Authorization=f"Bearer {TOKEN}").answer.status == 200


def test_hundreds_of_open_pages_leave_room_for_photos(service: Serving) -> None:
    before = service.descriptors()
    pages = [Listener(service, f"page-number-{n:010}") for n in range(300)]
    wait_for(lambda: all(page.told("model") for page in pages))
    assert service.post(PHOTO)[0] == 200
    wait_for(lambda: all(page.alive for page in pages))
    for page in pages:
        page.close()
    wait_for(lambda: service.descriptors() <= before + 2)


def test_a_page_of_http_1_0_and_one_that_asks_for_the_head_alone_are_served(
    service: Serving,
) -> None:
    with socket.create_connection(("127.0.0.1", service.port), timeout=WITHIN) as one:
        one.sendall(b"GET /v1/events HTTP/1.0\r\n\r\n")
        heard = b""
        while b"\n:\n" not in heard:
            heard += one.recv(4096)
        assert b"event: model\n" in heard
    connection = http.client.HTTPConnection("127.0.0.1", service.port, timeout=WITHIN)
    connection.request("HEAD", "/v1/events")
    assert connection.getresponse().read() == b""
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200


NGINX = """
daemon off; pid {0}/pid; error_log {0}/errors; events {{}}
http {{
  access_log off; client_body_temp_path {0}/1; proxy_temp_path {0}/2; fastcgi_temp_path {0}/3;
  uwsgi_temp_path {0}/4; scgi_temp_path {0}/5;
  server {{ listen 127.0.0.1:{1}; location /bears/ {{ proxy_pass http://127.0.0.1:{2}/; }} }}
}}
"""


def test_nginx_hands_on_what_a_page_is_told_as_it_comes(service: Serving, tmp_path: Path) -> None:
    if not (nginx := shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")):
        pytest.skip("nginx is not here; on Debian: apt install nginx-light")
    port, config = free_port(), tmp_path / "nginx.conf"
    config.write_text(NGINX.format(tmp_path, port, service.port))
    process = subprocess.Popen([nginx, "-p", tmp_path, "-c", config, "-e", tmp_path / "errors"])
    try:
        address = f"http://127.0.0.1:{port}/bears/v1/events"
        stream = wait_for(lambda: opened(address))
        lines = [stream.readline().decode() for _ in range(5)]
        assert lines[0] == "event: model\n"
        assert lines[3:] == [":\n", "\n"]
        stream.close()
    finally:
        process.terminate()
        process.wait(WITHIN)


def opened(address: str) -> Any:
    with contextlib.suppress(urllib.error.URLError):
        return urllib.request.urlopen(address, timeout=WITHIN)
    return None


def test_a_page_that_comes_anew_hears_of_its_photo_before_its_old_one_is_gone() -> None:
    """The newest of a name is told, and the end of the old one takes nothing from it."""
    held = threading.Event()
    queue = WorkQueue(workers=1, places=8, share=8)
    live: Any = type("Live", (), {"served": None, "on_swap": lambda *_: None})()
    pages = open_pages.OpenPages(live, queue)
    heard: list[tuple[str, bytes]] = []

    def page(who: str) -> contextlib.AbstractContextManager[None]:
        return pages.listening(NAME, lambda piece: heard.append((who, piece)))

    async def visit() -> None:
        old, new = page("old"), page("new")
        with contextlib.ExitStack() as stack:
            with old:
                stack.enter_context(new)
            queue.submit(held.wait, "me", 1e9)
            queue.submit(lambda: None, "me", 1e9, NAME)
            while not heard:
                await asyncio.sleep(0.01)

    returned(visit())
    held.set()
    queue.close()
    assert heard == [("new", b'event: place\ndata: {"place": 1}\n\n')]
