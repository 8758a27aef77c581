"""A service elsewhere, asked as if the model were here; and whatever else answers at an address."""

import base64
import http.client
import http.server
import json
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import onnx_files
from tests.conftest import ROOT
from tests.services import (
    GOOD,
    PHOTO,
    PREDICTION,
    Answer,
    Machine,
    free_port,
    problem,
    read_request,
    response,
    served,
    standing_in,
    wait_for,
)
from tests.waiting import WITHIN
from voilearn import errors
from voilearn.client import remote
from voilearn.client.remote import Remote
from voilearn.client.this_machine import connect
from voilearn.errors import (
    PhotoError,
    ServiceBusy,
    ServiceNotReady,
    ServiceUnreachable,
    TokenRefused,
    TooManyRequests,
    VoilearnError,
)
from voilearn.model import load_classify

pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.filterwarnings(  # connections are kept until the process ends
    "ignore::pytest.PytestUnraisableExceptionWarning"
)

TREE = {n: kind for n, kind in errors._tree().items() if kind.__module__ == errors.__name__}
NOT_OURS = "is not Voilearn's service"
AN_ADDRESS = "not the address of a service"


@pytest.fixture(scope="module")
def onnx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_files.write(tmp_path_factory.mktemp("model"), onnx_files.model())


@pytest.fixture(scope="module")
def service(onnx: Path) -> Iterator[str]:
    """A real one, with the token `secret`."""
    arguments = ("--model", str(onnx), "--port", "0", "--token", "secret")
    with served(*arguments) as url:
        yield url


@pytest.fixture(autouse=True)
def _nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOILEARN_URL", raising=False)
    monkeypatch.delenv("VOILEARN_TOKEN", raising=False)


def test_the_address_in_the_environment_is_asked(
    service: str, onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOILEARN_URL", service + "/")
    monkeypatch.setenv("VOILEARN_TOKEN", "secret\n")  # as a file of secrets ends
    classify = connect("no such file.pkl")
    assert classify(PHOTO) == load_classify(onnx)(PHOTO)


def test_many_threads_ask_at_once_and_connections_are_kept(service: str) -> None:
    classify, answers, failed = Remote(service, "secret"), [], []

    def ask() -> None:
        try:
            answers.extend([classify(PHOTO) for _ in range(10)])
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert len(answers) == 80
    assert 1 <= len(classify._idle) <= 8


@pytest.mark.parametrize("token", [None, "", "wrong", "secre", "secret2"])
def test_a_wrong_token_is_told(service: str, token: str | None) -> None:
    with pytest.raises(TokenRefused, match="needs its token"):
        Remote(service, token)(PHOTO)


@pytest.mark.parametrize("token", ["sécret", "se\ncret", "\N{BEAR FACE}"])
def test_what_can_be_no_token_is_told_before_anything_is_sent(token: str) -> None:
    with pytest.raises(TokenRefused, match="VOILEARN_TOKEN is no token") as caught:
        Remote("http://127.0.0.1:1", token)
    assert token not in str(caught.value)


BAD = {
    "empty": b"",
    "not a picture": b"%PDF-1.7 and so on",
    "damaged": PHOTO[: len(PHOTO) // 2],
    "too many bytes": b"\xff\xd8\xff" + bytes(51_000_000),
}


@pytest.mark.parametrize("photo", BAD.values(), ids=BAD)
def test_a_bad_photo_is_the_same_sentence_as_of_a_model_here(
    service: str, onnx: Path, photo: bytes
) -> None:
    with pytest.raises(PhotoError) as here:
        load_classify(onnx)(photo)
    with pytest.raises(PhotoError) as there:
        Remote(service, "secret")(photo)
    assert (type(there.value), str(there.value)) == (type(here.value), str(here.value))
    assert Remote(service, "secret")(PHOTO).label


# A service whose model raises what the photo's bytes name.
RAISES = """
import sys
from pathlib import Path
from voilearn.service import live_model
from voilearn.classifier import Classifier
from voilearn.errors import error_of
from voilearn.prediction import ModelInfo
from voilearn.service.serve import Options, serve

class Raises(Classifier):
    def __call__(self, photo):
        raise error_of(photo.decode(), "A sentence, with é.")

def load(*_):
    return Raises(None, None, ModelInfo("none", "0" * 64, "single-label", ("a",)), "")

live_model.load_classify = load
serve(Options(Path(sys.argv[1]), port=0), lambda url, live: print(url, flush=True))
"""


def test_every_error_of_the_tree_arrives_as_itself(
    onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert len(TREE) >= 18
    with served(str(onnx), script=RAISES) as url:
        with pytest.raises(errors.DamagedPhoto):  # it waits until the model is loaded
            Remote(url)(b"DamagedPhoto")
        monkeypatch.setattr(remote, "LOAD_SECONDS", 0)  # and the rest says at once that it isn't
        for name, kind in TREE.items():
            with pytest.raises(VoilearnError) as caught:
                Remote(url)(name.encode())
            error = caught.value
            assert (type(error), str(error)) == (kind, "A sentence, with é.")
            assert error.retry_after == kind.retry_after


@pytest.mark.parametrize(
    ("told", "seconds"),
    [("7", 7), ("0", 0), ("", None), ("-1", None), ("soon", None), ("²", None), ("9" * 5000, None)],
)
def test_retry_after_arrives_if_it_is_a_number(told: str, seconds: int | None) -> None:
    error = errors.DeadlinePassed("Too late.")
    with (
        standing_in(
            problem(error).replace(
                b"Fine\r\n", b"Fine\r\nRetry-After: %b\r\n" % told.encode("latin-1")
            )
        ) as there,
        pytest.raises(errors.DeadlinePassed) as caught,
    ):
        Remote(there.url)(PHOTO)
    assert caught.value.retry_after == seconds


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org",
        "example.org",
        "localhost:8000",
        "http://",
        "http://:8000",
        "http://example.org:99999",
        "http://example.org:0",
        "http://example.org:http",
        "http://[::1",
        "http://example.org?key=secret",
        "http://example.org/#/app",
        '"http://example.org"',
        " ",
        "/",
    ],
)
def test_an_address_that_is_none_is_told_at_once(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOILEARN_URL", url)
    with pytest.raises(ServiceUnreachable, match=AN_ADDRESS):
        connect()


@pytest.mark.parametrize(
    "host", ["no-such-host.invalid", "a..b", "x" * 64, "\N{BEAR FACE}.invalid"]
)
def test_a_host_that_there_is_not_is_a_sentence(host: str) -> None:
    with pytest.raises(ServiceUnreachable, match="There is no service at http://"):
        Remote(f"http://{host}:8000")(PHOTO)


def test_nobody_there_is_a_sentence_without_what_is_secret() -> None:
    port = free_port()
    with pytest.raises(ServiceUnreachable) as caught:
        Remote(f"http://me:password@127.0.0.1:{port}/secret")(PHOTO)
    assert str(caught.value) == (
        f"There is no service at http://127.0.0.1:{port}: Connection refused."
    )
    with pytest.raises(ServiceUnreachable, match=r"http://\[::1\]:1: "):
        Remote("http://[::1]:1")(PHOTO)


class Prefixed(http.server.BaseHTTPRequestHandler):
    """A reverse proxy that has the service below a path of its own."""

    port = 0

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if not self.path.startswith("/b%C3%A4ren/app/v1/"):
            self.send_error(404)
            return
        inner = http.client.HTTPConnection("127.0.0.1", self.port)
        headers = {"Authorization": self.headers["Authorization"]}
        inner.request("POST", self.path.removeprefix("/b%C3%A4ren/app"), body, headers)
        answer = inner.getresponse().read()
        inner.close()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: Any) -> None:
        pass


def test_a_service_below_a_path_behind_a_proxy_is_found(service: str) -> None:
    Prefixed.port = int(service.rpartition(":")[2])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Prefixed) as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{proxy.server_port}"
        for prefix in ("/bären/app", "/b%C3%A4ren/app/"):
            classify = Remote(url + prefix, "secret")
            assert [classify(PHOTO).model.name for _ in range(2)] == ["colours"] * 2
        with pytest.raises(ServiceUnreachable, match="status 404"):
            Remote(url, "secret")(PHOTO)
        proxy.shutdown()


FLAT = {key: value for key, value in PREDICTION.to_dict().items() if key != "model"}
STRANGERS = {
    "a web page": response(body=b"<html>Welcome</html>", kind="text/html"),
    "nothing": response(),
    "JSON": response(body=b'{"label": "a"}'),
    "half a Prediction": response(body=json.dumps(FLAT).encode()),
    "a list of them": response(body=json.dumps([PREDICTION.to_dict()]).encode()),
    "deep JSON": response(body=b"[" * 100_000),
    "a redirect to nowhere": response(302),
    "nothing at this path": response(404, b"<html>", "text/html"),
    "our own 404": response(404, b'{"type": "about:blank", "detail": "Nothing here."}'),
    "another's problem": response(500, b'{"type": "about:blank", "detail": "No."}'),
    "a problem of no kind": response(500, b'{"type": "urn:voilearn:", "detail": 5}'),
}


@pytest.mark.parametrize("answer", STRANGERS.values(), ids=STRANGERS)
def test_something_else_that_answers_is_told_as_that(answer: bytes) -> None:
    with (
        standing_in(answer) as there,
        pytest.raises(ServiceUnreachable, match=NOT_OURS) as caught,
    ):
        Remote(there.url)(PHOTO)
    assert "Check VOILEARN_URL" in str(caught.value)
    assert len(there.asked) == 1


def html(status: int, **headers: str) -> bytes:
    return response(status, b"<html>Sorry</html>", "text/html", **headers)


GATEWAYS = [502, 503, 504, 520, 521, 522, 523, 524, 530]


@pytest.mark.parametrize("status", GATEWAYS)
@pytest.mark.parametrize("body", [b"<html>Bad gateway</html>", b"", b'{"message": "upstr'])
def test_a_proxy_that_does_not_reach_the_service_is_asked_once_more(
    status: int, body: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "AGAIN", 0.01)
    with standing_in(response(status, body, "text/html"), GOOD) as there:
        assert Remote(there.url)(PHOTO) == PREDICTION
        assert len(there.asked) == 2
    with (
        standing_in(response(status, body, "text/html")) as there,
        pytest.raises(ServiceUnreachable, match=r"Please try again in a moment\.$") as caught,
    ):
        Remote(there.url)(PHOTO)
    assert f"(status {status})" in str(caught.value)
    assert "Check VOILEARN_URL" not in str(caught.value)
    assert len(there.asked) == 2


def test_a_failure_that_is_not_the_services_own_is_asked_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As Ray Serve tells that a replica died."""
    monkeypatch.setattr(remote, "AGAIN", 0.01)
    failed = response(500, b"Internal Server Error", "text/plain")
    with standing_in(failed, GOOD) as there:
        assert Remote(there.url)(PHOTO) == PREDICTION
    with standing_in(failed) as there, pytest.raises(ServiceUnreachable, match="status 500") as one:
        Remote(there.url)(PHOTO)
    assert len(there.asked) == 2
    assert "try again in a moment" in str(one.value)


def test_a_proxy_that_says_when_is_asked_then_or_not_at_all() -> None:
    with standing_in(html(503, Retry_After="0"), GOOD) as there:
        assert Remote(there.url)(PHOTO) == PREDICTION
    with (
        standing_in(html(503, Retry_After="3600")) as there,
        pytest.raises(ServiceUnreachable) as caught,
    ):
        Remote(there.url)(PHOTO)
    assert caught.value.retry_after == 3600
    assert len(there.asked) == 1


def gone(one: socket.socket) -> None:
    """End as a process does that was killed: some of the answer may have gone out."""
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


LOSSES: dict[str, Answer] = {
    "no answer": lambda _: None,
    "a reset": gone,
    "half a head": lambda one: one.sendall(GOOD[:20]),
    "a head alone": lambda one: one.sendall(GOOD.partition(b"{")[0]),
    "half a body": lambda one: one.sendall(GOOD[:-20]),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_photo_whose_answer_is_lost_is_sent_once_more_and_never_again(
    loss: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "AGAIN", 0.01)
    with standing_in(loss, GOOD) as there:
        assert Remote(there.url)(PHOTO) == PREDICTION
        assert len(there.asked) == 2
    with standing_in(loss) as there, pytest.raises(ServiceUnreachable, match="try again"):
        Remote(there.url)(PHOTO)
    assert len(there.asked) == 2  # it may be the photo that ends them, and the next one
    with standing_in(GOOD, loss) as there:
        classify = Remote(there.url)
        assert classify(PHOTO) == PREDICTION
        with pytest.raises(ServiceUnreachable):
            classify(PHOTO)  # over the connection that was kept, then over a new one
    assert len(there.asked) == 3


def test_the_next_try_takes_none_of_the_kept_connections_which_may_be_as_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As behind a balancer that forgot them, and tells so only when something is sent."""
    monkeypatch.setattr(remote, "AGAIN", 0.01)
    both = threading.Barrier(2)

    def meanwhile(one: socket.socket) -> None:
        both.wait(WITHIN)
        one.sendall(GOOD)
        if read_request(one):
            gone(one)

    with standing_in(meanwhile, meanwhile, GOOD) as there:
        classify = Remote(there.url)
        threads = [threading.Thread(target=classify, args=[PHOTO]) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(classify._idle) == 2
        assert classify(PHOTO) == PREDICTION
        assert there.connections == 3


def test_a_connection_that_was_ended_meanwhile_is_no_try() -> None:
    first_done = threading.Event()

    def once(one: socket.socket) -> None:
        one.sendall(GOOD)
        first_done.wait(WITHIN)

    with standing_in(once, GOOD) as there:
        classify = Remote(there.url)
        assert classify(PHOTO) == PREDICTION
        first_done.set()
        kept = classify._idle[0].sock
        wait_for(lambda: remote._has_come(kept))
        assert classify(PHOTO) == PREDICTION
        assert (len(there.asked), there.connections) == (2, 2)


def test_a_service_that_took_too_long_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "ANSWER_SECONDS", 0.3)
    never = threading.Event()
    with (
        standing_in(lambda _: never.wait(WITHIN)) as there,
        pytest.raises(ServiceUnreachable, match=r"too long|timed out"),
    ):
        Remote(there.url)(PHOTO)
    never.set()
    assert len(there.asked) == 1


def test_an_answer_that_was_cut_inside_is_asked_for_once_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remote, "AGAIN", 0.01)
    whole = json.dumps(PREDICTION.to_dict()).encode()
    with standing_in(response(body=whole[:-20]), GOOD) as there:
        assert Remote(there.url)(PHOTO) == PREDICTION
    with (
        standing_in(response(body=whole[:-20])) as there,
        pytest.raises(ServiceUnreachable, match="was cut short on its way"),
    ):
        Remote(there.url)(PHOTO)
    assert len(there.asked) == 2


IN_FRONT = {
    "a login": (
        html(401, WWW_Authenticate='Basic realm="x"'),
        "asks for a login (status 401). Put it into VOILEARN_URL: https://NAME:PASSWORD@",
    ),
    "a login of others": (
        html(401, WWW_Authenticate="Negotiate"),
        "Its kind is negotiate, which can't be given here",
    ),
    "a login of no kind": (html(401), "Its kind is not told"),
    "a token": (html(401, WWW_Authenticate="Bearer"), "wants a token: check VOILEARN_TOKEN"),
    "a proxy's own login": (
        html(407, Proxy_Authenticate="Basic"),
        "asks for a login (status 407). Put it into VOILEARN_URL",
    ),
    "a closed door": (html(403), "lets nobody in from here"),
    "a redirect to https": (
        html(301, Location="https://127.0.0.1/v1/classify?secret"),
        "sends on to https://127.0.0.1 (status 301). If that is the service, put it into",
    ),
    "a lasting redirect": (html(308, Location="/other/v1/classify"), "(status 308)"),
    "a redirect to a login": (
        html(302, Location="https://me:secret@login.example.org/?to=secret"),
        "sends on to https://login.example.org (status 302)",
    ),
}


@pytest.mark.parametrize(("answer", "said"), IN_FRONT.values(), ids=IN_FRONT)
def test_what_stands_in_front_is_told_as_that(answer: bytes, said: str) -> None:
    with standing_in(answer) as there, pytest.raises(ServiceUnreachable) as caught:
        Remote(there.url)(PHOTO)
    assert said in str(caught.value)
    assert NOT_OURS not in str(caught.value)
    assert "secret" not in str(caught.value)
    assert len(there.asked) == 1


def test_limits_of_a_proxy_are_told_as_the_services_own_are() -> None:
    with standing_in(html(413)) as there, pytest.raises(errors.PhotoTooLarge, match="lets through"):
        Remote(there.url)(PHOTO)
    with (
        standing_in(html(429, Retry_After="7")) as there,
        pytest.raises(TooManyRequests, match="try again in a moment") as caught,
    ):
        Remote(there.url)(PHOTO)
    assert caught.value.retry_after == 7


@pytest.mark.parametrize(
    ("login", "sent"),
    [
        ("me:password", "me:password"),
        ("me", "me:"),
        ("me@example.org".replace("@", "%40") + ":p%3A%2Fss", "me@example.org:p:/ss"),
        ("b%C3%A4r:h%C3%B6hle", "bär:höhle"),
    ],
)
def test_a_login_in_the_address_is_sent(login: str, sent: str) -> None:
    with standing_in(GOOD) as there:
        assert Remote(there.url.replace("://", f"://{login}@"))(PHOTO) == PREDICTION
    basic = base64.b64encode(sent.encode())
    assert b"\r\nAuthorization: Basic " + basic + b"\r\n" in there.asked[0]
    assert login.encode() not in there.asked[0]


def test_a_login_that_is_refused_is_told() -> None:
    refusing = html(401, WWW_Authenticate="Basic")
    with (
        standing_in(refusing) as there,
        pytest.raises(ServiceUnreachable, match="does not take the one that is in VOILEARN_URL"),
    ):
        Remote(there.url.replace("://", "://me:secret@"))(PHOTO)


def test_a_login_and_a_token_can_not_both_be_sent() -> None:
    with pytest.raises(TokenRefused, match="same header") as caught:
        Remote("http://me:password@127.0.0.1:1", "secret")
    assert "password" not in str(caught.value)


@pytest.mark.parametrize("end", ["", "/", "//", "/v1", "/v1/", "/v1/classify", "/docs"])
@pytest.mark.parametrize("prefix", ["", "/bears"])
def test_an_address_with_more_than_it_needs_is_understood(prefix: str, end: str) -> None:
    with standing_in(GOOD) as there:
        assert Remote(f" {there.url}{prefix}{end} ")(PHOTO) == PREDICTION
    assert there.asked[0].startswith(f"POST {prefix}/v1/classify ".encode())


def close(_: socket.socket) -> None:
    """Answer nothing."""


def cut(one: socket.socket) -> None:
    one.sendall(GOOD[:-20])


BROKEN: dict[str, Any] = {
    "closes at once": close,
    "no HTTP": b"220 mail.example.org ESMTP\r\n\r\n",
    "a cut answer": cut,
    "a long line": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000,
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 200,
}


@pytest.mark.parametrize("answer", BROKEN.values(), ids=BROKEN)
def test_an_answer_that_breaks_is_asked_for_once_more_and_told(
    answer: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "AGAIN", 0.01)

    def ending(one: socket.socket) -> None:
        one.sendall(answer) if isinstance(answer, bytes) else answer(one)

    with (
        standing_in(ending) as there,
        pytest.raises(ServiceUnreachable, match="ended before its answer") as caught,
    ):
        Remote(there.url)(PHOTO)
    assert "Please try again." in str(caught.value)
    assert len(there.asked) == 2


def endless(one: socket.socket) -> None:
    one.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
    while True:
        one.sendall(b" " * 1_000_000)


def test_an_answer_without_an_end_is_read_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remote, "MOST", 3_000_000)
    with standing_in(endless) as there, pytest.raises(ServiceUnreachable, match=NOT_OURS):
        Remote(there.url)(PHOTO)


def drops(head: bytes) -> Callable[[socket.socket], None]:
    def dropping(one: socket.socket) -> None:
        one.sendall(head)
        while True:
            one.sendall(b"x")
            time.sleep(0.05)

    return dropping


@pytest.mark.parametrize(
    "answer",
    [
        lambda one: one.recv(1),
        drops(b""),
        drops(b"HTTP/1.1 200 OK\r\nX: "),
        drops(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n"),
        drops(b"HTTP/1.1 200 OK\r\n\r\n"),
    ],
    ids=["silence", "status", "header", "body", "body to the end"],
)
def test_an_answer_that_takes_too_long_is_given_up(
    answer: Callable[[socket.socket], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "ANSWER_SECONDS", 0.3)
    with standing_in(answer) as there:
        began = time.monotonic()
        with pytest.raises(ServiceUnreachable, match="Please try again"):
            Remote(there.url)(PHOTO)
        assert time.monotonic() - began > 0.25
        wait_for(lambda: len(there.asked) == 1)


def test_a_kept_connection_that_ended_is_replaced_and_only_one_is_tried() -> None:
    with standing_in(GOOD) as there:
        classify = Remote(there.url)
        for _ in range(3):
            assert classify.alive()  # leaves a connection
        for connection in classify._idle:
            connection.sock.shutdown(socket.SHUT_RDWR)
        assert classify(PHOTO) == PREDICTION
        assert (there.connections, len(there.asked)) == (4, 1)


def test_a_kept_connection_that_hangs_is_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    with standing_in(GOOD, lambda one: one.recv(1)) as there:
        classify = Remote(there.url)
        classify(PHOTO)
        monkeypatch.setattr(remote, "ANSWER_SECONDS", 0.3)
        with pytest.raises(ServiceUnreachable):
            classify(PHOTO)
        wait_for(lambda: len(there.asked) == 2)
        assert there.connections == 1


def test_a_connection_that_the_service_closes_is_not_kept() -> None:
    closing = GOOD.replace(b"Fine\r\n", b"Fine\r\nConnection: Close\r\n")
    with standing_in(closing) as there:
        classify = Remote(there.url)
        assert [classify(PHOTO) for _ in range(2)] == [PREDICTION] * 2
        assert classify._idle == []


FULL = [ServiceBusy("Full."), TooManyRequests("Too many.")]
LOADING = ServiceNotReady("Loading.")


@pytest.mark.parametrize("error", FULL, ids=lambda error: error.type)
def test_a_service_that_is_full_says_when_to_ask_again(error: VoilearnError) -> None:
    with (
        standing_in(problem(error, Retry_After="7"), GOOD) as there,
        pytest.raises(type(error), match=str(error)) as caught,
    ):
        Remote(there.url)(PHOTO)
    assert caught.value.retry_after == 7
    assert len(there.asked) == 1


def test_a_service_tells_which_model_it_has() -> None:
    told = b'{"sha256": "%b", "name": "bears"}' % (b"1" * 64)
    with standing_in(
        b"HTTP/1.1 200 Fine\r\nContent-Length: %d\r\n\r\n%b" % (len(told), told)
    ) as there:
        assert Remote(there.url).current() == "1" * 64
    assert there.asked[0].startswith(b"GET /v1/model ")
    with (
        standing_in(GOOD) as there,
        pytest.raises(ServiceUnreachable, match="not Voilearn's service"),
    ):
        Remote(there.url).current()


def test_a_service_that_is_loading_is_waited_for() -> None:
    with standing_in(problem(LOADING, Retry_After="1"), GOOD) as there:
        began = time.monotonic()
        assert Remote(there.url)(PHOTO) == PREDICTION
        assert time.monotonic() - began >= 1
    assert len(there.asked) == 2


@pytest.mark.parametrize("retry_after", ["0", "3600", "999999999"])
def test_a_service_that_loads_for_ever_is_given_up_in_time(
    retry_after: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote, "LOAD_SECONDS", 0.5)
    with (
        standing_in(problem(LOADING, Retry_After=retry_after)) as there,
        pytest.raises(ServiceNotReady, match=str(LOADING)),
    ):
        Remote(there.url)(PHOTO)
    assert len(there.asked) == 1


# The whole of a page's kernel, with a service of the machine's own.
KERNEL = """
import os, sys
import psutil
from voilearn.client.this_machine import connect
from voilearn.notebook.widget import Page, show_errors
show_errors()
page = Page(connect(sys.argv[1]))
print(page._classify(open(sys.argv[2], "rb").read()).model.name)
print(*sorted({name.split(".")[0] for name in sys.modules}))
print(psutil.Process().memory_full_info().uss)
"""


def test_a_pages_kernel_loads_nothing_that_runs_a_model(machine: Machine, onnx: Path) -> None:
    photo = machine.place / "photo.jpg"
    photo.write_bytes(PHOTO)
    command = [sys.executable, "-c", KERNEL, str(onnx), str(photo)]
    run = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    answer, modules, private = run.stdout.splitlines()
    assert answer == "colours"
    assert run.stderr == ""
    models = {"torch", "fastai", "timm", "numpy", "matplotlib", "onnxruntime", "onnx"}
    assert not models & set(modules.split())
    assert not {"fastapi", "uvicorn", "starlette"} & set(modules.split())
    assert int(private) < 60e6, "39 MB where it was measured; a model takes 100 and more"
    assert len(machine.services()) == 1
