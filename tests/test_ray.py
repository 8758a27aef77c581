"""The service on Ray Serve: what it takes, and that it answers where Ray is installed.

`benchmarks/on_ray.py` kills its replicas.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from PIL import Image

from tests import onnx_files
from tests.conftest import ROOT, encode
from voilearn import ray

ONE = """
import sys, urllib.request
import ray
from ray import serve
from voilearn.ray import build
model, port, photo = sys.argv[1:]
ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
serve.start(http_options={"host": "127.0.0.1", "port": int(port)})
serve.run(build({"model": model}), route_prefix="/")
request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/classify", open(photo, "rb").read())
print(urllib.request.urlopen(request).read().decode())
serve.shutdown()
"""


@pytest.mark.parametrize(
    "arguments",
    [{}, {"modle": "x"}, {"model": "x", "workers": "2"}, {"model": "x", "cores": "many"}],
)
def test_arguments_that_are_none_are_told(arguments: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        ray.build(arguments)


def test_a_service_that_is_not_there_is_not_healthy() -> None:
    assert ray.hindrance() == "loading"


@pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="Ray is not here: pip install voilearn[ray]"
)
def test_it_answers_on_ray(tmp_path: Path) -> None:
    from tests.ports import free_port

    model = onnx_files.write(tmp_path, onnx_files.model())
    photo = tmp_path / "red.jpg"
    photo.write_bytes(encode(Image.new("RGB", (40, 30), (250, 0, 0)), "JPEG"))
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}
    command = [sys.executable, "-c", ONE, str(model), str(free_port()), str(photo)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["label"] == "red"
