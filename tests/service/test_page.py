"""The page as the service sends it: headers, what is kept and packed, the author's words, examples.

In: a service with a page, in this process; out: what a browser gets.
"""

import base64
import gzip
import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from PIL import Image
from starlette.testclient import TestClient

from tests import onnx_files
from tests.conftest import ROOT, draw, encode
from voilearn.errors import UnusableSettings
from voilearn.page.bundle import ROOMS
from voilearn.page.title import UNTITLED, read_title
from voilearn.service.app import make_app
from voilearn.service.live_model import LiveModel
from voilearn.service.open_pages import OpenPages
from voilearn.service.page import Examples, PageFiles, ServicePage, policy
from voilearn.service.service import Service
from voilearn.service.work_queue import WorkQueue

TOKEN = "a token of some length"
RED = encode(Image.new("RGB", (40, 30), (250, 0, 0)), "JPEG")
SIDEWAYS = 6  # an orientation of EXIF
HOSTILE = '</script><img src=x onerror="alert(1)">'


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> LiveModel:
    model = LiveModel(onnx_files.write(tmp_path_factory.mktemp("model"), onnx_files.model()))
    model.load()
    return model


@pytest.fixture
def queue() -> Iterator[WorkQueue]:
    queue = WorkQueue(workers=1, places=8, share=8)
    yield queue
    queue.close()


def client_of(
    folder: Path, model: LiveModel, queue: WorkQueue, token: str | None = None, *origins: str
) -> TestClient:
    """A browser at a service that shows the page of a folder."""
    service = Service(model, queue, token, origins)
    files, examples = PageFiles(folder, origins), Examples(folder / "examples")
    service.page = ServicePage(files, examples, OpenPages(model, queue))
    return TestClient(make_app(service))


@pytest.fixture
def client(tmp_path: Path, model: LiveModel, queue: WorkQueue) -> TestClient:
    return client_of(tmp_path, model, queue)


def addresses(page: str) -> list[str]:
    """What the page's first text names: its style, its script, its worker."""
    worker = json.loads(re.findall(r'type="application/json">(.*?)</script>', page)[0])["worker"]
    return [*re.findall(r'(?:href|src)="(page/[^"]+)"', page), f"page/{worker}"]


def test_the_page_is_at_the_services_own_address_and_its_documentation_stays(
    client: TestClient,
) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert 'class="voilearn-page"' in answer.text
    assert "<noscript>" in answer.text
    assert client.get("/docs").status_code == 200


def test_a_service_without_a_page_leads_to_its_documentation(
    model: LiveModel, queue: WorkQueue
) -> None:
    bare = TestClient(make_app(Service(model, queue)), follow_redirects=False)
    assert bare.get("/").headers["location"] == "docs"
    for route in ("/embed.js", "/v1/examples", "/v1/events", "/page/page.css"):
        assert bare.get(route).status_code == 404


def test_all_addresses_are_relative_and_of_the_page_alone(client: TestClient) -> None:
    page = client.get("/").text
    named = re.findall(r'(?:href|src)="([^"]*)"', page)
    assert set(named) - {"data:,"} == set(addresses(page)[:2])
    assert len(addresses(page)) == 3


def test_files_are_named_by_their_content_and_kept_for_ever(
    client: TestClient, tmp_path: Path, model: LiveModel, queue: WorkQueue
) -> None:
    page = client.get("/").text
    for address in addresses(page):
        answer = client.get(f"/{address}")
        assert answer.status_code == 200
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert re.fullmatch(r"page/\w+-[0-9a-f]{16}\.(css|js)", address)
    assert addresses(client_of(tmp_path, model, queue).get("/").text) == addresses(page)


def test_the_first_text_is_asked_for_each_time_and_sent_only_if_it_changed(
    client: TestClient,
) -> None:
    first = client.get("/")
    assert first.headers["cache-control"] == "no-cache"
    again = client.get("/", headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert client.get("/", headers={"if-none-match": 'W/"other"'}).status_code == 200


@pytest.mark.parametrize(
    ("accepted", "packed"),
    [
        ("gzip, deflate, br", True),
        ("deflate,GZIP;q=0.5", True),
        ("br", False),
        ("gzip;q=0", False),
        ("gzip; q=0.0, br", False),
        ("", False),
    ],
)
def test_files_are_packed_for_who_takes_them_so(
    client: TestClient, accepted: str, packed: bool
) -> None:
    for address in ("", *addresses(client.get("/").text)):
        with client.stream("GET", f"/{address}", headers={"accept-encoding": accepted}) as answer:
            body = b"".join(answer.iter_raw())
            whole = client.get(f"/{address}", headers={"accept-encoding": ""}).content
            assert ("content-encoding" in answer.headers) is packed
            assert (gzip.decompress(body) if packed else body) == whole
            assert "Accept-Encoding" in answer.headers["vary"]
            assert int(answer.headers["content-length"]) == len(body)


def test_a_first_visit_is_small(client: TestClient) -> None:
    size = 0
    for address in ("", *addresses(client.get("/").text)):
        with client.stream("GET", f"/{address}", headers={"accept-encoding": "gzip"}) as answer:
            size += len(b"".join(answer.iter_raw())) + len(str(answer.headers))
    assert size < 80_000


def test_the_policy_lets_the_page_ask_and_run_its_own_alone(client: TestClient) -> None:
    for address in ("", *addresses(client.get("/").text)):
        headers = client.get(f"/{address}").headers
        told = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
        assert told.pop("img-src") == "'self' blob: data:"
        nothing = {"default-src", "base-uri", "form-action"}
        assert {name for name, value in told.items() if value == "'none'"} == nothing
        assert {value for name, value in told.items() if name not in nothing} == {"'self'"}
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("origins", "framed"),
    [
        ((), "'self'"),
        (("https://a.example", "null"), "'self' https://a.example"),
        (
            ("https://a.example", "http://b.example:81"),
            "'self' https://a.example http://b.example:81",
        ),
        (("*",), "*"),
    ],
)
def test_whoever_may_ask_may_have_it_in_a_frame(origins: tuple[str, ...], framed: str) -> None:
    assert policy(origins).endswith(f"; frame-ancestors {framed}")


def test_the_page_has_nothing_inline_that_a_browser_would_run(client: TestClient) -> None:
    page = client.get("/").text
    for script in re.findall(r"<script[^>]*>", page):
        assert "src=" in script or 'type="application/json"' in script
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page)


def write_notebook(folder: Path, first: dict[str, Any]) -> None:
    (folder / "app.ipynb").write_text(json.dumps({"cells": [first]}))


HEADING = {"cell_type": "markdown", "source": ["# Bears\n", "\n", "Which bear is it?"]}


def test_title_and_introduction_are_the_notebooks(
    tmp_path: Path, model: LiveModel, queue: WorkQueue
) -> None:
    write_notebook(tmp_path, HEADING)
    page = client_of(tmp_path, model, queue).get("/").text
    assert "<title>Bears</title>" in page
    assert "<h1>Bears</h1>\n<p>Which bear is it?</p>" in page


def test_app_toml_has_the_last_word(tmp_path: Path, model: LiveModel, queue: WorkQueue) -> None:
    write_notebook(tmp_path, HEADING)
    (tmp_path / "app.toml").write_text(
        'title = "Bären"\nintroduction = "Eins.\\n\\nZwei."\nlanguage = "de"\nphoto_size = 512\n'
        '[classes.red]\nname = "Rot"\n'
    )
    page = client_of(tmp_path, model, queue).get("/").text
    assert '<header lang="de">\n<h1>Bären</h1>\n<p>Eins.</p>\n<p>Zwei.</p>\n</header>' in page
    told = json.loads(re.findall(r'type="application/json">(.*?)</script>', page)[0])["settings"]
    assert (told["photo_size"], told["classes"]) == (512, {"red": {"name": "Rot"}})


@pytest.mark.parametrize("first", [None, {"cell_type": "code", "source": "1"}])
def test_a_page_without_a_title_asks_its_question(
    tmp_path: Path, model: LiveModel, queue: WorkQueue, first: dict[str, Any] | None
) -> None:
    if first:
        write_notebook(tmp_path, first)
        with pytest.raises(UnusableSettings):
            read_title(tmp_path / "app.ipynb")
    page = client_of(tmp_path, model, queue).get("/").text
    assert f'<h1 data-say="untitled">{UNTITLED}</h1>' in page
    assert f'untitled: "{UNTITLED}"' in (ROOMS / "page" / "words.js").read_text("utf-8")


def test_what_an_author_writes_is_text(tmp_path: Path, model: LiveModel, queue: WorkQueue) -> None:
    words = json.dumps(HOSTILE)
    (tmp_path / "app.toml").write_text(
        f"title = {words}\nintroduction = {words}\n[classes.red]\nname = {words}\n"
    )
    page = client_of(tmp_path, model, queue).get("/").text
    assert HOSTILE not in page
    assert "<img src=x" not in page
    told = json.loads(re.findall(r'type="application/json">(.*?)</script>', page)[0])["settings"]
    assert told["title"] == told["classes"]["red"]["name"] == HOSTILE


def test_an_app_toml_that_says_what_it_cant_is_refused(tmp_path: Path) -> None:
    (tmp_path / "app.toml").write_text("titel = 'Bears'\n")
    with pytest.raises(UnusableSettings, match='Did you mean "title"'):
        PageFiles(tmp_path, ())


def test_a_service_whose_app_toml_says_what_it_cant_does_not_start(tmp_path: Path) -> None:
    model = onnx_files.write(tmp_path, onnx_files.model())
    (tmp_path / "app.toml").write_text("photo_size = 1\n")
    command = [sys.executable, "-m", "voilearn", "serve", "--model", str(model), "--port", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "voilearn: In app.toml, photo_size is out of range; it has to be from 64 to 8192 pixels.\n"
    )


def test_the_page_needs_no_token_and_what_it_asks_does(
    tmp_path: Path, model: LiveModel, queue: WorkQueue
) -> None:
    guarded = client_of(tmp_path, model, queue, TOKEN)
    page = guarded.get("/").text
    for address in ("", "embed.js", *addresses(page)):
        assert guarded.get(f"/{address}").status_code == 200
    bearer = {"authorization": f"Bearer {TOKEN}"}
    for method, route, status in (
        ("GET", "/v1/examples", 200),
        ("GET", "/v1/examples/0", 404),
        ("POST", "/v1/examples/0", 404),
        ("GET", "/v1/events", 200),
    ):
        assert guarded.request(method, route).status_code == 401
        assert guarded.request(method, route, headers=bearer).status_code == status


def lay_out(folder: Path) -> None:
    """Examples of an author's: one on its side, with EXIF; one that no browser shows."""
    (folder / "examples").mkdir()
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = SIDEWAYS, "a secret place"
    draw((400, 300)).save(folder / "examples" / "a red-thing.jpg", exif=exif)
    Image.new("RGB", (900, 700), (0, 0, 250)).save(folder / "examples" / "blue.tif")
    (folder / "examples" / "no picture.jpg").write_bytes(b"none")


def picture_of(data: bytes) -> Image.Image:
    assert b"secret" not in data
    picture = Image.open(io.BytesIO(data))
    assert picture.format == "JPEG"
    assert not picture.getexif()
    return picture


def from_uri(uri: str) -> bytes:
    head, _, data = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return base64.b64decode(data, validate=True)


def test_examples_are_listed_with_their_pictures_shown_and_answered(
    tmp_path: Path, model: LiveModel, queue: WorkQueue
) -> None:
    lay_out(tmp_path)
    client = client_of(tmp_path, model, queue)
    listed = client.get("/v1/examples").json()["examples"]
    assert [each["name"] for each in listed] == ["a red thing", "blue"]
    assert picture_of(from_uri(listed[0]["picture"])).size == (144, 192)
    for number, size in enumerate(((300, 400), (640, 498))):
        shown = client.get(f"/v1/examples/{number}")
        assert shown.headers["content-type"] == "image/jpeg"
        assert picture_of(shown.content).size == size
        told = client.post(f"/v1/examples/{number}")
        photo = sorted((tmp_path / "examples").iterdir())[number].read_bytes()
        assert told.json() == client.post("/v1/classify", content=photo).json()


@pytest.mark.parametrize("number", ["2", "-1", "99999", "x", "%00", "1" * 5000, "0x0"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_example_that_is_not_there_is_a_problem(
    tmp_path: Path, model: LiveModel, queue: WorkQueue, number: str, method: str
) -> None:
    lay_out(tmp_path)
    answer = client_of(tmp_path, model, queue).request(method, f"/v1/examples/{number}")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_examples_are_found_by_who_has_not_listed_them(
    tmp_path: Path, model: LiveModel, queue: WorkQueue
) -> None:
    lay_out(tmp_path)
    assert client_of(tmp_path, model, queue).get("/v1/examples/1").status_code == 200


def test_a_service_without_examples_lists_none(client: TestClient) -> None:
    assert client.get("/v1/examples").json() == {"examples": []}


@pytest.mark.parametrize("format", ["TIFF", "JPEG"])
def test_a_photo_that_a_browser_cant_show_comes_back_as_one_that_it_can(
    client: TestClient, format: str
) -> None:
    photo = encode(Image.new("RGB", (1300, 700), (250, 0, 0)), format)
    told = client.post("/v1/classify?preview=1", content=photo).json()
    assert picture_of(from_uri(told.pop("preview"))).size == (640, 345)
    assert told == client.post("/v1/classify", content=photo).json()


@pytest.mark.parametrize("query", ["", "?preview=0", "?preview=", "?preview=yes", "?other=1"])
def test_who_does_not_ask_for_a_picture_gets_none(client: TestClient, query: str) -> None:
    assert "preview" not in client.post(f"/v1/classify{query}", content=RED).json()


def test_a_photo_that_is_no_good_is_told_with_a_preview_wanted_too(client: TestClient) -> None:
    assert client.post("/v1/classify?preview=1", content=RED[:200]).status_code == 422


@pytest.mark.parametrize(
    "route", ["/page/", "/page/page.css", "/page/..%2f..%2fexport.pkl", "/page/%00", "/page/a/b"]
)
def test_nothing_else_is_among_the_files(client: TestClient, route: str) -> None:
    assert client.get(route).status_code == 404


def test_any_site_may_load_the_script_for_embedding_so_that_it_can_say_what_is_wrong(
    tmp_path: Path, model: LiveModel, queue: WorkQueue
) -> None:
    client = client_of(tmp_path, model, queue, None, "https://friend.example")
    for origin, allowed in (
        ("https://friend.example", "https://friend.example"),
        ("https://other.example", "*"),
    ):
        answer = client.get("/embed.js", headers={"origin": origin})
        assert answer.headers["access-control-allow-origin"] == allowed
        assert answer.headers["cache-control"] == "public, max-age=300"
        assert answer.headers["content-type"].startswith("text/javascript")
    assert (
        "access-control-allow-origin"
        not in client.get("/", headers={"origin": "https://other.example"}).headers
    )


def test_head_tells_of_the_page_without_it(client: TestClient) -> None:
    for route in ("/", "/embed.js", "/v1/examples", "/v1/events"):
        told = client.head(route)
        assert (told.status_code, told.content) == (200, b"")


def test_the_document_tells_of_what_the_page_asks(client: TestClient) -> None:
    told = client.get("/openapi.json").json()
    asked = {"/v1/examples", "/v1/examples/{number}", "/v1/events"}
    assert asked <= set(told["paths"])
    assert not {"/", "/embed.js", "/page/{name}"} & set(told["paths"])
    assert told["paths"]["/v1/classify"]["post"]["parameters"][0]["name"] == "preview"
    events = told["paths"]["/v1/events"]["get"]["responses"]["200"]
    assert list(events["content"]) == ["text/event-stream"]
