"""`voilearn classify`: lines in the order of the names, on all cores, and each way to end."""

import csv
import json
import os
import shlex
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests import onnx_files
from tests.compiled.test_load import BLUE, RED
from tests.conftest import ROOT
from tests.documents import commands, here
from tests.services import GOOD, PREDICTION, problem, response, standing_in
from tests.waiting import WITHIN, ended, line_of
from voilearn.cli import main
from voilearn.errors import ServiceBusy, TokenRefused
from voilearn.prediction import Prediction
from voilearn.shell import patience

COLOURS = ["classify", "--model", "export.onnx"]
TOLD = response(body=json.dumps(PREDICTION.model.to_dict()).encode())
NAMES = [f"photos/{number}.png" for number in range(10)]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The current folder: a model of colours, and a folder of ten photos of two of them."""
    monkeypatch.chdir(tmp_path)
    onnx_files.write(tmp_path, onnx_files.model())
    Path("photos").mkdir()
    for number, name in enumerate(NAMES):
        Path(name).write_bytes(BLUE if number % 3 else RED)


@contextmanager
def running(*command: str, **streams: object) -> Iterator["subprocess.Popen[str]"]:
    """A command of Python as a process of its own, with all its outputs in pipes."""
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE) | streams
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen([sys.executable, *command], env=environment, text=True, **streams)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_a_folder_is_a_line_a_photo_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*COLOURS, "photos"]) == 0
    lines = capsys.readouterr().out.splitlines()
    colours = ["blue" if number % 3 else "red" for number in range(10)]
    began = [f"{name}: {colour} " for name, colour in zip(NAMES, colours, strict=True)]
    assert [line.startswith(begin) for line, begin in zip(lines, began, strict=True)] == [True] * 10


@pytest.mark.parametrize("how", ["--json", "--csv"])
def test_a_photo_that_can_not_be_read_is_a_line_and_the_rest_go_on(
    how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("photos/3.png").write_bytes(b"no picture")
    Path("empty").mkdir()
    assert main([*COLOURS, how, "photos", "empty", "gone.jpg"]) == 1
    out = capsys.readouterr().out
    if how == "--json":
        lines = [json.loads(line) for line in out.splitlines()]
        wrong = [line["photo"] for line in lines if "error" in line]
    else:
        heading, *rows = csv.reader(out.splitlines())
        assert heading == [
            "photo",
            "label",
            "labels",
            "probability",
            "error",
            *onnx_files.CLASSES,
            "in_scope",
        ]
        lines = [dict(zip(heading, row, strict=True)) for row in rows]
        wrong = [line["photo"] for line in lines if line["error"]]
    assert [line["photo"] for line in lines] == [*NAMES, "empty", "gone.jpg"]
    assert wrong == ["photos/3.png", "empty", "gone.jpg"]


@pytest.mark.parametrize(
    "wrong",
    [
        ["--json", "--csv", "a.jpg"],
        ["--service", "http://127.0.0.1", "--model", "export.pkl", "a.jpg"],
        ["--service", "http://127.0.0.1", "--service", "http://127.0.0.1", "a.jpg"],
        ["--service", "http://127.0.0.1", "--trust", "a.jpg"],
        ["-", "-"],
        ["-", "a.jpg", "/dev/stdin"],
    ],
)
def test_what_contradicts_itself_is_wrong_usage(wrong: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["classify", *wrong])
    assert caught.value.code == 2


def test_as_many_photos_are_looked_at_at_once_as_there_are_cores(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    together = threading.Barrier(3)

    class Model(SimpleNamespace):
        def __call__(self, photo: bytes) -> Prediction:
            together.wait(WITHIN)
            return PREDICTION

    monkeypatch.setattr("voilearn.machine.granted_cores", lambda: 3)
    model = Model(info=PREDICTION.model, agreement=None)
    monkeypatch.setattr("voilearn.model.load_classify", lambda *_, **__: model)
    assert main([*COLOURS, *NAMES[:9]]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 9


def test_a_service_is_asked_with_the_token(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("VOILEARN_TOKEN", "secret")
    with standing_in(TOLD, GOOD) as there:
        assert main(["classify", "--csv", "--service", there.url, "photos"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.endswith(",a,b,in_scope")
    assert [row.split(",")[:2] for row in rows] == [[name, "b"] for name in NAMES]
    assert all(b"\r\nAuthorization: Bearer secret\r\n" in asked for asked in there.asked)


def test_a_service_that_is_full_is_asked_again(capsys: pytest.CaptureFixture[str]) -> None:
    full = problem(ServiceBusy("Full."), Retry_After="0")
    with standing_in(TOLD, full, GOOD, full, full, GOOD) as there:
        assert main(["classify", "--service", there.url, "photos"]) == 0
        assert len(there.asked) == 14
    assert len(capsys.readouterr().out.splitlines()) == 10


@pytest.mark.parametrize("url", ["http://127.0.0.1:1", "no-address", ""])
def test_a_service_that_is_none_is_one_sentence(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["classify", "--service", url, "photos"]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert "http://127.0.0.1:1" in told.err if "1:1" in url else "--service is not" in told.err
    assert "VOILEARN_URL" not in told.err


def test_a_service_that_refuses_the_token_is_one_sentence_and_no_line_a_photo(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with standing_in(TOLD, problem(TokenRefused("The token is wrong."))) as there:
        assert main(["classify", "--service", there.url, "photos"]) == 1
    told = capsys.readouterr()
    assert (told.out, told.err.count("\n")) == ("", 1)
    assert "VOILEARN_TOKEN" in told.err


def test_a_service_that_dies_midway_is_a_line_for_each_photo_that_is_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(patience, "GONE_SECONDS", 0.0)
    monkeypatch.setattr(patience, "AT_ONCE", 1)
    with standing_in(TOLD, GOOD, GOOD, lambda one: one.close()) as there:
        assert main(["classify", "--json", "--service", there.url, "photos"]) == 1
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["photo"] for line in lines] == NAMES
    assert [line.get("error", {}).get("type") for line in lines] == [None] * 2 + ["Lost"] * 8


def test_an_interrupt_ends_it_at_once_with_what_is_done_printed() -> None:
    """The second photo never comes, so a thread waits for it and can't be ended."""
    with running("-m", "voilearn", *COLOURS, NAMES[0], "-", *NAMES[1:]) as process:
        assert line_of(process.stdout).startswith(f"{NAMES[0]}: red")
        process.send_signal(signal.SIGINT)
        assert ended(process) == 130
        assert process.stdout and process.stderr
        rest = [line.split(":")[0] for line in process.stdout]
        assert rest == NAMES[1 : 1 + len(rest)]
        assert process.stderr.read() == ""


def test_an_interrupt_while_the_model_loads_is_no_traceback() -> None:
    """Nor an error of the library that it meets, as pybind11 makes it of one in an import."""
    script = (
        "import sys, time, voilearn.model; from voilearn.cli import main\n"
        "def load(*_, **__):\n"
        "    print('loading', flush=True)\n"
        "    try:\n"
        "        time.sleep(999)\n"
        "    except BaseException as error:\n"
        "        raise ImportError('initialization failed') from error\n"
        "voilearn.model.load_classify = load\n"
        f"sys.exit(main({[*COLOURS, 'photos']!r}))"
    )
    with running("-c", script) as process:
        assert line_of(process.stdout) == "loading\n"
        process.send_signal(signal.SIGINT)
        assert ended(process) == 130
        assert process.stderr and process.stderr.read() == ""


@pytest.mark.parametrize("how", ["head", "full"])
def test_a_reader_that_has_gone_and_a_full_disk_end_it_in_the_middle(how: str) -> None:
    if how == "full" and not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    read, write = os.pipe()
    out = os.open("/dev/full", os.O_WRONLY) if how == "full" else write
    with running("-m", "voilearn", *COLOURS, *["photos"] * 20, stdout=out) as process:
        if how == "head":
            assert os.read(read, 1)
        for each in {read, write, out}:
            os.close(each)
        assert ended(process) == 1
        told = "voilearn: Nothing can be written out: No space left on device.\n"
        assert process.stderr and process.stderr.read() == (told if how == "full" else "")


@pytest.mark.parametrize("camera", commands("camera"))
@pytest.mark.parametrize("command", commands("watch"))
def test_what_a_camera_sees_is_answered_as_the_documents_tell(command: str, camera: str) -> None:
    """With a program in the camera's place, for there is none here."""
    Path("bin").mkdir()
    Path("bin/rpicam-still").write_text('#!/bin/sh\nshift 3\ncp photos/0.png "$1"\n')
    Path("bin/rpicam-still").chmod(0o755)
    path = f"{Path('bin').absolute()}:{os.environ['PATH']}"
    seeing = subprocess.Popen(["sh", "-c", camera], env={**os.environ, "PATH": path})
    try:
        with running(*shlex.split(here(command))[1:]) as process:
            for _ in range(2):
                assert line_of(process.stdout).startswith("photos/now.jpg: red (")
            process.send_signal(signal.SIGINT)
            assert ended(process) == 130
    finally:
        seeing.kill()
        seeing.wait()
