"""What the service survives, counted: upgrades, broken models, its end, and bad clients.

Each test runs the real service in a process of its own, with a tiny compiled model.
"""

import contextlib
import gzip
import json
import random
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import weakref
from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import numpy as np
from onnx import TensorProto, helper
from PIL import Image

from tests import onnx_files
from tests.conftest import ROOT, draw, encode
from tests.serving import Crowd, Serving, serving
from tests.waiting import WITHIN, line_of, wait_for
from voilearn.errors import VoilearnError, error_of
from voilearn.limits import LIMITS
from voilearn.service.work_queue import WorkQueue

PHOTO = encode(draw((300, 200)), "JPEG")
LABELS = onnx_files.CLASSES
SLOW = """
import time
import voilearn.compiled.load as m
old = m.run
def run(*arguments):
    time.sleep({})
    return old(*arguments)
m.run = run
"""
# A worker that is busy for as long as a file is there: what comes meanwhile is a matter of order.
HELD = SLOW.replace("import time", "import time, os").replace(
    "time.sleep({})", "while os.path.exists({!r}):\n        time.sleep(0.01)"
)


@pytest.fixture
def shut(tmp_path: Path) -> Path:
    """The file that keeps workers busy with `HELD`, while it is there."""
    return tmp_path / "shut"


def numbered(number: int) -> dict[str, Any]:
    """What makes an export.json of one release of a model known by its hash."""
    told = dict(onnx_files.description(b"")["model"])
    return {"model": {**told, "sha256": f"{number:064x}"}}


def release(folder: Path, number: int) -> Path:
    """Write a release of the model into a folder; no two have the same export.onnx."""
    made = onnx_files.model(constants={"number": np.array([number])})
    return onnx_files.write(folder, made, **numbered(number))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return release(tmp_path, 0)


def swap(new: Path, path: Path, first: str) -> None:
    """Put both files of a release in the place of another, one after the other."""
    suffixes = [first, ".json" if first == ".onnx" else ".onnx"]
    for suffix in suffixes:
        new.with_suffix(suffix).replace(path.with_suffix(suffix))


def write_slowly(new: Path, path: Path) -> None:
    """Write a release over another in place, in pieces."""
    path.with_suffix(".json").write_bytes(new.with_suffix(".json").read_bytes())
    data = new.read_bytes()
    with path.open("wb") as file:
        for start in range(0, len(data), len(data) // 8):
            file.write(data[start : start + len(data) // 8])
            file.flush()
            time.sleep(0.05)


def test_50_upgrades_under_load_fail_no_request(path: Path, tmp_path: Path) -> None:
    place = tmp_path / "new"
    place.mkdir()
    often = "import voilearn.service.live_model as m\nm.LiveModel.watch.__defaults__ = (0.1,)"
    seen: list[float] = []
    shown = [0] * 9  # the model that was in service when so many answers had come
    with serving(path, before=often) as service, Crowd(service.url, PHOTO, 8) as crowd:
        for number in range(1, 51):
            new = release(place, number)
            if number % 10 == 0:
                write_slowly(new, path)
            else:
                swap(new, path, ".onnx" if number % 2 else ".json")
            wait_for(lambda n=number: service.model()["sha256"] == f"{n:064x}")  # type: ignore[misc]
            before = len(crowd.told)
            # a question with just so many answers before it may have been asked before the swap
            shown += [number - 1] * (before + 1 - len(shown))
            wait_for(lambda b=before: len(crowd.told) > b + 16)  # type: ignore[misc]
            seen.append(service.memory())
        crowd.__exit__()
        assert not crowd.lost
        assert Counter(status for status, _ in crowd.told) == {200: len(crowd.told)}
        assert len(crowd.told) > 50 * 16
        numbers = [int(told["model"]["sha256"], 16) for _, told in crowd.told]
        assert set(numbers) == set(range(51))
        # what was asked after a swap is answered by the new model
        shown += [50] * len(numbers)
        assert all(at >= shown[n] for at, n in zip(numbers, crowd.asked, strict=True))
        assert service.metric('voilearn_model_changes_total{outcome="replaced"}') == 50
        assert seen[-1] < seen[4] + 40, seen  # MB


def nan_model() -> bytes:
    nodes = [
        helper.make_node("Cast", ["photo"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["f", "f"], ["zero"]),
        helper.make_node("Div", ["zero", "zero"], ["nan"]),
        helper.make_node("ReduceMean", ["nan"], ["one"], keepdims=0),
        helper.make_node("Expand", ["one", "three"], ["probabilities"]),
    ]
    made = onnx_files.model(constants={"three": np.array([3])})
    del made.graph.node[:]
    made.graph.node.extend(nodes)
    return bytes(made.SerializeToString())


def broken(kind: int, good: bytes) -> bytes:
    """One of the ways in which a model file is broken."""
    web_page = b"<!DOCTYPE html><html><head><title>Sign in</title></head></html>"
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 9\n"
    noise = random.Random(kind).randbytes(3000)
    zipped = b"PK\x03\x04" + noise
    several = [good[: len(good) * n // 8] for n in range(1, 8)]
    found = [
        *several, web_page, pointer, noise, zipped, b"", b"{}", encode(draw(), "PNG"),
        gzip.compress(good), good[::-1], b"\x80\x04N.", bytes(len(good)), nan_model(),
        onnx_files.model(classes=4).SerializeToString(),
    ]  # fmt: skip
    return bytes(found[kind])


def test_20_broken_upgrades_take_nothing_away(path: Path, tmp_path: Path) -> None:
    place = tmp_path / "new"
    place.mkdir()
    good, described = path.read_bytes(), path.with_suffix(".json").read_bytes()
    often = "import voilearn.service.live_model as m\nm.LiveModel.watch.__defaults__ = (0.1,)"
    with serving(path, before=often) as service, Crowd(service.url, PHOTO, 2) as crowd:
        for kind in range(20):
            data = broken(kind, good)
            new = onnx_files.write(place, data, **numbered(99))  # well described, and broken
            if kind % 4 == 3:  # the export.json is still that of the model before
                new.replace(path)
            else:
                swap(new, path, ".json")
            wait_for(lambda k=kind: service.model()["refused"] and service.metric(  # type: ignore[misc]
                'voilearn_model_changes_total{outcome="refused"}') > k)  # fmt: skip
            told = service.model()
            assert told["sha256"] == f"{0:064x}"
            assert told["refused"]["type"] == "UnusableModel"
            assert len(told["refused"]["message"]) > 20
            assert str(tmp_path) not in told["refused"]["message"]
            assert service.metric("voilearn_model_refused") == 1
        refused = "a new model was refused, the old one goes on"
        wait_for(lambda: len(service.events(refused)) >= 20)
        path.unlink()  # gone altogether
        time.sleep(0.5)
        assert service.post(PHOTO)[0] == 200
        path.mkdir()  # a folder of that name
        time.sleep(0.5)
        assert service.post(PHOTO)[0] == 200
        path.rmdir()
        path.with_suffix(".json").write_bytes(described)
        path.write_bytes(good)
        wait_for(lambda: service.model()["refused"] is None)
        swap(release(place, 7), path, ".json")
        wait_for(lambda: service.model()["sha256"] == f"{7:064x}")
        crowd.__exit__()
        assert not crowd.lost
        assert {status for status, _ in crowd.told} == {200}


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
def test_the_end_under_load_loses_no_answer(path: Path, sign: signal.Signals) -> None:
    with serving(path, "--drain", "5", before=SLOW.format(0.02)) as service:
        with Crowd(service.url, PHOTO, 16) as crowd:
            wait_for(lambda: len(crowd.told) > 50)
            before = len(crowd.told)
            service.process.send_signal(sign)
            wait_for(lambda: service.get("/readyz")[0] == 503)
            assert service.get("/healthz")[0] == 200
            crowd.over.set()  # as whoever sends requests here sees: what is not accepted is reset
            assert service.ended() == 0
        assert not crowd.lost
        assert {status for status, _ in crowd.told} == {200}
        assert len(crowd.told) > before  # it went on answering while others were told
        assert service.events("ending")


def test_it_ends_while_it_loads_and_while_somebody_sends_slowly(path: Path) -> None:
    slow = "import time, voilearn.service.live_model as m\nold = m.load_classify\n" \
        "def load(*a, **k):\n    time.sleep(3600)\nm.load_classify = load"  # fmt: skip
    with serving(path, before=slow, ready=False) as service:
        assert service.get("/readyz")[0] == 503
        assert service.end() == 0
    short = "import voilearn.service.request_body as b\nb.PIECE_SECONDS = 5.0"
    with serving(path, before=short) as service, connected(service) as sock:
        sock.sendall(b"POST /v1/classify HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nab")
        wait_for(lambda: service.metric("voilearn_requests_in_flight") >= 2)
        assert service.end() == 0
        assert b" 408 " in sock.recv(1000)


def connected(service: Serving) -> socket.socket:
    return socket.create_connection(("127.0.0.1", service.port), timeout=WITHIN)


def reset(sock: socket.socket) -> None:
    """Vanish as a phone does that has lost its network: no goodbye."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


POST = b"POST /v1/classify HTTP/1.1\r\nHost: x\r\n"
HEAD = POST + b"Content-Length: %d\r\n\r\n" % len(PHOTO)
LIMITS_SHORT = (
    "import voilearn.service.connections as c, voilearn.service.request_body as b\n"
    "c.HEAD_SECONDS = c.LINGER_SECONDS = b.PIECE_SECONDS = b.GRACE = 5.0\n"
)


def test_200_slow_clients_hinder_nobody_and_are_let_go_of(path: Path) -> None:
    with serving(path, before=LIMITS_SHORT) as service:
        at_rest = service.descriptors()
        slow = [connected(service) for _ in range(200)]
        end = threading.Event()

        def drip() -> None:
            at = 0
            while not end.wait(0.2):
                for number, sock in enumerate(slow):
                    kind = number % 4
                    try:
                        if kind == 0:  # a head, a byte at a time
                            sock.sendall(HEAD[at : at + 1])
                        elif kind == 1:  # a body, a byte at a time
                            sock.sendall(HEAD + PHOTO[:1] if at == 0 else PHOTO[at : at + 1])
                        elif kind == 2 and at == 0:  # a body that stops
                            sock.sendall(HEAD + PHOTO[:100])
                    except OSError:
                        pass  # let go of; a fourth says nothing at all
                at += 1

        threading.Thread(target=drip, daemon=True).start()
        wait_for(lambda: service.metric("voilearn_requests_in_flight") > 100)
        with Crowd(service.url, PHOTO, 4) as crowd:
            wait_for(lambda: len(crowd.told) > 50)
            wait_for(
                lambda: service.metric('voilearn_requests_total{outcome="RequestTimeout"') == 100
            )
            wait_for(lambda: service.descriptors() < at_rest + 20)
        end.set()
        assert not crowd.lost
        assert {status for status, _ in crowd.told} == {200}
        for sock in slow:
            sock.close()
        wait_for(lambda: service.metric("voilearn_requests_in_flight") == 1)


def test_200_vanishing_clients_hinder_nobody_and_are_not_computed(path: Path) -> None:
    with serving(path, before=SLOW.format(0.05)) as service:
        at_rest = service.descriptors()
        with Crowd(service.url, PHOTO, 4) as crowd:
            for number in range(200):
                sock = connected(service)
                kind = number % 4
                if kind == 0:
                    sock.sendall(HEAD[:30])
                elif kind == 1:
                    sock.sendall(HEAD + PHOTO[:100])
                elif kind == 2:
                    sock.sendall(HEAD + PHOTO)  # gone while it waits in line
                else:
                    sock.sendall(HEAD + PHOTO)
                    time.sleep(0.01)
                reset(sock)
            wait_for(lambda: len(crowd.told) > 60)
        assert not crowd.lost
        assert {status for status, _ in crowd.told} <= {200, 429}
        wait_for(lambda: service.metric("voilearn_requests_in_flight") == 1)
        wait_for(lambda: service.metric("voilearn_queue_depth") == 0)
        wait_for(lambda: service.descriptors() <= at_rest + 2)
        answered = sum(status == 200 for status, _ in crowd.told)
        left = service.metric('voilearn_requests_total{outcome="left"')
        assert left > 50
        # of those that went away, only what was being worked on at that moment was computed
        computed = service.metric('voilearn_stage_seconds_count{stage="predict"}')
        assert computed - answered <= 200 - left + 20
        assert not [line for line in service.lines if "traceback" in line]


def test_what_nobody_waits_for_is_not_computed(path: Path, shut: Path) -> None:
    with serving(path, before=HELD.format(str(shut)) + ONE_WORKER) as service:
        shut.touch()
        first = threading.Thread(target=service.post, args=[PHOTO])
        first.start()
        wait_for(lambda: service.metric("voilearn_workers_busy") == 1)
        waiting = [connected(service) for _ in range(5)]
        for sock in waiting:
            sock.sendall(HEAD + PHOTO)
        wait_for(lambda: service.metric("voilearn_queue_depth") == 5)
        for sock in waiting:
            reset(sock)
        wait_for(lambda: service.metric("voilearn_queue_depth") == 0)
        shut.unlink()
        first.join()
        assert service.post(PHOTO)[0] == 200
        assert service.metric('voilearn_stage_seconds_count{stage="predict"}') == 2
        assert service.metric('voilearn_requests_total{outcome="left"') == 5


ONE_WORKER = "import voilearn.service.serve as s\ns.granted_cores = lambda: 1\n"


def test_a_full_line_is_told_at_once_and_to_one_client_before_others(
    path: Path, shut: Path
) -> None:
    told: list[tuple[str, int]] = []

    def post(name: str) -> None:
        status, _ = service.post(PHOTO, X_Forwarded_For=name)
        told.append((name, status))

    def taken() -> int:
        return int(sum(map(service.metric, ("voilearn_workers_busy", "voilearn_queue_depth"))))

    with serving(path, before=HELD.format(str(shut)) + ONE_WORKER) as service:
        shut.touch()
        names = ["10.0.0.1"] * 12 + ["10.0.0.2"] * 12 + ["10.0.0.3"] * 4
        threads = []
        for name in names:
            threads.append(threading.Thread(target=post, args=[name]))
            threads[-1].start()
            wait_for(lambda: taken() + len(told) == len(threads))
        refused = Counter(told)  # while nothing is answered yet
        assert refused["10.0.0.1", 429] >= 3
        assert refused["10.0.0.3", 503] >= 2
        assert {status for _, status in told} == {429, 503}
        shut.unlink()
        for thread in threads:
            thread.join()
        counts = Counter(told)
        assert counts["10.0.0.1", 200] >= 8
        assert counts["10.0.0.2", 200] >= 7
        assert counts == refused + Counter((name, 200) for name, status in told if status == 200)
        assert service.post(PHOTO)[0] == 200


def test_a_refusal_says_when_to_come_again(path: Path) -> None:
    full = "import voilearn.service.serve as s\ns.PLACES = 0\n"
    with serving(path, before=full) as service:
        connection = HTTPConnection("127.0.0.1", service.port, timeout=WITHIN)
        for _ in range(3):  # the same connection: the photo that was not read is out of the way
            connection.request("POST", "/v1/classify", PHOTO * 300)
            answer = connection.getresponse()
            assert (answer.status, answer.headers["Retry-After"]) == (503, "1")
            assert json.loads(answer.read())["type"] == "urn:voilearn:ServiceBusy"


def test_what_waits_too_long_is_refused(path: Path, shut: Path) -> None:
    """It is told so while the worker is still at it."""
    deadline = "import voilearn.service.service as v\nv.DEADLINE = 0.5\n"
    with serving(path, before=HELD.format(str(shut)) + ONE_WORKER + deadline) as service:
        shut.touch()
        status, body = service.post(PHOTO)
        shut.unlink()
        assert status == 504
        assert json.loads(body)["type"] == "urn:voilearn:DeadlinePassed"


def test_64_clients_are_each_answered_or_refused(path: Path) -> None:
    with serving(path, before=SLOW.format(0.02)) as service:
        with Crowd(service.url, PHOTO, 64) as crowd:
            wait_for(lambda: [status for status, _ in crowd.told].count(200) > 100)
        assert not crowd.lost
        statuses = Counter(status for status, _ in crowd.told)
        assert set(statuses) == {200, 429}


@pytest.mark.parametrize("way", ["declared", "streamed", "form"])
def test_a_body_too_large_is_refused_before_it_is_read(path: Path, way: str) -> None:
    with serving(path) as service, connected(service) as sock:
        before = service.memory()
        piece = bytes(1 << 20)
        if way == "declared":
            sock.sendall(POST + b"Content-Length: 10000000000\r\n\r\n")
        elif way == "form":
            sock.sendall(
                POST + b"Content-Length: 50200000\r\n"
                b"Content-Type: multipart/form-data; boundary=x\r\n\r\n"
            )
        else:
            sock.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n")
            for _ in range(60):
                sock.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))
        head = sock.recv(10_000)
        assert b" 413 " in head
        assert b"problem+json" in head
        assert service.memory() < before + (130 if way == "streamed" else 10)
        assert service.post(PHOTO)[0] == 200


def test_who_sends_everything_first_can_read_the_refusal(path: Path) -> None:
    with serving(path) as service:
        for _ in range(3):
            status, body = service.post(bytes(LIMITS.bytes + 20_000_000))
            assert status == 413
            assert "50 MB" in json.loads(body)["detail"]


def test_who_asks_first_sends_nothing(path: Path) -> None:
    with serving(path) as service, connected(service) as sock:
        head = POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
        sock.sendall(head % 60_000_000)
        assert sock.recv(1000).startswith(b"HTTP/1.1 413 ")
        with connected(service) as other:
            other.sendall(head % len(PHOTO))
            assert other.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
            other.sendall(PHOTO)
            assert other.recv(1000).startswith(b"HTTP/1.1 200 ")


def test_a_head_without_an_end_is_let_go_of(path: Path) -> None:
    with serving(path) as service, connected(service) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-A: ")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)  # what is sent was nearly read
        sent = 0
        with pytest.raises(OSError):  # reset, or a broken pipe
            for _ in range(1000):
                sent += sock.send(b"a" * 10_000)
        assert sent < 5_000_000
        assert service.get("/healthz")[0] == 200


def test_trailers_without_an_end_take_no_memory(path: Path) -> None:
    with serving(path, "--token", "secret") as service, connected(service) as sock:
        before = service.memory()
        sock.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
        assert b" 401 " in sock.recv(10_000)
        with pytest.raises(OSError):  # reset, or a broken pipe
            for _ in range(3000):
                sock.sendall(b"a:b\r\n" * 2000)
        assert service.memory() < before + 20


def test_what_is_no_http_is_told_so_once(path: Path) -> None:
    with serving(path) as service, connected(service) as sock:
        sock.sendall(POST + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n")
        told = sock.recv(10_000)
        with contextlib.suppress(ConnectionError):  # it may let go of us
            for _ in range(20):
                sock.sendall(b"x")
                time.sleep(0.01)
            sock.shutdown(socket.SHUT_WR)
            while piece := sock.recv(10_000):
                told += piece
        assert told.count(b"HTTP/1.1 400") == 1


def test_who_goes_on_after_an_early_answer_is_let_go_of(path: Path) -> None:
    with serving(path, before=LIMITS_SHORT) as service:
        before = service.descriptors()
        socks = [connected(service) for _ in range(50)]
        for sock in socks:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\n")
            assert b" 200 " in sock.recv(10_000)
            sock.sendall(b"x")
        wait_for(lambda: service.descriptors() <= before + 1)
        for sock in socks:
            sock.close()


def test_who_reads_nothing_is_let_go_of(path: Path) -> None:
    short = "import voilearn.service.connections as c\nc.READ_SECONDS = 5.0"
    with serving(path, before=short) as service, socket.socket() as sock:
        before = service.descriptors()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.connect(("127.0.0.1", service.port))
        asks = b"GET /docs/files/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n"
        sock.sendall(asks * 3)
        wait_for(lambda: service.descriptors() > before)
        wait_for(lambda: service.descriptors() <= before + 1)


def test_one_request_behind_another_gets_its_answer_too(path: Path) -> None:
    with serving(path, before=SLOW.format(0.2)) as service, connected(service) as sock:
        sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" + HEAD + PHOTO[:500])
        time.sleep(3)
        sock.sendall(PHOTO[500:] + b"\r\n")  # and a line's end too much, as old clients send
        told = b""
        while told.count(b"HTTP/1.1 200") < 2:
            piece = sock.recv(10_000)
            assert piece, told
            told += piece


def test_a_log_that_nobody_reads_stops_nothing(path: Path) -> None:
    command = [sys.executable, "-m", "voilearn", "serve", "--model", str(path), "--port", "0"]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        service = Serving(process, line_of(process.stdout).split()[0])
        service.wait_ready()
        for _ in range(600):
            assert service.get("/healthz")[0] == 200
        assert service.end() == 0
    finally:
        process.kill()


def test_to_be_told_twice_to_end_loses_no_answer(path: Path, shut: Path) -> None:
    with serving(path, before=HELD.format(str(shut))) as service:
        shut.touch()
        told: list[int] = []
        asking = threading.Thread(target=lambda: told.append(service.post(PHOTO)[0]))
        asking.start()
        wait_for(lambda: service.metric("voilearn_workers_busy") == 1)
        for _ in range(3):
            service.process.terminate()
            time.sleep(0.2)
        shut.unlink()
        asking.join()
        assert told == [200]
        assert service.ended() == 0


def test_it_ends_well_from_its_first_word_on(path: Path) -> None:
    for _ in range(3):
        with serving(path, ready=False) as service:
            assert service.end() == 0


def test_a_sender_that_was_fast_once_may_not_dawdle(path: Path) -> None:
    short = "import voilearn.service.request_body as b\nb.GRACE = 2.0"
    with serving(path, before=short) as service, connected(service) as sock:
        began = time.monotonic()
        sock.sendall(POST + b"Content-Length: 30000000\r\n\r\n" + bytes(20_000_000))
        told = b""
        with contextlib.suppress(ConnectionError):
            # all in all, so much would do for half an hour
            while not told and time.monotonic() - began < WITHIN:
                sock.sendall(b"x")
                time.sleep(0.5)
                sock.settimeout(0.01)
                with contextlib.suppress(TimeoutError):
                    told = sock.recv(1000)
                sock.settimeout(WITHIN)
        assert time.monotonic() - began > 1
        assert b" 408 " in told


def test_an_idle_worker_keeps_no_photo() -> None:
    queue = WorkQueue(1, 8, 8)

    class Photo:
        def look(self) -> int:
            return 1

    photo = Photo()
    kept = weakref.ref(photo)
    assert queue.submit(photo.look, "a", time.monotonic() + WITHIN).result() == 1
    del photo
    wait_for(lambda: kept() is None)
    queue.close()


SECRET = "c0ffee-and-a-long-tail"


@pytest.mark.parametrize(
    ("options", "environment", "status"),
    [
        ([], {}, 200),
        (["--token", SECRET], {}, 401),
        ([], {"VOILEARN_TOKEN": SECRET}, 401),
        (["--host", "0.0.0.0", "--public"], {}, 200),
        (["--host", "0.0.0.0"], {"VOILEARN_TOKEN": SECRET}, 401),
    ],
)
def test_who_may_ask(
    path: Path, options: list[str], environment: dict[str, str], status: int
) -> None:
    with serving(path, *options, environment=environment) as service:
        assert service.post(PHOTO)[0] == status
        for wrong in ("Bearer x", "Bearer " + "x" * 50_000, "Bearer \xff", f"Basic {SECRET}"):
            assert service.post(PHOTO, Authorization=wrong)[0] == status
        assert service.post(PHOTO, Authorization=f"Bearer {SECRET}")[0] == 200
        told = service.get("/metrics", Authorization=f"Bearer {SECRET}")[1]
        told += service.get("/openapi.json")[1] + service.get("/docs")[1]
        assert SECRET.encode() not in told
        assert SECRET not in json.dumps(service.lines)


def run(command: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=WITHIN)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--host", "0.0.0.0"], "needs a token"),
        (["--host", "::"], "needs a token"),
        (["--host", "0.0.0.0", "--token", ""], "needs a token"),
        (["--token", "two words"], "without spaces"),
        (["--token", "gr\u00fcn"], "ASCII"),
    ],
)
def test_a_service_that_nobody_guards_does_not_start(
    path: Path, options: list[str], says: str
) -> None:
    command = [sys.executable, "-m", "voilearn", "serve", "--model", str(path), *options]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, timeout=WITHIN, check=False
    )
    assert done.returncode == 2
    assert says in done.stderr


@pytest.mark.parametrize("what", ["port", "host", "model", "number"])
def test_what_cannot_be_served_is_told(path: Path, tmp_path: Path, what: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = {
            "port": ["--port", str(taken.getsockname()[1])],
            "host": ["--host", "no.such.host.invalid", "--public"],
            "model": ["--model", str(tmp_path / "none.onnx"), "--port", "0"],
            "number": ["--port", "99999"],
        }[what]
        given = options if what == "model" else ["--model", str(path), *options]
        command = [sys.executable, "-m", "voilearn", "serve", *given]
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=ROOT, timeout=WITHIN, check=False
        )
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("voilearn: ")
    assert "Traceback" not in done.stderr


def test_nothing_of_a_photo_is_told_or_written(path: Path, tmp_path: Path) -> None:
    picture = Image.new("RGB", (64, 64), "red")
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 8.0, 14.0)})
    photo = encode(picture, "JPEG", exif=exif) + bytes(5_000_000)
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    with serving(path, environment={"TMPDIR": str(temporary)}) as service:
        body = (
            b'--x\r\nContent-Disposition: form-data; name="photo"; filename="secret.jpg"\r\n'
            b"Content-Type: image/jpeg\r\n\r\n" + photo + b"\r\n--x--\r\n"
        )
        kind = "multipart/form-data; boundary=x"
        status, answer = service.post(
            body, "/v1/classify?who=secret", Content_Type=kind, Referer="http://secret/",
            User_Agent="secret", Cookie="secret=1", X_Forwarded_For="203.0.113.7",
        )  # fmt: skip
        assert status == 200
        service.post(photo[:300], "/secret.jpg")
        told = json.dumps(service.lines) + service.get("/metrics")[1].decode() + answer.decode()
        for secret in ("secret", "Secret", "203.0.113.7", "127.0.0.1:"):
            assert secret not in told.replace(service.url, "")
        assert list(temporary.iterdir()) == []


# 2,000 hostile bodies: 1,700 mutated pictures, and what schemathesis makes of the OpenAPI document.
MUTATED = 1700
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


def mutated(number: int, pictures: list[bytes]) -> bytes:
    chance = random.Random(number)
    data = bytearray(pictures[number % len(pictures)])
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(data))
        kind = chance.randrange(5)
        if kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            del data[at:]
        elif kind == 2:
            data[at : at + 8] = chance.randbytes(8)
        elif kind == 3:
            data[at:at] = chance.choice(pictures)[: chance.randrange(500)]
        else:
            data[at : at + 4] = b"\xff\xff\xff\xff"
        data = data or bytearray(b"\0")
    return bytes(data)


def in_a_request(number: int, data: bytes) -> tuple[str, bytes, dict[str, str]]:
    """A body on one of the three ways in; some of the forms are broken themselves."""
    if number % 3 == 0:
        return "/v1/classify", data, {}
    if number % 3 == 1:
        head = b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n'
        body = head + data + b"\r\n--x--\r\n"
        if number % 7 == 0:
            body = body[number % len(body) :] or b"-"
        return "/v1/classify", body, {"Content_Type": "multipart/form-data; boundary=x"}
    tensor = {"name": "photo", "datatype": "BYTES", "shape": [1]}
    sized = {**tensor, "parameters": {"binary_data_size": len(data) + 4}}
    header = json.dumps({"inputs": [sized]}).encode()
    body = header + struct.pack("<I", len(data) + (number % 11 == 0)) + data
    length = {"Inference_Header_Content_Length": str(len(header) + (number % 13 == 0))}
    return "/v2/models/colours/infer", body, length


def test_1700_mutated_pictures_end_in_an_answer_or_a_problem(path: Path) -> None:
    pictures = [encode(draw(), kind) for kind in FORMATS]
    statuses: Counter[int] = Counter()
    with serving(path) as service:
        for number in range(MUTATED):
            route, body, headers = in_a_request(number, mutated(number, pictures))
            status, told = service.post(body, route, **headers)
            statuses[status] += 1
            if status != 200:
                problem = json.loads(told)
                assert problem["status"] == status
                error = error_of(problem["type"].removeprefix("urn:voilearn:"), problem["detail"])
                assert type(error) is not VoilearnError
                assert error.status == status
        assert set(statuses) <= {200, 400, 413, 415, 422}
        assert min(statuses[200], statuses[415], statuses[422], statuses[400]) > 30, statuses
        after(service)


def after(service: Serving) -> None:
    """It is still the same process, sound, and has nothing left over."""
    assert service.process.poll() is None
    assert service.post(PHOTO)[0] == 200
    assert not [line for line in service.lines if "traceback" in line or line["level"] == "error"]
    wait_for(lambda: service.metric("voilearn_queue_depth") == 0)
    wait_for(lambda: service.metric("voilearn_workers_busy") == 0)


def test_300_requests_that_the_openapi_document_makes_possible(path: Path) -> None:
    schemathesis = pytest.importorskip("schemathesis")
    # random bytes are of a kind that the document allows, and no picture
    excluded = [schemathesis.checks.positive_data_acceptance]
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis.errors import Unsatisfiable

    asked: Counter[str] = Counter()
    with serving(path) as service:
        schema = schemathesis.openapi.from_url(f"{service.url}/openapi.json")
        schema = schema.exclude(path="/v1/events")  # whose answer does not end
        for found in schema.get_all_operations():
            operation = found.ok()
            for mode in schemathesis.GenerationMode:

                def one(case: Any) -> None:
                    asked[case.operation.label] += 1
                    case.call_and_validate(excluded_checks=excluded)

                test = given(case=operation.as_strategy(generation_mode=mode))(one)
                tried = settings(
                    max_examples=40, deadline=None, derandomize=True, database=None,
                    suppress_health_check=list(HealthCheck), phases=[Phase.generate],
                )(test)  # fmt: skip
                with contextlib.suppress(Unsatisfiable):  # nothing can be wrong with no parameters
                    tried()
        after(service)
    assert sum(asked.values()) >= 300, asked


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("VOILEARN_URL", "VOILEARN_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield
