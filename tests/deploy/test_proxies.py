"""The proxies' files, each before a real service: photos, the page, what it listens to, logins."""

import base64
import json
import subprocess
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from PIL import Image

from benchmarks.proxies import PROXIES, program_of, proxied
from tests import onnx_files
from tests.conftest import ROOT, encode
from tests.serving import Serving, ask, serving
from tests.waiting import WITHIN
from voilearn.client.remote import Remote

RED = Image.new("RGB", (40, 30), (250, 0, 0))
COMPOSE = ROOT / "deploy" / "compose" / "Caddyfile"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return onnx_files.write(tmp_path_factory.mktemp("model"), onnx_files.model())


@pytest.fixture(scope="module")
def service(model: Path) -> Iterator[Serving]:
    with serving(model, "--drain", "0") as service:
        yield service


@pytest.fixture(scope="module", params=PROXIES)
def proxy(request: pytest.FixtureRequest, service: Serving) -> Iterator[tuple[str, Path]]:
    """A proxy's address, and the folder that it works in."""
    if program_of(request.param) is None:
        pytest.skip(f"{request.param} is not here: {PROXIES[request.param].install}")
    with proxied(request.param, [service.port]) as (port, folder):
        yield f"http://127.0.0.1:{port}", folder


def large() -> bytes:
    """A photo of 12 megapixels and some megabytes, as a phone takes it."""
    noise = Image.effect_noise((1000, 750), 40).resize((4000, 3000)).convert("RGB")
    return encode(Image.blend(noise, Image.new("RGB", noise.size, (250, 0, 0)), 0.5), "JPEG")


def test_a_photo_of_any_size_passes_and_none_is_written_to_disk(proxy: tuple[str, Path]) -> None:
    url, folder = proxy
    photo = large()
    assert len(photo) > 1_000_000  # more than nginx lets through by itself
    for each in (encode(RED, "JPEG"), photo):
        status, body = ask(url, "POST", "/v1/classify", each)
        assert (status, json.loads(body)["label"]) == (200, "red")
    for log in (folder / "errors", folder / "log"):
        assert not log.exists() or "temporary file" not in log.read_text(errors="replace")
    assert not any(each.is_file() for each in folder.glob("bodies/**/*"))


def test_too_large_a_photo_is_refused_by_one_of_both(proxy: tuple[str, Path]) -> None:
    try:
        status, _ = ask(proxy[0], "POST", "/v1/classify", bytes(60_000_000))
    except OSError:
        return  # the connection was ended while it was sent
    assert status == 413


def test_the_page_and_the_documentation_are_there(proxy: tuple[str, Path]) -> None:
    for route, text in (("/", b"<main"), ("/docs", b"swagger"), ("/openapi.json", b"openapi")):
        status, body = ask(proxy[0], "GET", route)
        assert (status, text in body) == (200, True), route


def test_what_an_open_page_is_told_comes_at_once(proxy: tuple[str, Path]) -> None:
    came = threading.Event()

    def listen() -> None:
        with urllib.request.urlopen(f"{proxy[0]}/v1/events", timeout=WITHIN) as answer:
            if answer.readline():
                came.set()

    threading.Thread(target=listen, daemon=True).start()
    assert came.wait(WITHIN)


def test_a_login_at_the_proxy_stands_for_the_services_token(model: Path) -> None:
    if (caddy := program_of("Caddy")) is None:
        pytest.skip(f"Caddy is not here: {PROXIES['Caddy'].install}")
    done = subprocess.run(
        [caddy, "hash-password", "--plaintext", "secret"],
        capture_output=True,
        text=True,
        check=True,
    )
    said = {"LOGIN": "ann", "PASSWORD_HASH": done.stdout.strip(), "VOILEARN_TOKEN": "a-token"}
    photo = encode(RED, "JPEG")
    with (
        serving(model, "--token", "a-token", "--drain", "0", ready=True) as service,
        proxied("Caddy", [service.port], COMPOSE, **said) as (port, _),
    ):
        url = f"http://127.0.0.1:{port}"
        assert ask(url, "POST", "/v1/classify", photo)[0] == 401
        login = base64.b64encode(b"ann:secret").decode()
        status, _ = ask(url, "POST", "/v1/classify", photo, Authorization=f"Basic {login}")
        assert status == 200
        wrong = base64.b64encode(b"ann:wrong").decode()
        assert ask(url, "GET", "/", Authorization=f"Basic {wrong}")[0] == 401
        assert Remote(f"http://ann:secret@127.0.0.1:{port}")(photo).label == "red"
