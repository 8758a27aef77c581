"""Which model an image has, and how it came there: `make containers`."""

import functools
import hashlib
import http.server
import json
import shutil
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")

from tests.conftest import ROOT
from tests.deploy import containers
from tests.deploy.containers import BARE, BASE, CERTIFICATES, IMAGE, RED, ready, running, size_of
from tests.serving import ask
from tests.waiting import wait_for

pytestmark = pytest.mark.containers

ABOVE_THE_BASE = 200e6  # bytes, and the model
SHA256 = hashlib.sha256((ROOT / "export.pkl").read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    containers.tools_needed()
    scratch = tmp_path_factory.mktemp("models")
    containers.make_base(scratch)
    return containers.copy_of_the_checkout(scratch / "context")


def built(checkout: Path, kind: str, *options: str) -> str:
    """Return the name of an image; what several have in common is built once."""
    name = f"{IMAGE}-{kind}"
    containers.build(checkout, name, "--layers", "--file", "deploy/Dockerfile", *options)
    return name


def answer_of(image: str, *options: str) -> tuple[str, list[str]]:
    """Return the SHA-256 of the model that answers in a container, and the labels it knows."""
    with running(image, *BARE, *options) as there:
        wait_for(lambda: ready(there.url))
        status, body = ask(there.url, "POST", "/v1/classify", RED)
        told = json.loads(body)
        assert status == 200, told
        assert there.stop() == 0
    return told["model"]["sha256"], sorted(told["probabilities"])


def is_of_the_bears(answer: tuple[str, list[str]]) -> bool:
    return answer == (SHA256, ["black", "grizzly", "teddy"])


def test_an_export_is_compiled_in_the_build_and_left_behind(checkout: Path) -> None:
    image = built(checkout, "pkl", "--build-arg", "MODEL=pkl")
    assert is_of_the_bears(answer_of(image))
    assert size_of(image) - size_of(BASE) <= ABOVE_THE_BASE + (ROOT / "export.pkl").stat().st_size


@pytest.fixture
def https(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Serve export.pkl; give the address, and certificates with which it is believed."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    asked = ["-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=here"]
    files = ["-keyout", str(key), "-out", str(certificate)]
    containers.run("openssl", "req", *asked, "-addext", "subjectAltName=IP:127.0.0.1", *files)
    believed = tmp_path / "certs"
    shutil.copytree(CERTIFICATES, believed)
    with (believed / "ca-certificates.crt").open("a") as bundle:
        bundle.write(certificate.read_text())
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(ROOT))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{server.server_address[1]}/export.pkl", believed
        server.shutdown()


def test_an_export_is_downloaded_if_it_is_the_one_that_was_meant(
    checkout: Path, https: tuple[str, Path]
) -> None:
    url, believed = https
    options = ("--build-arg", "MODEL=url", "--build-arg", f"MODEL_URL={url}")
    mount = ("--volume", f"{believed}:{CERTIFICATES}:ro")
    with pytest.raises(AssertionError, match="is another file: its SHA-256 is"):
        built(checkout, "url", *mount, *options, "--build-arg", f"MODEL_SHA256={'0' * 64}")
    image = built(checkout, "url", *mount, *options, "--build-arg", f"MODEL_SHA256={SHA256}")
    assert is_of_the_bears(answer_of(image))


def test_a_learner_that_does_not_compile_answers_by_pytorch(checkout: Path) -> None:
    image = built(checkout, "learner", "--target", "learner")
    assert is_of_the_bears(answer_of(image, "--tmpfs=/tmp"))


def test_an_image_without_a_model_has_it_mounted(checkout: Path, tmp_path: Path) -> None:
    image = built(checkout, "none", "--build-arg", "MODEL=none")
    containers.run("podman", "create", "--name", f"voilearn-{tmp_path.name}", f"{IMAGE}-pkl")
    try:
        containers.run("podman", "cp", f"voilearn-{tmp_path.name}:/model", str(tmp_path))
    finally:
        containers.run("podman", "rm", f"voilearn-{tmp_path.name}")
    assert is_of_the_bears(answer_of(image, "--volume", f"{tmp_path / 'model'}:/model:ro"))
