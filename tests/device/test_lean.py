"""The runtime without what no model calls: the same binary but for the bodies of functions."""

import gzip
import hashlib
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from voilearn.device import lean as module
from voilearn.device.lean import ENDS, Called, bodies, lean, leb128, number, sections, with_bodies
from voilearn.device.npm import RUNTIME, get_package
from voilearn.errors import CannotBuild


@pytest.fixture(scope="module")
def runtime() -> bytes:
    try:
        return gzip.decompress(get_package(RUNTIME, None, print).binary.packed)
    except CannotBuild as error:
        pytest.skip(str(error))


def test_what_was_found_out_is_of_the_runtime_that_is_pinned(runtime: bytes) -> None:
    called = Called.read()
    assert called.sha256 == hashlib.sha256(runtime).hexdigest()
    assert 1000 < len(called.functions) < len(bodies(runtime))
    assert {"Conv", "Gemm", "MatMul", "Relu", "Softmax"} <= called.operators


def test_functions_that_are_called_stay_and_the_others_end(runtime: bytes, tmp_path: Path) -> None:
    called = Called.read()
    made = lean(runtime, {"Conv", "Softmax"})
    assert made is not None
    for at, (before, after) in enumerate(zip(bodies(runtime), bodies(made), strict=True)):
        assert after == (before if at in called.functions else ENDS)
    others = [
        [(kind, content) for kind, content in sections(binary) if kind != module.CODE]
        for binary in (runtime, made)
    ]
    assert others[0] == others[1]
    assert len(gzip.compress(made)) < 0.5 * len(gzip.compress(runtime))
    if shutil.which("node"):
        (tmp_path / "lean.wasm").write_bytes(made)
        script = "WebAssembly.compile(require('fs').readFileSync('lean.wasm'))"
        done = subprocess.run(["node", "-e", script], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_a_model_with_other_operators_and_another_runtime_have_the_whole(
    runtime: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lean(runtime, {"Conv", "Cosh"}) is None
    assert lean(runtime + b"\0\0", {"Conv"}) is None
    other = replace(Called.read(), sha256="0")
    monkeypatch.setattr(Called, "read", classmethod(lambda cls: other))
    assert lean(runtime, {"Conv"}) is None


def test_a_binary_with_the_same_bodies_is_the_same(runtime: bytes) -> None:
    assert with_bodies(runtime, bodies(runtime)) == runtime


def test_what_was_found_out_is_read_as_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CALLED", tmp_path / "called.json")
    for functions in ({0}, {7, 8, 300}, set(range(50))):
        called = Called("abc", frozenset({"Conv", "Add"}), frozenset(functions))
        called.write()
        assert Called.read() == called


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 16384, 14_239_897, 2**32 - 1])
def test_numbers_are_written_as_they_are_read(value: int) -> None:
    written = leb128(value)
    assert number(b"\xff" + written + b"\xff", 1) == (value, 1 + len(written))
