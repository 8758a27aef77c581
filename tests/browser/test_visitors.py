"""Visitors at the same time get their own answers, and their photos go nowhere.

In: several visitors on `voila app.ipynb`; out: their answers, and what is on the disk.
"""

import contextlib
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest
from PIL import Image

from tests.browser import drawn, ways
from tests.browser.visitor import Visitor
from tests.browser.ways import Place, Server
from tests.waiting import wait_for

Predict = Callable[[bytes], dict[str, float]]

ROUNDS = 2
AGREES = 1e-4
BEGINNING = 0.1  # seconds of a processor that a kernel takes, in three, which has not begun yet
TELLING = 64  # so many bytes in a row of a compressed photo occur nowhere else


@pytest.fixture(scope="module")
def voila(app: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run the page in folders where no other server's kernels come and go."""
    with ways.running("voila", Place(app, tmp_path_factory.mktemp("alone"))) as running:
        yield running


def test_a_photo_is_never_written_to_disk(voila: Server, arrive: Callable[[], Visitor]) -> None:
    visitor = arrive()
    visitor.ask(drawn.png(8))  # until the model is loaded, libraries make folders of their own
    folders = _at_rest(voila)
    files = dict(_file_times(voila))
    photo = drawn.png(9)
    visitor.ask(photo)
    # a file made and removed again would leave its trace in the time of its folder
    assert dict(_folder_times(voila)) == folders
    changed = [path for path, time in _file_times(voila) if files.get(path) != time]
    assert not [path for path in changed if _holds_photo(path, photo)]


def _at_rest(server: Server) -> dict[Path, int]:
    """The times of all folders, once the kernel for the next visitor has begun."""
    seen = dict(_folder_times(server)), _used(server)

    def is_still() -> bool:
        nonlocal seen
        time.sleep(3)
        (before, used), seen = seen, (dict(_folder_times(server)), _used(server))
        idle = seen[1] - used < BEGINNING
        return before == seen[0] and idle and len(server.kernels()) > server.spare

    wait_for(is_still)
    return seen[0]


def _used(server: Server) -> float:
    """The seconds that kernels have had a processor for."""
    used = 0.0
    for kernel in server.kernels():
        with contextlib.suppress(psutil.Error):
            used += kernel.cpu_times().user
    return used


def _file_times(server: Server) -> Iterator[tuple[Path, int]]:
    for path in _everything(server):
        with contextlib.suppress(FileNotFoundError):  # it has gone since it was listed
            if path.is_file() and path != server.log:
                yield path, path.stat().st_mtime_ns


def _folder_times(server: Server) -> Iterator[tuple[Path, int]]:
    for path in (server.folder, server.home, server.tmp, *_everything(server)):
        with contextlib.suppress(FileNotFoundError):
            if path.is_dir():
                yield path, path.stat().st_mtime_ns


def _everything(server: Server) -> Iterator[Path]:
    for place in (server.folder, server.home, server.tmp):
        yield from place.rglob("*")


def _holds_photo(path: Path, photo: bytes) -> bool:
    data = path.read_bytes()
    middle = len(photo) // 2
    if photo[middle : middle + TELLING] in data:
        return True
    try:
        Image.open(io.BytesIO(data)).load()
    except OSError:
        return False
    return True
