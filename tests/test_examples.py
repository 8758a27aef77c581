"""The examples run as they stand, as real processes, and are as short as they say."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests import onnx_files
from tests.compiled.test_load import BLUE, RED
from tests.conftest import ROOT

WATCH = ROOT / "examples" / "watch.py"


@contextmanager
def watching(*arguments: str | Path, path: str = "") -> Iterator[subprocess.Popen[str]]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{path}:{os.environ['PATH']}"}
    command = [sys.executable, WATCH, *arguments]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_the_example_has_at_most_40_lines() -> None:
    assert len(WATCH.read_text().splitlines()) <= 40


def test_new_photos_in_a_folder_are_answered(tmp_path: Path) -> None:
    model, folder = onnx_files.write(tmp_path, onnx_files.model()), tmp_path / "photos"
    folder.mkdir()
    (folder / "before.png").write_bytes(RED)
    with watching(model, folder) as process:
        # It has looked at what was there once it answers of what it finds new.
        for number in range(200):
            (folder / f"new{number}.png").write_bytes(BLUE)
            if process.poll() is not None or _readable(process):
                break
        assert line(process).startswith("new")
        (folder / "zz.png").write_bytes(RED)
        (folder / "zzz.txt").write_text("no photo")
        rest = iter(lambda: line(process), "")
        answers = dict(text.split(": ", 1) for text in _until(rest, "zzz.txt"))
    assert answers["zz.png"].startswith("red ")
    assert answers["zzz.txt"].startswith("This file is not a picture")
    assert "before.png" not in answers


def _readable(process: subprocess.Popen[str]) -> bool:
    assert process.stdout is not None
    return bool(select.select([process.stdout], [], [], 0.2)[0])


def _until(lines: Iterator[str], name: str) -> Iterator[str]:
    for text in lines:
        yield text
        if text.startswith(name):
            return


def test_what_the_camera_sees_is_answered(tmp_path: Path) -> None:
    """With a program in the camera's place, for there is none here."""
    model = onnx_files.write(tmp_path, onnx_files.model())
    (tmp_path / "photo").write_bytes(BLUE)
    camera = tmp_path / "rpicam-still"
    camera.write_text(f'#!/bin/sh\ncat "{tmp_path}/photo"\n')
    camera.chmod(0o755)
    with watching(model, "--camera", path=str(tmp_path)) as process:
        assert " blue " in line(process)
        assert " blue " in line(process)
