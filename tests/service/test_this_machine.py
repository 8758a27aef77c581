"""The machine's own service: joined or started, ended, killed, hung, in the way; real processes."""

import errno
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest

from tests import serving
from tests.conftest import ROOT
from tests.services import (
    GOOD,
    PHOTO,
    Machine,
    ask,
    end,
    free_port,
    response,
    standing_in,
    wait_for,
)
from tests.waiting import WITHIN, line_of
from voilearn import runtime_folder
from voilearn.client import remote
from voilearn.client import this_machine as client
from voilearn.client.this_machine import connect
from voilearn.errors import ServiceNotReady, ServiceUnreachable, UnusableFolder, UnusableModel
from voilearn.model import load_classify
from voilearn.model_file import model_sha256
from voilearn.runtime_folder import Entry
from voilearn.wire import proof

onnx_files: Any = pytest.importorskip("tests.onnx_files", reason="onnx is not installed")
pytest.importorskip("onnxruntime")
pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="signals, users and modes of POSIX"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
ROOT_USER = hasattr(os, "geteuid") and os.geteuid() == 0


def write(folder: Path, name: str = "colours", **changes: Any) -> Path:
    """Write a model file whose answers carry a name, and its export.json, in one step each."""
    part = folder / "part"
    part.mkdir(parents=True)
    info = {**onnx_files.description(b"")["model"], "name": name}
    onnx_files.write(part, onnx_files.model(), model=info, **changes)
    (part / "export.json").replace(folder / "export.json")
    (part / "export.onnx").replace(folder / "export.onnx")
    part.rmdir()
    return folder / "export.onnx"


@pytest.fixture
def onnx(tmp_path: Path) -> Path:
    return write(tmp_path / "app")


def together(asking: list[Callable[[], Any]]) -> list[Any]:
    """Do all at the same moment, each in a thread; return what they return or raise."""
    found: list[Any] = [None] * len(asking)
    barrier = threading.Barrier(len(asking))

    def do(at: int) -> None:
        barrier.wait()
        try:
            found[at] = asking[at]()
        except BaseException as error:
            found[at] = error

    threads = [threading.Thread(target=do, args=[at]) for at in range(len(asking))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


# --- joined or started ---


def test_twenty_processes_at_the_same_moment_get_one_service(machine: Machine, onnx: Path) -> None:
    kernels = [machine.kernel(onnx) for _ in range(20)]
    try:
        for kernel in kernels:
            assert line_of(kernel.stdout) == "here\n"
        answers = together([lambda kernel=kernel: ask(kernel) for kernel in kernels])  # type: ignore[misc]
        assert answers == ["colours"] * 20
        assert len(machine.services()) == 1
        (entry,) = machine.entries
        assert (machine.path / entry.name).stat().st_mode & 0o777 == 0o600
        assert machine.path.stat().st_mode & 0o777 == 0o700
        assert entry.model == str(onnx)
    finally:
        for kernel in kernels:
            end(kernel)
    assert machine.service().is_running(), "the one that started it has ended, it has not"


def test_twenty_threads_at_the_same_moment_get_one_service(machine: Machine, onnx: Path) -> None:
    answers = together([lambda: machine.model(onnx)(PHOTO).label] * 20)
    assert answers == ["red"] * 20
    assert len(machine.services()) == 1


def test_threads_that_share_a_classify_start_one_service_again(
    machine: Machine, onnx: Path
) -> None:
    classify = machine.model(onnx)
    machine.service().kill()
    assert [p.label for p in together([lambda: classify(PHOTO)] * 20)] == ["red"] * 20
    assert len(machine.services()) == 1


def test_connect_without_an_address_is_the_machines_own(
    machine: Machine, onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("VOILEARN_URL", "")
    monkeypatch.chdir(onnx.parent)
    classify = connect("export.onnx")
    assert classify(PHOTO) == load_classify(onnx)(PHOTO)
    assert machine.service().cmdline()[-1] == str(client.IDLE) == "600.0"
    assert machine.service().environ().get("VOILEARN_URL") is None


def test_another_file_and_another_release_have_services_of_their_own(
    machine: Machine, onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = write(machine.place / "other", "other")
    one, two = machine.model(onnx), machine.model(other)
    assert [one(PHOTO).model.name, two(PHOTO).model.name] == ["colours", "other"]
    assert len(machine.services()) == 2
    monkeypatch.setattr(runtime_folder, "__version__", "0.0.1")  # of this process
    assert one._found() is None
    assert len(machine.services()) == 2


def test_the_same_file_elsewhere_joins_until_either_is_replaced(
    machine: Machine, onnx: Path
) -> None:
    elsewhere = [write(machine.place / name) for name in "ab"]
    owner, a, b = (machine.model(path) for path in (onnx, *elsewhere))
    assert [each(PHOTO).model.name for each in (owner, a, b)] == ["colours"] * 3
    assert len(machine.services()) == 1
    write(machine.place / "a", "newer")  # one that joined
    assert [each(PHOTO).model.name for each in (owner, a, b)] == ["colours", "newer", "colours"]
    assert len(machine.services()) == 2
    write(onnx.parent, "newest")  # the one that it was started for
    wait_for(lambda: owner(PHOTO).model.name == "newest")
    assert [each(PHOTO).model.name for each in (owner, a, b)] == ["newest", "newer", "colours"]
    assert len(machine.services()) == 3
    assert len(machine.entries) == 3


def test_the_same_graph_with_other_words_for_its_classes_is_another_model(
    machine: Machine, onnx: Path
) -> None:
    """Only the export.json differs: the answers must not be those of the other."""
    there = write(machine.place / "translated", "farben")
    assert there.read_bytes() == onnx.read_bytes()
    one, other = machine.model(onnx), machine.model(there)
    assert [one(PHOTO).model.name, other(PHOTO).model.name] == ["colours", "farben"]


# --- its end ---


def test_it_shows_no_page_and_reads_no_words_for_one(machine: Machine, onnx: Path) -> None:
    (onnx.parent / "app.toml").write_text("this is no TOML")  # which is the notebook's to tell
    machine.model(onnx)(PHOTO)
    (entry,) = machine.entries
    bearer = f"Bearer {entry.token}"
    for route in ("/embed.js", "/v1/events", "/v1/examples"):
        assert serving.ask(entry.url, "GET", route, Authorization=bearer)[0] == 404
    assert serving.ask(entry.url, "GET", "/v1/model", Authorization=bearer)[0] == 200


def test_an_idle_service_ends_and_the_next_call_starts_it_again(
    machine: Machine, onnx: Path
) -> None:
    classify = machine.model(onnx, idle=3)
    for _ in range(2):
        assert classify(PHOTO).label == "red"
        assert (len(machine.services()), len(machine.entries)) == (1, 1)
        wait_for(lambda: not machine.is_left())
        assert machine.entries == []
    assert {path.name for path in machine.path.iterdir()} == {"lock", "services.log"}
    assert (machine.path / "services.log").read_text() == ""


def test_photos_keep_a_service_from_being_idle(machine: Machine, onnx: Path) -> None:
    classify = machine.model(onnx, idle=5)
    service, began = machine.service(), time.monotonic()
    while time.monotonic() - began < 8:
        classify(PHOTO)
        time.sleep(0.2)
    assert machine.service() == service


def test_a_service_that_is_about_to_end_is_not_joined(machine: Machine, onnx: Path) -> None:
    """It still answers, with the right proof, and that the connection is closed."""
    machine.model(onnx)
    (entry,) = machine.entries
    with standing_in(b"") as there:

        def ending(one: Any) -> None:
            challenge = there.asked[-1].lower().partition(b"x-voilearn-challenge: ")[2][:32]
            given = proof(entry.token, challenge.decode())
            one.sendall(response(503, Connection="close", X_Voilearn_Proof=given))

        there.answers[:] = [ending]
        machine.service().kill()
        machine.folder.write(replace(entry, url=there.url))
        assert machine.model(onnx)(PHOTO).label == "red"
        assert len(there.asked) == 1
    assert len(machine.services()) == 1


def test_sigterm_ends_it_and_its_entry(machine: Machine, onnx: Path) -> None:
    classify = machine.model(onnx)
    classify(PHOTO)
    machine.service().terminate()
    wait_for(lambda: not machine.is_left())
    assert machine.entries == []
    assert classify(PHOTO).label == "red"


# --- killed under load ---


class Load:
    """Threads that ask in a loop, each with a `Classify`; when each call that ended had begun."""

    def __init__(self, asking: list[Callable[[bytes], Any]]) -> None:
        self.calls, self.errors, self._stop = list[float](), list[Any](), False
        self._threads = [threading.Thread(target=self._ask, args=[each]) for each in asking]
        for thread in self._threads:
            thread.start()

    def _ask(self, classify: Callable[[bytes], Any]) -> None:
        while not self._stop:
            began = time.monotonic()
            try:
                classify(PHOTO)
            except BaseException as error:
                self.errors.append(error)
                return
            self.calls.append(began)

    def wait_for_answer(self, moment: float) -> None:
        """Wait until a call is answered that came after a moment."""
        wait_for(lambda: [began for began in self.calls if began > moment] or self.errors)
        assert self.errors == []

    def end(self) -> None:
        self._stop = True
        for thread in self._threads:
            thread.join()


def kill_under_load(machine: Machine, model: Path, times: int) -> None:
    """Kill the service that four threads ask, and again once it is another that answers."""
    shared = machine.model(model)
    shared(PHOTO)
    load = Load([shared, shared, machine.model(model), machine.model(model)])
    try:
        for _ in range(times):
            before = len(load.calls)
            wait_for(lambda before=before: len(load.calls) > before + 20 or load.errors)  # type: ignore[misc]
            killed = machine.service()
            killed.kill()
            killed.wait(WITHIN)
            load.wait_for_answer(time.monotonic())
            assert machine.service() != killed
    finally:
        load.end()
    assert load.errors == []
    assert len(machine.services()) == 1
    assert len(machine.entries) == 1


def test_killed_three_times_under_load_every_call_is_answered(machine: Machine, onnx: Path) -> None:
    kill_under_load(machine, onnx, 3)


@pytest.mark.model
def test_killed_under_load_with_the_real_export_every_call_is_answered(
    machine: Machine, export: Path
) -> None:
    kill_under_load(machine, export, 1)


# --- what an entry may name that is no service any more ---


def left(machine: Machine, onnx: Path, url: str, **changes: Any) -> Entry:
    entry = Entry(url, "a token of long ago", str(onnx), model_sha256(onnx), **changes)
    machine.folder.write(entry)
    return entry


def test_an_entry_of_a_dead_port_is_replaced(machine: Machine, onnx: Path) -> None:
    stale = left(machine, onnx, f"http://127.0.0.1:{free_port()}")
    assert machine.model(onnx)(PHOTO).label == "red"
    (entry,) = machine.entries
    assert (entry.name, len(machine.services())) == (stale.name, 1)
    assert entry.token != stale.token


@pytest.mark.parametrize(
    "answer",
    [
        GOOD,
        response(body=b"<html>", kind="text/html"),
        GOOD.replace(b"Fine\r\n", b"Fine\r\nX-Voilearn-Proof: " + b"0" * 64 + b"\r\n"),
        GOOD.replace(b"Fine\r\n", b"Fine\r\nX-Voilearn-Proof: \xe9\r\n"),
        b"220 mail.example.org ESMTP\r\n\r\n",
        lambda one: one.close(),
    ],
    ids=["a Prediction", "a page", "a wrong proof", "an odd proof", "no HTTP", "closes"],
)
def test_another_program_at_its_port_gets_no_photo_and_no_token(
    machine: Machine, onnx: Path, answer: Any
) -> None:
    with standing_in(answer) as there:
        stale = left(machine, onnx, there.url)
        assert machine.model(onnx)(PHOTO).model.name == "colours"
        assert len(there.asked) == 1
        assert there.asked[0].startswith(b"GET /readyz HTTP/1.1\r\n")
        assert stale.token.encode() not in there.asked[0]
        assert b"authorization" not in there.asked[0].lower()
        assert len(there.asked[0]) < 300
    assert len(machine.services()) == 1


def test_a_program_that_takes_the_port_of_a_service_in_use_gets_nothing_either(
    machine: Machine, onnx: Path
) -> None:
    classify = machine.model(onnx)
    classify(PHOTO)
    (entry,) = machine.entries
    machine.service().kill()
    wait_for(lambda: not machine.is_left())
    with standing_in(GOOD) as there:
        classify._joined = (entry, remote.Remote(there.url, entry.token, prove=True))
        assert classify(PHOTO).model.name == "colours"
        assert [asked.split(b" ")[:2] for asked in there.asked] == [[b"GET", b"/readyz"]]


def test_a_program_that_says_nothing_is_waited_for_a_while(
    machine: Machine, onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = remote.PROOF_SECONDS

    def silent(one: socket.socket) -> None:
        monkeypatch.setattr(remote, "PROOF_SECONDS", usual)  # for the service that is started then
        one.recv(1)

    monkeypatch.setattr(remote, "PROOF_SECONDS", 0.5)
    with standing_in(silent) as there:
        left(machine, onnx, there.url)
        assert machine.model(onnx)(PHOTO).label == "red"


def test_an_entry_of_another_release_or_that_is_garbage_is_let_be(
    machine: Machine, onnx: Path
) -> None:
    with standing_in(GOOD) as there:
        left(machine, onnx, there.url, version="0.0.1")
        left(machine, onnx, there.url, error=("UnusableModel", "It was no good."))
        for name, data in {"cut": b'{"url": "htt', "empty": b"", "no": b"\xff"}.items():
            (machine.path / f"{name}.json").write_bytes(data)
        assert machine.model(onnx)(PHOTO).label == "red"
        assert there.asked == []
    assert len(machine.entries) == 1


# --- the model file ---

POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
PAGE = b"<!DOCTYPE html><html><title>bears</title></html>"


def made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:200])


ONNX: dict[str, Callable[[Path], Any]] = {
    "missing": Path.unlink,
    "a folder": made_a_folder,
    "empty": lambda path: path.write_bytes(b""),
    "a Git LFS pointer": lambda path: path.write_bytes(POINTER),
    "a web page": lambda path: path.write_bytes(PAGE),
    "truncated": truncated,
    "without its export.json": lambda path: path.with_suffix(".json").unlink(),
    "with another's export.json": lambda path: path.write_bytes(path.read_bytes() + b"\x72\x00"),
}


@pytest.mark.parametrize("spoil", ONNX.values(), ids=ONNX)
def test_a_file_that_is_no_model_is_the_same_sentence_as_of_a_model_here(
    machine: Machine, onnx: Path, spoil: Callable[[Path], Any]
) -> None:
    spoil(onnx)
    with pytest.raises(UnusableModel) as here:
        load_classify(onnx)
    with pytest.raises(UnusableModel) as there:
        machine.model(onnx)
    assert str(there.value) == str(here.value)
    assert machine.is_left() == []
    assert machine.entries == []


@pytest.mark.model
def test_an_export_that_is_none_is_the_same_sentence_as_of_a_model_here(
    machine: Machine, export: Path
) -> None:
    cut = export.read_bytes()[:100_000]
    for data in (POINTER, PAGE, cut, b"\x80\x04N.", b"PK\x03\x04"):
        path = machine.place / "export.pkl"
        path.write_bytes(data)
        with pytest.raises(UnusableModel) as here:
            load_classify(path)
        with pytest.raises(UnusableModel) as there:
            machine.model(path)
        assert str(there.value) == str(here.value)
        assert machine.is_left() == []


def spoiled(folder: Path) -> None:
    """Write a compiled model that looks good and gives no numbers."""
    made = onnx_files.model()
    helper, arrays = onnx_files.helper, onnx_files.numpy_helper
    made.graph.initializer.append(arrays.from_array(np.float32("nan"), "nan"))
    made.graph.node.insert(2, helper.make_node("Mul", ["means", "nan"], ["none"]))
    made.graph.node[3].input[0] = "none"
    onnx_files.write(folder, made)


def test_a_model_that_fails_at_its_first_answer_is_told_then_and_mended_it_works(
    machine: Machine, onnx: Path
) -> None:
    spoiled(onnx.parent)
    with pytest.raises(UnusableModel) as here:
        load_classify(onnx)
    classify = machine.model(onnx)
    for _ in range(3):
        with pytest.raises(UnusableModel) as there:
            classify(PHOTO)
        assert str(there.value) == str(here.value)
        wait_for(lambda: not machine.is_left())
    write(onnx.parent, "mended")
    assert classify(PHOTO).model.name == "mended"
    assert len(machine.services()) == 1


def test_all_who_wait_for_a_model_that_fails_are_told_why(machine: Machine, onnx: Path) -> None:
    spoiled(onnx.parent)
    told = together([lambda: machine.model(onnx)(PHOTO)] * 8)
    assert [type(each) for each in told] == [UnusableModel] * 8
    assert len(set(map(str, told))) == 1
    wait_for(lambda: not machine.is_left())


def test_a_file_that_went_away_is_told(machine: Machine, onnx: Path) -> None:
    classify = machine.model(onnx)
    machine.model(write(machine.place / "other", "other"))  # so that hashes are asked for
    onnx.unlink()
    assert classify(PHOTO).label == "red", "the service has it"
    (mine,) = [p for p in machine.services() if str(onnx) in p.cmdline()]
    mine.kill()
    with pytest.raises(UnusableModel, match="There is no file"):
        classify(PHOTO)


# --- a new model ---


def model_of(entry: Entry) -> Any:
    request = urllib.request.Request(
        f"{entry.url}/v1/model", headers={"Authorization": f"Bearer {entry.token}"}
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def test_a_new_file_answers_soon_and_a_broken_one_never(machine: Machine, onnx: Path) -> None:
    classify = machine.model(onnx)
    assert classify(PHOTO).model.name == "colours"
    assert classify.current() == classify(PHOTO).model.sha256
    service = machine.service()
    write(onnx.parent, "newer")
    wait_for(lambda: classify(PHOTO).model.name == "newer")
    assert machine.model(onnx)(PHOTO).model.name == "newer"
    assert machine.service() == service
    (entry,) = machine.entries
    assert entry.file_sha256 == model_sha256(onnx)
    onnx.write_bytes(b"no model")
    wait_for(lambda: model_of(entry)["refused"])
    assert model_of(entry)["refused"]["type"] == "UnusableModel"
    assert classify(PHOTO).model.name == "newer"
    assert machine.model(onnx)(PHOTO).model.name == "newer"
    assert machine.service() == service


def test_new_words_for_the_classes_alone_are_taken_up(machine: Machine, onnx: Path) -> None:
    classify = machine.model(onnx)
    told = json.loads(onnx.with_suffix(".json").read_text())
    told["model"]["classes"] = ["blau", "grün", "rot"]
    onnx.with_suffix(".json").write_text(json.dumps(told))
    wait_for(lambda: classify(PHOTO).label == "rot")


def test_a_link_that_comes_to_point_elsewhere_is_followed(machine: Machine, onnx: Path) -> None:
    """As `ln -sfn releases/2 current` does."""
    write(machine.place / "2", "second")
    current, new = machine.place / "current", machine.place / "new"
    current.symlink_to(onnx.parent)
    classify = machine.model(current / "export.onnx")
    assert classify(PHOTO).model.name == "colours"
    new.symlink_to(machine.place / "2")
    new.replace(current)
    wait_for(lambda: classify(PHOTO).model.name == "second")
    assert len(machine.services()) == 1


# --- a folder that can't be used ---

LIMITED = """
import resource, sys
from pathlib import Path
from voilearn.client.this_machine import LocalModel
from voilearn.errors import VoilearnError
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    LocalModel(Path(sys.argv[1]), 60.0)
except VoilearnError as error:
    print(error.type, error)
"""


def run(script: str, *arguments: Any, **options: Any) -> str:
    command = [sys.executable, "-c", script, *map(str, arguments)]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, timeout=WITHIN, **options
    )
    assert done.stderr == ""
    return str(done.stdout.strip())


def test_an_entry_that_can_not_be_written_whole_is_told_and_nothing_is_left(
    machine: Machine, onnx: Path
) -> None:
    told = run(LIMITED, onnx)
    assert told.startswith("UnusableFolder The folder")
    assert "File too large. Make room on the disk" in told
    assert machine.is_left() == []
    assert {path.name for path in machine.path.iterdir()} <= {"lock", "services.log"}


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A disk without any room."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "tmpfs", str(disk)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a disk of its own can be mounted by root alone, and not in every container")
    try:
        with pytest.raises(OSError, match="No space"), (disk / "filled").open("wb") as file:
            while True:
                file.write(b"x" * 4096)
                file.flush()
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_is_told_and_nothing_is_left(
    machine: Machine, onnx: Path, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(full))
    with pytest.raises(UnusableFolder, match=r"No space left on device\. Make room on the disk"):
        machine.model(onnx)
    machine.path = full / "voilearn"
    assert machine.is_left() == []
    assert {path.name for path in machine.path.iterdir()} <= {"lock", "services.log"}
    (full / "filled").unlink()
    assert machine.model(onnx)(PHOTO).label == "red"
    machine.end()


def test_a_full_disk_at_an_upgrade_takes_the_new_model_all_the_same(
    machine: Machine, onnx: Path, full: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its entry would be wrong, so it has none; pages that come start another service."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(full))
    (full / "filled").unlink()
    machine.path = full / "voilearn"
    classify = machine.model(onnx)
    with pytest.raises(OSError, match="No space"), (full / "filled").open("wb") as file:
        while True:
            file.write(b"x" * 4096)
            file.flush()
    write(onnx.parent, "newer")
    wait_for(lambda: classify(PHOTO).model.name == "newer")
    wait_for(lambda: not machine.entries)
    (full / "filled").unlink()
    assert machine.model(onnx)(PHOTO).model.name == "newer"
    machine.end()


def test_a_folder_below_a_file_is_told(
    machine: Machine, onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    monkeypatch.setattr(tempfile, "tempdir", str(onnx))
    with pytest.raises(UnusableFolder, match="Not a directory"):
        machine.model(onnx)
    assert machine.is_left() == []


# --- another user ---

STRANGER = """
import json, os, sys, urllib.error, urllib.request
folder, entry, url = sys.argv[1:]
def tried(what):
    try:
        what()
        return "done"
    except urllib.error.HTTPError as error:
        return error.code
    except OSError as error:
        return type(error).__name__
def asked(path, method="GET"):
    data = b"photo" if method == "POST" else None
    request = urllib.request.Request(url + path, data, method=method)
    return tried(lambda: urllib.request.urlopen(request))
print(json.dumps([
    os.getuid(),
    tried(lambda: os.listdir(folder)),
    tried(lambda: open(entry).read()),
    tried(lambda: open(folder + "/planted.json", "w")),
    tried(lambda: os.unlink(entry)),
    asked("/healthz"),
    asked("/v1/classify", "POST"),
    asked("/v1/model"),
    asked("/metrics"),
    asked("/v2"),
    asked("/v2/models/colours"),
    asked("/v2/models/colours/ready"),
    asked("/v2/models/colours/infer", "POST"),
]))
"""


def of_another_user(command: list[str]) -> "subprocess.CompletedProcess[bytes]":
    """Run Python as the user nobody; any Python, for that user may not come to this one."""
    for python in (sys.executable, "/usr/local/bin/python3", "/usr/bin/python3"):
        try:
            return subprocess.run(
                [python, *command],
                user=65534,
                group=65534,
                extra_groups=[],
                cwd="/",
                capture_output=True,
            )
        except OSError:
            continue
    pytest.skip("there is no Python that another user may run")


@pytest.mark.skipif(not ROOT_USER, reason="only root can be another user")
def test_another_user_reaches_neither_the_entry_nor_the_service(
    machine: Machine, onnx: Path
) -> None:
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)  # as /tmp is, which tmp_path is not
        os.environ["XDG_RUNTIME_DIR"] = place  # put back by the fixture
        machine.path = Path(place) / "voilearn"
        machine.model(onnx)(PHOTO)
        (entry,) = machine.entries
        command = ["-I", "-c", STRANGER, str(machine.path)]
        command += [str(machine.path / entry.name), entry.url]
        done = of_another_user(command)
        assert done.stderr == b""
        uid, *files = json.loads(done.stdout)
        assert uid == 65534
        assert files[:4] == ["PermissionError"] * 4
        assert files[4:] == ["done"] + [401] * 7
        machine.end()


# --- a page that ends half-way ---

# Put in front of Python's own: a service that is slow to begin, until it may.
SLOW = """
import os, sys, time
if "voilearn.service.this_machine" in sys.orig_argv:
    open({begun!r}, "w").close()
    while not os.path.exists({may!r}):
        time.sleep(0.02)
"""


@pytest.fixture
def slow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder with `begun`, when a service has; it goes on when `may` is there too."""
    folder = tmp_path / "slow"
    folder.mkdir()
    script = SLOW.format(begun=str(folder / "begun"), may=str(folder / "may"))
    (folder / "sitecustomize.py").write_text(script)
    monkeypatch.setenv("PYTHONPATH", str(folder))
    return folder


def test_a_page_that_is_interrupted_while_the_service_starts_leaves_nothing(
    machine: Machine, onnx: Path, slow: Path
) -> None:
    def interrupt() -> None:
        wait_for((slow / "begun").exists)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    # what a shell starts in the background is told to ignore it
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            machine.model(onnx)
    finally:
        signal.signal(signal.SIGINT, before)
    assert machine.is_left() == []
    assert machine.entries == []
    thread.join()
    (slow / "may").touch()
    assert machine.model(onnx)(PHOTO).label == "red", "the lock is given back"


def test_a_service_that_does_not_begin_is_given_up_and_ended(
    machine: Machine, onnx: Path, slow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client, "START_SECONDS", 1.0)
    with pytest.raises(ServiceNotReady, match="does not begin"):
        machine.model(onnx)
    assert machine.is_left() == []


def test_a_service_ends_by_itself_if_who_started_it_was_killed(
    machine: Machine, onnx: Path, slow: Path
) -> None:
    kernel = machine.kernel(onnx)
    assert kernel.stdin is not None
    print("ask", file=kernel.stdin, flush=True)
    wait_for((slow / "begun").exists)
    end(kernel)
    assert len(machine.services()) == 1
    (slow / "may").touch()
    wait_for(lambda: not machine.is_left())
    assert machine.entries == []
    assert {path.name for path in machine.path.iterdir()} == {"lock", "services.log"}
    assert (machine.path / "services.log").read_text() == ""


def test_a_page_that_is_killed_later_leaves_a_service_that_ends_when_idle(
    machine: Machine, onnx: Path
) -> None:
    kernel = machine.kernel(onnx, idle=5)
    assert (line_of(kernel.stdout), ask(kernel)) == ("here\n", "colours")
    end(kernel)
    assert len(machine.services()) == 1
    wait_for(lambda: not machine.is_left())
    assert machine.entries == []


def test_a_page_that_is_ended_with_its_group_leaves_the_service_to_others(
    machine: Machine, onnx: Path
) -> None:
    """Jupyter ends a kernel's whole process group."""
    script = "import sys; from pathlib import Path\n"
    script += "from voilearn.client.this_machine import LocalModel\n"
    script += "LocalModel(Path(sys.argv[1]), 60.0); print('here', flush=True); input()"
    page = subprocess.Popen(
        [sys.executable, "-c", script, str(onnx)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
    )
    assert line_of(page.stdout) == b"here\n"
    os.killpg(page.pid, signal.SIGINT)
    os.killpg(page.pid, signal.SIGKILL)
    page.communicate()
    service = machine.service()
    assert machine.model(onnx)(PHOTO).label == "red"
    assert machine.service() == service


def test_a_service_that_can_not_run_at_all_is_told(
    machine: Machine, onnx: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\nif 'voilearn.service.this_machine' in sys.orig_argv: raise SystemExit(3)"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(ServiceUnreachable, match="Start it in a shell to see why"):
        machine.model(onnx)
    assert machine.is_left() == []


# --- hung ---


def test_a_service_that_hangs_is_replaced_and_does_no_harm_when_it_goes_on(
    machine: Machine, onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # as long as the one in its place may take on a busy machine
    monkeypatch.setattr(remote, "ANSWER_SECONDS", 5.0)
    monkeypatch.setattr(remote, "PROOF_SECONDS", 5.0)
    classify = machine.model(onnx, idle=6)
    classify(PHOTO)
    hung = machine.service()
    hung.suspend()
    assert classify(PHOTO).label == "red"
    assert len(machine.services()) == 2
    hung.resume()

    def is_gone() -> bool:
        assert classify(PHOTO).label == "red"
        return hung not in machine.services()

    wait_for(is_gone)
    assert len(machine.entries) == 1
    assert psutil.pid_exists(machine.service().pid)


def test_a_service_that_can_not_be_replaced_either_ends_the_call_in_time(
    machine: Machine, onnx: Path, slow: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (slow / "may").touch()
    classify = machine.model(onnx)
    hung = machine.service()
    with monkeypatch.context() as short:
        short.setattr(remote, "ANSWER_SECONDS", 1.0)
        short.setattr(remote, "PROOF_SECONDS", 1.0)
        short.setattr(client, "START_SECONDS", 1.0)
        hung.suspend()
        (slow / "may").unlink()
        with pytest.raises(ServiceNotReady, match="Please try again"):
            classify(PHOTO)
        assert machine.service() == hung
    (slow / "may").touch()
    hung.resume()
    assert classify(PHOTO).label == "red"


def test_a_machine_that_starts_no_process_is_told_of(
    machine: Machine, onnx: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", none)
    with pytest.raises(ServiceUnreachable, match=r"can't be started: Resource temp.* try again"):
        connect(onnx)
