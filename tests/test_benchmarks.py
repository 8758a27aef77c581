"""The benchmarks run and print their tables; what they print is for people to read."""

import asyncio
import gzip
import http.client
import json
import os
import shutil
import socket
import socketserver
import subprocess
import sys
import threading
import tomllib
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import psutil
import pytest
from PIL import Image, ImageOps

from benchmarks import (
    browser,
    clients,
    compiled,
    crowd,
    first_answers,
    folder,
    install_size,
    load,
    lost,
    one_answer,
    open_pages,
    page,
    page_table,
    page_visits,
    peer,
    processes,
    visitors,
)
from benchmarks.fresh import Fresh
from benchmarks.install_size import Wheel
from benchmarks.lost import Noticed
from benchmarks.page_table import GRADIO, NOTEBOOK, SERVICE
from benchmarks.processes import Memory
from benchmarks.served import Answer, File, Host, part_of, split
from benchmarks.slow_line import Line, Speed, Way
from tests import onnx_files
from tests.conftest import EXPORTS, ROOT, draw, encode
from tests.ports import free_port
from tests.waiting import WITHIN, returned

TEXT = b"console.log('the same again');\n" * 200


def run(script: str, *arguments: object) -> list[str]:
    command = [sys.executable, "-W", "ignore", f"benchmarks/{script}.py", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


@pytest.mark.model
def test_agreement_prints_a_row_for_each_export(tmp_path: Path) -> None:
    names = ("1.0.61-image_classifier", "2.3.1-presizing", "2.8.12-author_network")
    for name in names:
        for kind in (".pkl", ".json"):
            shutil.copy(EXPORTS / f"{name}{kind}", tmp_path)
    rows = run("agreement", tmp_path)[2:]
    found = [[cell.strip() for cell in row.split("|")[1:-1]] for row in rows]
    assert [f"{row[0]}-{row[1].replace(' ', '_')}" for row in found] == list(names)
    assert found[0][4] == found[2][4] == "refused, named"
    assert float(found[1][4]) <= 1e-4


@pytest.mark.slow
@pytest.mark.model
def test_opening_prints_a_row_for_each_way() -> None:
    rows = run("opening", "--rounds", 1)
    assert any(row.startswith("| voilearn inspect |") and row.endswith("| no |") for row in rows)


def test_open_pages_tells_what_they_cost() -> None:
    rows = run("open_pages", "--pages", 3, "--seconds", 0.1)
    assert [row.split("|")[1].strip() for row in rows if row.startswith("| ")][1:] == ["0", "3"]
    assert rows[-1].startswith("3 pages cost ")


@pytest.mark.parametrize(
    "script",
    [
        "browser",
        "compiled",
        "folder",
        "install_size",
        "load",
        "one_answer",
        "open_pages",
        "page",
        "tab",
        "visitors",
    ],
)
def test_what_a_benchmark_takes_is_told(script: str) -> None:
    assert any(line.startswith("usage:") for line in run(script, "--help"))


PATHS = [
    (browser, "page"),
    (browser, "model"),
    (compiled, "resnet18"),
    *((folder, option) for option in ("model", "onnx", "photos")),
    (load, "peers"),
    (load, "resnet18"),
    (one_answer, "page"),
    (page, "peers"),
    (visitors, "peers"),
    (visitors, "resnet18"),
]


@pytest.mark.parametrize(("script", "option"), PATHS)
def test_a_path_is_of_the_folder_where_it_was_given_though_servers_run_in_others(
    script: ModuleType, option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", [script.__name__, f"--{option}", "bin/python"])
    assert getattr(script.options(), option) == tmp_path / "bin" / "python"


def test_other_tools_that_are_not_installed_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.MonkeyPatch.context() as patch, pytest.raises(SystemExit):
        patch.setattr(sys, "argv", ["page", "--peers", "gone/bin/python"])
        page.options()
    assert "there is no gone/bin/python here; `make bench`" in capsys.readouterr().err


def test_a_folder_is_filled_with_photos_made_or_given(tmp_path: Path) -> None:
    (tmp_path / "given").mkdir()
    draw().save(tmp_path / "given" / "a.jpg")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder, "MADE", (300, 200))
        folder.fill(tmp_path / "made", None, 25)
    folder.fill(tmp_path / "linked", tmp_path / "given", 3)
    assert [len(list((tmp_path / name).iterdir())) for name in ("made", "linked")] == [25, 3]
    for file in tmp_path.rglob("*.jpg"):
        with Image.open(file) as picture:
            picture.load()


def test_a_folders_table_compares_with_a_loop_over_learn_predict() -> None:
    found = {
        (way, cores, photos): [folder.Found(seconds, 100.0)]
        for way, speed in (("ours", 10), ("a loop over learn.predict", 4))
        for cores in (1, 2)
        for photos, seconds in ((1, 3.0), (101, 3.0 + 100 / (speed * cores)))
    }
    ways = ("ours", "a loop over learn.predict")
    rows = list(folder.table({way: folder.told(way, 101, found) for way in ways}))
    assert rows[2] == "| ours | 10.0 | 20.0 | 2.00 | 2.50 | 100 |"
    assert rows[3] == "| a loop over learn.predict | 4.0 | 8.0 | 2.00 | 1.00 | 100 |"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    (tmp_path / "index.html").write_text("<!doctype html>")
    (tmp_path / "app.js").write_bytes(TEXT)
    (tmp_path / "model.onnx.gz").write_bytes(gzip.compress(TEXT, mtime=0))
    serving = Host(tmp_path)
    yield serving
    serving.cut()


def get(host: Host, path: str, **headers: str) -> Any:
    request = urllib.request.Request(host.url + path, headers=headers)
    return urllib.request.urlopen(request, timeout=WITHIN)


def test_a_file_is_gzipped_on_the_wire_and_its_bytes_are_counted(host: Host) -> None:
    with get(host, "app.js") as answer:
        body = answer.read()
        assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == TEXT
    host.settle(0.1)
    (told,) = host.answers
    assert told.path == "/app.js"
    assert len(body) < told.size < len(body) + 400


def test_what_is_gzipped_already_is_sent_as_it_is(host: Host) -> None:
    with get(host, "model.onnx.gz") as answer:
        assert answer.headers["Content-Encoding"] is None
        assert gzip.decompress(answer.read()) == TEXT


def test_a_page_is_asked_for_again_and_what_it_is_made_of_is_kept(host: Host) -> None:
    with get(host, "") as page, get(host, "app.js") as script:
        assert page.headers["Cache-Control"] == "no-cache"
        assert script.headers["Cache-Control"].startswith("max-age=")
        etag = page.headers["ETag"]
    with pytest.raises(urllib.error.HTTPError, match="304"):
        get(host, "", **{"If-None-Match": etag})


def test_a_host_that_is_cut_off_refuses_and_comes_back_where_it_was(host: Host) -> None:
    url = host.url
    host.cut()
    with pytest.raises(urllib.error.URLError):
        get(host, "app.js")
    host.back()
    assert host.url == url
    get(host, "app.js").close()


def test_bytes_are_told_by_what_they_are_for() -> None:
    ours = ("/", "/sw.js", "/manifest.webmanifest", "/page-d0/app.js")
    assert {part_of(path) for path in ours} == {"page"}
    assert {part_of(path) for path in ("/ort-33.wasm.gz", "/page-d0/ort.js")} == {"runtime"}
    assert {part_of(path) for path in ("/m.onnx.gz", "/models/m/config.json")} == {"model"}
    answers = [Answer("/", 200, 10), Answer("/ort.wasm", 200, 5), Answer("/sw.js", 304, 1)]
    assert split(answers) == {"page": 11, "runtime": 5, "model": 0}


def resize(method: str) -> SimpleNamespace:
    return SimpleNamespace(size=(224, 224), method=method)


def test_the_peer_resizes_as_the_learner_does() -> None:
    squished = peer.preprocessing(resize("squish"), None)
    assert squished["size"] == {"height": 224, "width": 224}
    assert not squished["do_normalize"]
    cropped = peer.preprocessing(resize("crop"), None)
    assert cropped["size"] == {"shortest_edge": 224}
    assert cropped["do_center_crop"]
    with pytest.raises(SystemExit, match="no such resizing"):
        peer.preprocessing(resize("pad"), None)


def test_photos_are_spread_over_the_classes_and_the_sources(tmp_path: Path) -> None:
    for kind, source, count in (("black", "ann", 3), ("black", "bob", 1), ("teddy", "cy", 3)):
        (tmp_path / "bears" / kind).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (tmp_path / "bears" / kind / f"{source}__{number}.jpg").touch()
    names = [photo.stem for photo in browser.spread(tmp_path, 5)]
    assert names == ["ann__0", "cy__0", "bob__0", "cy__1", "ann__1"]


def test_agreement_is_the_largest_difference_and_the_equal_labels() -> None:
    found = browser.Agreement()
    found.add({"black": 0.75, "teddy": 0.25}, {"teddy": 0.25, "black": 0.75})
    found.add({"black": 0.25, "teddy": 0.75}, {"teddy": 0.25, "black": 0.75})
    assert str(found) == "0.5000; 1 of 2 labels equal"


def test_the_table_of_the_browser_has_a_column_for_each_page(host: Host) -> None:
    first, whole = [Answer("/m.onnx", 200, 2_000_000)], [Answer("/m.onnx", 200, 3_000_000)]
    ours = browser.Site("ours", host, "#f", "p", [1.0, 3.0, 2.0], [1.0], [0.5, None], [0.2, None])
    theirs = browser.Site("theirs", host, "#f", "p", [4.0], [2.0], [None], [None])
    for site in (ours, theirs):
        site.first, site.whole = [first], [whole]
    rows = [row.split(" | ") for row in browser.table([ours, theirs], ["0.1", "0.2"])]
    assert rows[0][-2:] == ["ours", "theirs |"]
    cells = {row[0].removeprefix("| "): row[1:] for row in rows[2:]}
    assert ["2.00 = 0.00 + 0.00 + 2.00", "2.00 = 0.00 + 0.00 + 2.00 |"] in cells.values()
    assert ["2.00 (1.00 to 3.00)", "4.00 (4.00 to 4.00) |"] in cells.values()
    assert ["1 of 2: 0.50 (0.50 to 0.50)", "no answer |"] in cells.values()
    assert ["1 of 2: 0.20 (0.20 to 0.20)", "no page |"] in cells.values()


def test_a_wheel_is_weighed_as_a_file_and_as_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "A_B-1.2-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as wheel:
        wheel.writestr("a_b/__init__.py", TEXT)
    weighed = install_size.look_into(path)
    assert weighed == Wheel("a-b", "1.2", path.stat().st_size, len(TEXT))
    assert weighed.download < len(TEXT)


def test_a_lock_tells_the_size_of_the_wheel_for_the_platform() -> None:
    lock = {"packages": [{"name": "a", "version": "1", "wheels": [{"size": 3}, {"size": 7}]}]}
    assert install_size.told(lock) == [Wheel("a", "1", 7, None)]


def test_wheels_are_summed_and_what_was_not_measured_is_said() -> None:
    wheels = [Wheel("a", "1", 1_000_000, 3_000_000), Wheel("b", "2", 500_000, 1_000_000)]
    whole = install_size.total("total", wheels)
    assert whole == Wheel("total", "2 wheels", 1_500_000, 4_000_000)
    unknown = install_size.total("learner", [Wheel("torch", "2", 9_000_000, None), *wheels])
    rows = list(install_size.table({"3.11": [whole, unknown], "3.13": [whole]}))
    assert rows[2] == "| total | 2 wheels | 1.5 | 4.0 | 2 wheels | 1.5 | 4.0 |"
    assert rows[3] == "| learner | 3 wheels | 10.5 | not measured |  |  |  |"


def test_what_is_weighed_is_what_the_project_requires() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    names = " ".join(install_size.requirements(project))
    assert "pillow" in names
    assert "onnxruntime" in names
    assert "fastai" not in names
    assert "fastai" in " ".join(install_size.requirements(project, "learner"))


def test_ways_are_taken_in_turn_and_their_middle_is_told() -> None:
    taken: list[str] = []

    def way(name: str, *seconds: float) -> Callable[[], tuple[float, float]]:
        left = iter(seconds)

        def run() -> tuple[float, float]:
            taken.append(name)
            return next(left), 10.0

        return run

    ways = {"a": way("a", 99, 3, 1, 2), "b": way("b", 99, 5, 5, 9)}
    assert compiled.interleaved(ways, 3) == {"a": (2, 10.0), "b": (5, 10.0)}
    assert taken == ["a", "b"] * 4


def test_the_peak_is_of_the_process_that_answers_and_not_of_this_one(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    model = onnx_files.write(tmp_path, onnx_files.model())
    (tmp_path / "photo.png").write_bytes(encode(draw(), "PNG"))
    ballast = bytes(300_000_000)
    seconds, megabytes = compiled.first_answer(model, tmp_path / "photo.png")
    assert len(ballast) > 1e6 * megabytes
    assert seconds > 0


def test_photos_are_taken_from_all_over() -> None:
    files = [Path(str(number)) for number in range(100)]
    assert compiled.spread(files, 4) == [files[0], files[25], files[50], files[75]]
    assert compiled.spread(files[:2], 4) == files[:2]


def test_a_percentile_is_one_of_the_values() -> None:
    values = [float(value) for value in range(200, 0, -1)]
    assert clients.percentile(values, 50) == 100
    assert clients.percentile(values, 99) == 198
    assert clients.percentile([7.0], 99) == 7
    assert str(clients.percentile([], 50)) == "nan"


def test_rounds_are_merged_to_medians_sums_and_the_longest() -> None:
    rounds = [
        {"p50": 1.0, "refusals": 2.0, "longest": 3.0},
        {"p50": 9.0, "refusals": 0.0, "longest": 8.0},
        {"p50": 2.0, "refusals": 5.0, "longest": 1.0},
    ]
    assert clients.middle(rounds) == {"p50": 2.0, "refusals": 7.0, "longest": 8.0}


def plan(port: int, photo: Path, **changes: Any) -> clients.Plan:
    told = {"port": port, "path": "/classify", "field": "", "photos": [str(photo)]}
    told |= {"labels": ["black"], "clients": 3, "seconds": 2.0}
    return clients.Plan(**told | changes)  # type: ignore[arg-type]


def test_a_photo_is_sent_as_it_is_or_as_a_field_of_a_form(tmp_path: Path) -> None:
    raw = clients.request(plan(1, tmp_path), b"photo")
    assert raw.endswith(b"Content-Length: 5\r\n\r\nphoto")
    head, _, body = clients.request(plan(1, tmp_path, field="file"), b"photo").partition(
        b"\r\n\r\n"
    )
    assert f"Content-Length: {len(body)}".encode() in head
    assert b'name="file"' in body
    assert b"\r\n\r\nphoto\r\n--" in body


def test_the_head_of_an_answer_is_read() -> None:
    head = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\ncontent-length: 0\r\n\r\n"
    assert clients.parse_head(head) == (503, {"retry-after": "2", "content-length": "0"})


Answerer = Callable[[int], bytes]


async def loaded(plan: clients.Plan, answer: Answerer) -> clients.Found:
    """Run the clients against a server that gives its nth request an answer."""
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        while True:
            try:
                head = await reader.readuntil(b"\r\n\r\n")
            except EOFError:
                return writer.close()
            await reader.readexactly(
                int(clients.parse_head(b"POST 0\r\n" + head)[1]["content-length"])
            )
            asked += 1
            writer.write(answer(asked))

    server = await asyncio.start_server(serve, "127.0.0.1", plan.port)
    async with server:
        return await clients.load(plan)


def said(status: str, body: bytes, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def test_a_refused_client_waits_as_long_as_it_is_told(tmp_path: Path) -> None:
    photo = tmp_path / "photo"
    photo.write_bytes(b"photo")
    label = said("200 OK", json.dumps({"label": "black"}).encode())
    other = said("200 OK", json.dumps({"label": "teddy"}).encode())
    full = said("503 Full", b"", "Retry-After: 3600")
    broken = said("500 Broken", b"", "Connection: close")

    def answer(asked: int) -> bytes:
        return {1: full, 2: broken, 3: other}.get(asked, label)

    found = returned(loaded(plan(free_port(), photo), answer))
    assert (found.refusals, found.errors, found.other_labels) == (1, 1, 1)
    assert len(found.answers) >= found.in_time > 3
    told = found.told(2.0)
    assert told["requests/s"] == found.in_time / 2.0
    assert 0 < told["p50"] <= told["p99"] <= 1e3 * told["longest"]


def test_the_learner_s_service_is_told_as_parts_of_the_others() -> None:
    def of(rate: float, p50: float) -> dict[str, float]:
        return {"requests/s": rate, "p50": p50}

    found = {
        (clients, name): of(rate * clients, p50 * clients)
        for clients in load.LEVELS
        for name, rate, p50 in ((load.PKL, 30.0, 20.0), (load.FASTAPI, 20.0, 40.0))
    }
    memory = {load.PKL: 500.0, load.FASTAPI: 1000.0}
    rows = list(load.learner_table(found, memory))
    assert rows[2:] == ["| FastAPI, learn.predict | 1.50 | 0.50 | 0.50 |", ""]
    assert list(load.learner_table(found, {load.PKL: 500.0})) == []


def test_ratios_are_told_of_what_was_measured() -> None:
    one = {"requests/s": 40.0, "p50": 20.0, "p99": 30.0, "longest": 0.5}
    one |= {"refusals": 0.0, "errors": 0.0, "other labels": 0.0}
    twice = one | {"requests/s": 20.0, "p50": 40.0, "refusals": 5.0, "longest": 31.0}
    names = [load.OURS, load.LITSERVE]
    found = {(n, name): one if name == names[0] else twice for n in load.LEVELS for name in names}
    assert len(list(load.load_table(found, names))) == 2 + 2 * len(load.LEVELS)
    assert "2.00 | 2.00 | 2.00 | 2.00 |" in list(load.ratios(found, names))[2]
    assert "0.50 | 0.50 | 0.50 | 0.50 |" in list(load.ratios(found, names))[3]
    assert list(load.ratios(found, names[1:])) == []
    none = {key: value | {"requests/s": 0.0} for key, value in found.items()}
    assert "no answers | no answers |" in list(load.ratios(none, names))[2]
    told = list(load.sentences(found, names, {"service": 21.0, "process": 20.0}))
    assert "yes (longest 0.5 s)" in told[0]
    assert "8 clients: 1.50" in told[0]
    assert "1.0 ms for the request" in told[1]
    late = {key: value | {"longest": 31.0} for key, value in found.items()}
    assert "NO (longest 31.0 s)" in next(load.sentences(late, names, {}))
    rows = list(load.memory_table({load.OURS: 100.0, load.LITSERVE: 400.0}))
    assert rows[2] == f"| {load.OURS} | 100 | 0.25 |  |"


def test_memory_is_read_as_the_kernel_tells_it() -> None:
    text = "55d0-7ffd ---p 00000000 00:00 0  [rollup]\nRss:   20 kB\nPss:   12 kB\n"
    assert processes.parse_rollup(text) == {"Rss": 20480, "Pss": 12288}
    taken = processes.memory(psutil.Process())
    assert taken is not None
    assert taken.pid == os.getpid()
    assert 1e6 < taken.uss <= taken.pss <= taken.rss


def test_a_command_is_told_without_folders() -> None:
    words = ["/home/me/.venv/bin/python", "-W", "ignore", "-m", "voilearn", "serve", "/tmp/a/b.pkl"]
    assert processes.short(words) == "python -m voilearn serve b.pkl"
    assert len(processes.short([*words, "x" * 100])) == 60


DETACHING = """
import subprocess, sys, http.server
serve = [sys.executable, "-c", "import time; time.sleep(600)", "voilearn.service.this_machine"]
subprocess.Popen(serve, start_new_session=True)
http.server.test(http.server.SimpleHTTPRequestHandler, port=int(sys.argv[1]), bind="127.0.0.1")
"""


def test_a_service_that_a_server_detached_is_of_its_family_and_ends_with_it(tmp_path: Path) -> None:
    port = free_port()
    start = [sys.executable, "-c", DETACHING, str(port)]
    (tmp_path / "other").mkdir()
    with processes.running(start, "", tmp_path, tmp_path / "scratch", port) as server:
        (service,) = processes.services(server.scratch)
        assert processes.services(tmp_path / "other") == []
        assert {server.process.pid, service.pid} <= {taken.pid for taken in server.memory()}
    assert not service.is_running()


def test_the_most_is_kept_of_what_is_measured() -> None:
    left, done = [3, 7, 1], threading.Event()

    def measured() -> int:
        if len(left) == 1:
            done.set()
        return left.pop() if len(left) > 1 else left[0]

    with processes.peak(measured, every=0.01) as most:
        assert done.wait(WITHIN)
    assert most[0] == 7


def test_a_kernel_is_read_from_its_page() -> None:
    assert visitors.kernel_of('{"a": 1, "kernelId": "0f13-5c"}') == "0f13-5c"
    assert visitors.kernel_of("<!doctype html>") == ""


@pytest.mark.parametrize("mark", ["application/vnd.jupyter.widget-view+json", "voilearn-kernel"])
def test_a_page_is_known_by_what_its_cells_leave_in_it(host: Host, mark: str) -> None:
    shown = f'<script class="{mark}"></script>"kernelId": "0f13-5c"'
    at: Any = SimpleNamespace(port=host.port, log_tail=lambda: "the server's log")
    with pytest.raises(RuntimeError, match=r"no page, but 404:\nthe server's log"):
        visitors.opened(at, "other")
    host.files["/"] = File(f"Content-Length: {len(shown)}\r\n\r\n".encode(), shown.encode(), "")
    assert visitors.opened(at, "")[1:] == (len(shown), "0f13-5c")
    bare = b"<!doctype html>"
    host.files["/"] = File(b"Content-Length: 15\r\n\r\n", bare, "")
    with pytest.raises(RuntimeError, match="no page, but 200"):
        visitors.opened(at, "")


def test_our_template_leaves_what_a_page_is_known_by() -> None:
    template = ROOT / "voilearn" / "notebook" / "voila" / "templates" / "voilearn" / "index.html.j2"
    assert any(mark in template.read_text() for mark in visitors.SHOWN)


def test_processes_are_listed_with_the_largest_first_and_their_sum() -> None:
    small = Memory(1, "python serve", 3_000_000, 1_000_000, 2_000_000)
    rows = list(visitors.htop([small, Memory(2, "kernel", 9_000_000, 5_000_000, 6_000_000)]))
    assert [row.split()[-1] for row in rows] == ["COMMAND", "kernel", "serve", "8.0"]
    assert rows[-1].split() == ["together", "12.0", "6.0", "8.0"]


def test_memory_of_visitors_is_set_beside_the_peers() -> None:
    process = Memory(1, "python", 0, 0, 100_000_000)
    costs = {
        visitors.OURS: visitors.Cost(50_000_000, 40_000_000, 20, [process] * 5),
        visitors.GRADIO: visitors.Cost(0, 0, 20, [process] * 10),
        visitors.STOCK: visitors.Cost(500_000_000, 200_000_000, 3, [process] * 15),
    }
    rows = list(visitors.cost_table(costs))
    assert rows[2].endswith("| 50 | 20 | 40 | 500 | 25.0 | 25.00 |")
    assert "|  | 20 |  | 1000 | 50.0 | 50.00 |" in rows[3]
    assert rows[4].endswith("| 500 | 3 | 200 | 1500 | 500.0 | 500.00 |")
    ratios = list(visitors.cost_ratios(costs))
    assert [ratio[-4:] for ratio in ratios] == ["0.10", "0.20", "0.50"]


@pytest.mark.parametrize(("more", "verdict"), [(100_000, "yes"), (100_100, "NO")])
def test_a_visitor_of_the_services_page_costs_what_came_on_top(more: int, verdict: str) -> None:
    process = Memory(1, "python", 0, 0, 90_000_000 + 200 * more)
    cost = visitors.Cost(visitors=200, processes=[process], alone=90_000_000)
    (told,) = visitors.cost_ratios({visitors.SERVICE: cost})
    assert told.startswith("Each of 200 visitors")
    assert told.endswith(f"0.100 MB, at most 0.1: {verdict}")


def test_each_of_a_crowd_has_the_page_its_answers_and_stays(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    photo = tmp_path / "photo.png"
    photo.write_bytes(encode(draw(), "PNG"))
    folder = tmp_path / "served"
    folder.mkdir()
    with open_pages.serving(folder) as server:
        crowd.warm(server.port, [photo], 2)
        with crowd.crowd(server.port, [photo, photo], 3):
            told = server.process.net_connections()
            assert sum(each.status == psutil.CONN_ESTABLISHED for each in told) == 6
            with urllib.request.urlopen(f"{server.url}metrics", timeout=WITHIN) as answer:
                metrics = answer.read().decode()
    assert "voilearn_pages_open 3.0\n" in metrics
    assert 'voilearn_stage_seconds_count{stage="total"} 8.0\n' in metrics


def test_a_crowd_is_told_what_went_wrong(host: Host) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", host.port, timeout=WITHIN)
    with pytest.raises(RuntimeError, match="GET /other: 404"):
        crowd.asked(connection, "GET", "/other")


def test_a_page_is_set_beside_the_one_served_in_the_same_way() -> None:
    found = {
        "Voilearn, Jupyter Server": ([1.0, 3.0, 2.0], 1_310_000),
        f"{visitors.STOCK}, Jupyter Server": ([4.0], 4_000_000),
        "Voilearn, preheated voila": ([0.1], 1),
        f"{visitors.STOCK}, voila": ([5.0], 1),
    }
    rows = list(visitors.opened_table(found))
    assert rows[2] == "| Voilearn, Jupyter Server | 2.000 (1.000 to 3.000) | 1.31 |"
    assert [row[-6:] for row in visitors.opened_ratios(found)] == ["0.5000", "0.0200"]


def test_a_slow_line_sends_one_piece_after_the_other_and_delivers_later() -> None:
    way = Way(Speed(mbit=8, round_trip=0.1))
    assert way.send(1_000_000, now=10) == pytest.approx((11, 11.05), abs=0.01)
    assert way.send(500_000, now=10.2) == pytest.approx((11.5, 11.55), abs=0.01)
    assert way.send(100_000, now=20) == pytest.approx((20.1, 20.15), abs=0.01)
    assert way.bytes == 1_600_000


def test_a_line_of_no_speed_delivers_at_once() -> None:
    assert Way(None).send(1_000_000, now=10) == (10, 10)


@pytest.mark.parametrize("speed", [None, Speed(mbit=200, round_trip=0.002)])
def test_a_line_carries_everything_and_counts_it(host: Host, speed: Speed | None) -> None:
    with Line(host.port, speed) as line:
        for turn in range(2):
            line.reset()
            with urllib.request.urlopen(f"{line.url}app.js", timeout=WITHIN) as answer:
                assert gzip.decompress(answer.read()) == TEXT
            host.settle(0.1)
            assert line.down.bytes == host.answers[turn].size
            assert len(b"GET /app.js HTTP/1.1") < line.up.bytes < 400
        assert line.idle() < WITHIN


def test_a_line_carries_what_is_sent_in_many_pieces_both_ways() -> None:
    sent = os.urandom(300_000)

    class Echo(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            got = b""
            while len(got) < len(sent):
                got += self.request.recv(65536)
            self.request.sendall(got)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Echo) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        with (
            Line(server.server_address[1], Speed(mbit=100, round_trip=0.01)) as line,
            socket.create_connection(("127.0.0.1", line.port), timeout=WITHIN) as connection,
        ):
            connection.sendall(sent)
            with connection.makefile("rb") as answer:
                assert answer.read(len(sent)) == sent
            assert (line.up.bytes, line.down.bytes) == (len(sent), len(sent))
        server.shutdown()


def test_a_line_to_nobody_hangs_up() -> None:
    with (
        Line(free_port()) as line,
        pytest.raises((urllib.error.URLError, ConnectionError)),
    ):
        urllib.request.urlopen(line.url, timeout=WITHIN)


def measured(**figures: float) -> page_table.Measured:
    found = page_table.Measured()
    found.add(figures)
    return found


def cells(lines: Iterable[str]) -> list[list[str]]:
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines][2:]


def figures(found: dict[str, page_table.Measured]) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in cells(page_table.table(found))}


def test_each_page_has_its_column_and_ours_is_set_over_gradios() -> None:
    ours = measured(painted=0.3, requests=41)
    ours.add({"page bytes": 600_000}, "slow ")
    found = figures({NOTEBOOK: ours, SERVICE: measured(painted=0.2), GRADIO: measured(painted=0.6)})
    assert found[page_table.ROWS[0].title] == ["0.30", "0.20", "0.60", "0.50", "0.33"]
    assert found["requests, cold"] == ["41", "", "", "", ""]
    assert found["MB over the wire, cold"] == ["0.600", "", "", "", ""]


def test_medians_are_told_of_a_page_and_of_what_blocks_it_the_worst() -> None:
    ours = measured(painted=0.1, blocked=0.0)
    for painted, blocked in ((0.5, 0.061), (0.2, 0.0)):
        ours.add({"painted": painted, "blocked": blocked, "answer": "teddy,\n 97 % sure"})
    found = figures({SERVICE: ours})
    assert found[page_table.ROWS[0].title] == ["0.20", ""]
    assert ["61", ""] in found.values()
    told = f"- {SERVICE} answered: teddy, 97 % sure"
    assert list(page_table.notes({SERVICE: ours})) == [told]


def test_our_pages_are_held_to_their_targets_each_to_its_own() -> None:
    service = measured(painted=0.2, opened=0.46, chosen=0.2, blocked=0.05, requests=11)
    service.add({"page bytes": 80_000}, "slow ")
    notebook = measured(painted=0.2, opened=0.9, chosen=0.5)
    gradio = measured(opened=1.0, chosen=1.0)
    told = cells(page_table.verdicts({NOTEBOOK: notebook, SERVICE: service, GRADIO: gradio}))
    found = {(row[0], row[1]): row[2:] for row in told}
    titles = {row.key: row.title for row in page_table.ROWS}

    def verdict(whose: str, key: str, words: str) -> list[str]:
        return found[whose, f"{titles[key]}: {words}"]

    assert verdict(SERVICE, "painted", f"under that of {NOTEBOOK} (0.20)") == ["0.20", "NO"]
    assert verdict(SERVICE, "opened", f"under that of {NOTEBOOK} (0.90)") == ["0.46", "yes"]
    assert verdict(SERVICE, "opened", f"at most 0.45 of that of {GRADIO} (0.45)") == ["0.46", "NO"]
    assert verdict(SERVICE, "chosen", f"at most 0.45 of that of {GRADIO} (0.45)")[1] == "yes"
    assert verdict(NOTEBOOK, "chosen", f"at most 0.45 of that of {GRADIO} (0.45)")[1] == "NO"
    assert verdict(SERVICE, "blocked", "at most 50") == ["50", "yes"]
    assert verdict(SERVICE, "requests", "at most 10") == ["11", "NO"]
    assert verdict(SERVICE, "slow page bytes", "at most 0.08") == ["0.080", "yes"]
    assert not [words for _, words in found if "usable" in words]  # which was not measured


def test_what_no_other_tool_was_measured_for_is_not_judged() -> None:
    told = cells(page_table.verdicts({SERVICE: measured(opened=0.4, requests=5)}))
    assert [row[1] for row in told] == ["requests, cold: at most 10"]


def test_a_lost_page_is_told_with_what_it_said() -> None:
    ours = page_table.Measured(
        server_lost=Noticed(5.1), kernel_lost=Noticed(4.9, words="Connection lost")
    )
    gradio = page_table.Measured(server_lost=Noticed(None, 0.1))
    stock = page_table.Measured(server_lost=Noticed(None))
    service = page_table.Measured(server_lost=Noticed(0.2))
    found = {NOTEBOOK: ours, SERVICE: service, GRADIO: gradio, page_table.STOCK: stock}
    server, kernel = list(figures(found).values())[-2:]
    assert server[:2] == ["5.1 s", "0.2 s"]
    assert "with the next photo, after 0.1 s" in server[2]
    assert "nor 5 s after" in server[3]
    assert kernel[0] == "4.9 s"
    judged = {(row[0], row[1].split()[0]): row[3] for row in cells(page_table.verdicts(found))}
    assert judged == {
        (NOTEBOOK, "server"): "NO",
        (SERVICE, "server"): "yes",
        (NOTEBOOK, "kernel"): "yes",
    }
    assert any("Connection lost" in note for note in page_table.notes(found))


def test_of_several_pages_the_slowest_counts() -> None:
    late, never = Noticed(3.0), Noticed(None)
    assert lost.slowest([Noticed(1.0), late, Noticed(2.0)]) is late
    assert lost.slowest([never, late]) is never


def test_answers_are_set_beside_those_of_the_command_line() -> None:
    sure, torn = {"black": 0.9, "teddy": 0.1}, {"black": 0.5, "teddy": 0.5}
    found: dict[str, one_answer.Answers] = {
        one_answer.COMMAND_LINE: {"a.jpg": sure, "b/c.jpg": torn, "d.jpg": sure, "e.jpg": None},
        "page": {
            "a.jpg": sure,
            "b/c.jpg": {"teddy": 0.75, "black": 0.25},
            "d.jpg": None,
            "e.jpg": sure,
        },
        "other page": {},
    }
    photos = one_answer.Photos({"drawn": [Path("a.jpg")], "real": [Path("b/c.jpg"), Path("d.jpg")]})
    assert cells(one_answer.table(found, photos)) == [
        ["page", "2", "0.0000 (a.jpg)", "0.2500 (c.jpg)", "0.1250", "1", "1"],
        ["other page", "0", "", "", "", "0", "3"],
    ]


def test_the_largest_photos_come_first_and_what_is_no_picture_not_at_all(tmp_path: Path) -> None:
    for name, size in (("a.png", (30, 20)), ("b.png", (300, 200)), ("c.png", (60, 50))):
        draw(size).save(tmp_path / name)
    (tmp_path / "SOURCES.tsv").write_text("a table")
    assert [path.name for path in one_answer.largest(tmp_path)] == ["b.png", "c.png", "a.png"]


def test_without_real_photos_all_are_made_by_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_answer, "PHOTOS", tmp_path / "gone")
    monkeypatch.setattr(one_answer, "draw", lambda path, *_, **seed: (path, seed["seed"]))
    made: Any = one_answer.photos_in(tmp_path, 5).all
    assert [seed for _, seed in made] == [0, 1, 2, 3, 4]


def test_a_photo_is_enlarged_to_twelve_megapixels(tmp_path: Path) -> None:
    draw((40, 30)).save(tmp_path / "small.png")
    with Image.open(one_answer.enlarge(tmp_path / "small.png", tmp_path / "large.jpg")) as large:
        assert (large.size, large.format) == ((4000, 3000), "JPEG")


def test_requests_are_told_apart_by_their_host() -> None:
    urls = ["http://127.0.0.1:1/", "ws://127.0.0.1:1/a", "http://fonts.test/b", "data:,c", "blob:d"]
    assert page_visits.asked_for(urls, "127.0.0.1:1") == {"requests": 3, "other hosts": 1}


def test_a_large_photo_is_drawn_the_same_again_and_lies_on_its_side(tmp_path: Path) -> None:
    once, again = (page_visits.draw(tmp_path / name, (400, 300)) for name in ("a.jpg", "b.jpg"))
    assert once.read_bytes() == again.read_bytes()
    with Image.open(once) as picture:
        assert picture.getexif()[page_visits.ORIENTATION] == page_visits.SIDEWAYS
        assert ImageOps.exif_transpose(picture).size == (300, 400)


def test_an_environment_is_weighed_with_each_file_once(tmp_path: Path) -> None:
    fresh = Fresh(tmp_path / "fresh")
    (tmp_path / "fresh" / "deep").mkdir(parents=True)
    once = fresh.megabytes()
    (tmp_path / "fresh" / "deep" / "file").write_bytes(b"1" * 3_000_000)
    os.link(tmp_path / "fresh" / "deep" / "file", tmp_path / "fresh" / "again")
    assert 3.0 <= fresh.megabytes() - once < 3.5


def test_a_fresh_environment_has_nothing_of_the_testers_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("PYTHONPATH", "VOILEARN_URL", "VIRTUAL_ENV", "UV_INDEX_URL", "PIP_CERT"):
        monkeypatch.setenv(name, "elsewhere")
    variables = Fresh(tmp_path / "fresh").environment()
    assert {name for name, value in variables.items() if value == "elsewhere"} == {"PIP_CERT"}
    assert variables["HOME"] == str(tmp_path / "fresh-home")


def test_a_page_is_asked_until_it_answers_or_ends() -> None:
    tried: list[int] = []

    def ask() -> None:
        tried.append(1)
        if len(tried) < 3:
            raise urllib.error.URLError("it does not listen yet")

    sleeping: Any = SimpleNamespace(poll=lambda: None)
    first_answers.until_answered(ask, sleeping)
    assert len(tried) == 3
    ended: Any = SimpleNamespace(poll=lambda: 1)
    with pytest.raises(RuntimeError, match="did not answer"):
        first_answers.until_answered(ask, ended)


def test_the_first_of_several_runs_is_not_counted() -> None:
    ran: list[int] = []
    assert first_answers.middle(lambda: ran.append(1), 3) >= 0
    assert len(ran) == 4
