"""Other people's clients of the Open Inference Protocol, unchanged, against `voilearn serve`."""

import base64
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("tritonclient.http")

import numpy as np
import tritonclient.http as triton

from tests import onnx_files
from tests.conftest import ROOT, encode
from tests.serving import ask
from tests.waiting import ended, wait_for
from voilearn import __version__

SERVE = [sys.executable, "-m", "voilearn", "serve"]
RED, BLUE = (
    encode(Image.new("RGB", (40, 30), colour), "PNG") for colour in ((250, 0, 0), (0, 0, 250))
)
BAD = RED[:60]  # cut short
CLASSES = ["blue", "green", "red"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where a service of the colours is."""
    path = onnx_files.write(tmp_path_factory.mktemp("model"), onnx_files.model())
    process = subprocess.Popen(
        [*SERVE, "--model", str(path), "--port", "0"],
        cwd=path.parent,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout
    try:
        said = ""
        for line in process.stdout:
            said += line
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                break
        else:
            pytest.fail(f"it ended: {said}")
        # Its log goes on, and a full pipe would stop it.
        threading.Thread(target=process.stdout.read, daemon=True).start()
        _wait(found[0])
        yield found[0]
    finally:
        process.terminate()
        ended(process)


def _wait(address: str) -> None:
    wait_for(lambda: ask(address, "GET", "/readyz")[0] == 200)


@pytest.fixture
def client(address: str) -> Iterator[Any]:
    with triton.InferenceServerClient(address.removeprefix("http://"), concurrency=4) as client:
        yield client


def photo(*photos: bytes, binary: bool = True, column: bool = False) -> list[Any]:
    """What a request has as its inputs."""
    texts = photos if binary else [base64.b64encode(each) for each in photos]
    shape = [len(photos), 1] if column else [len(photos)]
    tensor = triton.InferInput("photo", shape, "BYTES")
    tensor.set_data_from_numpy(np.array(texts, dtype=np.object_).reshape(shape), binary)
    return [tensor]


def wanted(binary: bool, *names: str) -> list[Any]:
    return [triton.InferRequestedOutput(name, binary_data=binary) for name in names]


def labels_of(result: Any) -> list[str]:
    """The labels, checked against the probabilities."""
    numbers = result.as_numpy("probabilities")
    assert numbers.dtype == np.float32
    assert np.allclose(numbers.sum(axis=1), 1, atol=1e-5)
    labels = [each if isinstance(each, str) else each.decode() for each in result.as_numpy("label")]
    assert labels == [CLASSES[at] for at in numbers.argmax(axis=1)]
    return labels


def test_the_server_and_its_model_are_ready(client: Any) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("colours")
    assert client.is_model_ready("colours", "1")
    assert not client.is_model_ready("colours", "2")
    assert not client.is_model_ready("none")


def test_the_metadata_says_what_comes_in_and_out(client: Any) -> None:
    assert client.get_server_metadata() == {
        "name": "voilearn",
        "version": __version__,
        "extensions": ["binary_tensor_data"],
    }
    for version in ("", "1"):
        told = client.get_model_metadata("colours", version)
        assert (told["name"], told["versions"]) == ("colours", ["1"])
        assert told["inputs"][0]["name"] == "photo"
        assert told["outputs"][0]["parameters"]["classes"] == CLASSES
    with pytest.raises(triton.InferenceServerException, match='There is no model "none" here'):
        client.get_model_metadata("none")


@pytest.mark.parametrize("column", [False, True], ids=["row", "column"])
@pytest.mark.parametrize("outputs", [None, True, False], ids=["all", "binary", "json"])
@pytest.mark.parametrize("inputs", [True, False], ids=["binary", "base64"])
def test_photos_are_answered(inputs: bool, outputs: bool | None, column: bool, client: Any) -> None:
    result = client.infer(
        "colours",
        photo(RED, BLUE, RED, binary=inputs, column=column),
        outputs=None if outputs is None else wanted(outputs, "label", "probabilities"),
        request_id="mine",
    )
    assert labels_of(result) == ["red", "blue", "red"]
    assert result.get_response()["id"] == "mine"
    assert (result.as_numpy("labels") is None) == (outputs is not None)


def test_each_output_comes_as_it_is_asked_for(client: Any) -> None:
    outputs = [*wanted(False, "label"), *wanted(True, "probabilities"), *wanted(False, "labels")]
    result = client.infer("colours", photo(BLUE), "1", outputs)
    assert labels_of(result) == ["blue"]
    assert result.get_output("label")["data"] == ["blue"]
    assert result.get_output("labels")["data"] == [True, False, False]
    assert result.get_output("probabilities")["parameters"] == {"binary_data_size": 12}


def test_requests_at_the_same_time_get_their_own_answers(client: Any) -> None:
    asked = [RED, BLUE, BLUE, RED] * 2
    waiting = [client.async_infer("colours", photo(each)) for each in asked]
    found = [labels_of(each.get_result()) for each in waiting]
    assert found == [["red"], ["blue"], ["blue"], ["red"]] * 2


@pytest.mark.parametrize("way", ["gzip", "deflate"])
def test_a_packed_request_is_unpacked(way: str, client: Any) -> None:
    result = client.infer(
        "colours",
        photo(RED, BLUE),
        request_compression_algorithm=way,
        response_compression_algorithm=way,
    )
    assert labels_of(result) == ["red", "blue"]


def test_a_bad_photo_is_told_with_its_number(client: Any) -> None:
    with pytest.raises(triton.InferenceServerException, match=r"^\[422\] This picture is damaged"):
        client.infer("colours", photo(BAD))
    with pytest.raises(triton.InferenceServerException, match=r"Photo 2 of 3: This picture is dam"):
        client.infer("colours", photo(RED, BAD, BLUE))
    with pytest.raises(triton.InferenceServerException, match=r"^\[415\] "):
        client.async_infer("colours", photo(b"no picture")).get_result()


def test_a_wrong_request_is_told(client: Any) -> None:
    tensor = triton.InferInput("image", [1], "BYTES")
    tensor.set_data_from_numpy(np.array([RED], dtype=np.object_))
    with pytest.raises(triton.InferenceServerException, match="it must be photo") as told:
        client.infer("colours", [tensor])
    assert told.value.status() == "400"
    with pytest.raises(triton.InferenceServerException, match="takes 1 to 16"):
        client.infer("colours", photo(*[RED] * 17))
    with pytest.raises(triton.InferenceServerException, match="There is no model"):
        client.infer("none", photo(RED))
    classes = [triton.InferRequestedOutput("probabilities", class_count=2)]
    with pytest.raises(triton.InferenceServerException, match="Leave class_count out"):
        client.infer("colours", photo(RED), outputs=classes)


@pytest.fixture(scope="module")
def kserve(address: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What kserve's client was answered, from an environment of its own: it wants older pandas,
    protobuf and psutil than are here."""
    folder = tmp_path_factory.mktemp("kserve")
    python = os.environ.get("VOILEARN_KSERVE_PYTHON")
    if python is None:
        subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
        scripts = "Scripts" if os.name == "nt" else "bin"
        python = str(folder / "venv" / scripts / "python")
        command = [python, "-m", "pip", "install", "--quiet", "kserve>=0.21"]
        subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    files = []
    for name, data in {"red": RED, "blue": BLUE, "bad": BAD}.items():
        files.append(folder / f"{name}.png")
        files[-1].write_bytes(data)
    run = subprocess.run(
        [python, Path(__file__).with_name("kserve_client.py"), address, *files],
        capture_output=True,
        text=True,
        env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
    )
    assert run.returncode == 0, run.stderr
    found: dict[str, Any] = json.loads(run.stdout.splitlines()[-1])
    return found


@pytest.mark.slow
def test_kserve_finds_the_service_ready(kserve: dict[str, Any]) -> None:
    assert [kserve[name] for name in ("live", "ready", "model")] == [True] * 3
    assert not kserve["no model"]


@pytest.mark.slow
@pytest.mark.parametrize("way", ["json", "binary", "binary both ways", "binary in, json out"])
def test_kserve_gets_its_answers(way: str, kserve: dict[str, Any]) -> None:
    told = kserve[way]
    assert (told["id"], told["model"]) == ("mine", "colours")
    assert told["label"] == ["red", "blue"]
    assert [CLASSES[each.index(max(each))] for each in told["probabilities"]] == ["red", "blue"]


@pytest.mark.slow
def test_kserve_sends_what_it_is_given_as_well(kserve: dict[str, Any]) -> None:
    assert kserve["dict"]["label"] == ["red"]
    assert [told["label"] for told in kserve["several"]] == [["red"], ["blue"]] * 4


@pytest.mark.slow
def test_kserve_tells_our_sentences(kserve: dict[str, Any]) -> None:
    assert re.match(r"Photo 2 of 2: This picture is damaged .*, '422 ", kserve["bad"])
    assert kserve["unknown"].startswith('There is no model "none" here')
