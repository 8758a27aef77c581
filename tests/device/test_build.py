"""`voilearn device` puts together a folder that any static host can serve, or says why it can't."""

import base64
import gzip
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests import onnx_files
from tests.browser.device import build, run_build, write_model, write_notebook
from tests.browser.drawn import png
from tests.conftest import ROOT, draw
from voilearn.device import npm
from voilearn.device.build import read_model
from voilearn.device.npm import DECODER, RUNTIME, Package, get_package
from voilearn.errors import CannotBuild
from voilearn.page.title import UNTITLED
from voilearn.users_folders import cache_folder

DEVICE = ROOT / "voilearn" / "device"
THIS_MACHINE = cache_folder()


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model"), classes=("a", "b", "c", "</script>"))


@pytest.fixture(scope="module")
def dist(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(model, tmp_path_factory.mktemp("built") / "dist")


def described(dist: Path) -> dict[str, object]:
    page = (dist / "index.html").read_text()
    found = re.search(r'id="model">(.*)</script>', page)
    assert found
    told: dict[str, object] = json.loads(found[1])
    return told


def deployed(dist: Path) -> dict[str, list[str]]:
    """What the service worker knows of the files."""
    found = re.findall(r"= (\{.*\});", (dist / "sw.js").read_text())
    told: dict[str, list[str]] = json.loads(found[0])
    return told


def test_large_files_are_packed_and_named_by_what_is_in_them(dist: Path, model: Path) -> None:
    for file in dist.glob("*.gz"):
        sha256 = hashlib.sha256(gzip.decompress(file.read_bytes())).hexdigest()
        assert sha256[:16] in file.name
    named = sorted({file.name.partition("-")[0] for file in dist.glob("*.gz")})
    assert named == ["libheif", "model", "ort"]


def test_the_pages_model_answers_as_the_one_it_was_made_of(dist: Path, model: Path) -> None:
    load = pytest.importorskip("voilearn.compiled.load")
    packed = next(dist.glob("model-*.onnx.gz"))
    of_page = load.open_session(gzip.decompress(packed.read_bytes()))
    for size in ((64, 64), (300, 200)):
        told = load.run(of_page, draw(size)).probabilities
        given = load.run(load.open_session(model / "export.onnx"), draw(size)).probabilities
        assert told == pytest.approx(given, abs=1e-6)


def test_a_graph_that_could_do_harm_is_packed_and_not_opened(
    model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx = pytest.importorskip("onnx")
    file = Path(shutil.copytree(model, tmp_path / "model"), "export.onnx")
    graph = onnx.load(file)
    graph.graph.node[0].domain = "anybodys.code"
    graph.opset_import.append(onnx.helper.make_opsetid("anybodys.code", 1))
    file.write_bytes(graph.SerializeToString())
    told = json.loads(file.with_suffix(".json").read_text())
    told["onnx"]["sha256"] = hashlib.sha256(file.read_bytes()).hexdigest()
    file.with_suffix(".json").write_text(json.dumps(told))
    opened: list[bytes] = []
    monkeypatch.setattr("voilearn.compiled.joined.joined", opened.append)
    read_model(model / "export.onnx")
    assert len(opened) == 1
    network, facts = read_model(file)
    assert len(opened) == 1
    assert gzip.decompress(network.packed) == file.read_bytes()
    assert facts["joined"] is False


def test_without_what_joins_layers_the_model_goes_as_it_is(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "voilearn.compiled.joined", None)
    network, facts = read_model(model / "export.onnx")
    assert gzip.decompress(network.packed) == (model / "export.onnx").read_bytes()
    assert facts["joined"] is False


def test_the_page_knows_its_model(dist: Path) -> None:
    told = described(dist)
    assert told["classes"] == ["a", "b", "c", "</script>"]
    assert told["size"] == 64
    assert told["task"] == "single-label"


def test_the_page_knows_the_scope_of_its_model(tmp_path: Path) -> None:
    made = onnx_files.write(tmp_path, onnx_files.model())
    beside = made.with_suffix(".json")
    told = json.loads(beside.read_text())
    rows = {"columns": 2, "scales": [1.0], "int8": "AQI="}
    terms = [{"kind": "outside", "threshold": 0.5, "rows": rows, "bias": 1.0}]
    scope = {"model": told["model"], "temperature": 0.5, "activation": "softmax", "terms": terms}
    beside.write_text(json.dumps({**told, "scope": {**scope, "chosen": {"photos": 100}}}))
    _, facts = read_model(made)
    assert facts["scope"] == {key: scope[key] for key in ("temperature", "activation", "terms")}
    beside.write_text(json.dumps({**told, "scope": {**scope, "chosen": {}, "temperature": -1}}))
    with pytest.raises(CannotBuild, match="does not describe a compiled model"):
        read_model(made)


def test_title_and_sentence_are_those_of_the_notebook(dist: Path) -> None:
    page = (dist / "index.html").read_text()
    assert "<title>Bear classifier</title>" in page
    assert "Is it a grizzly, a black bear or a teddy?" in page
    manifest = json.loads((dist / "manifest.webmanifest").read_text())
    assert manifest["name"] == "Bear classifier"


APP = """
title = "Corners & <more>"
introduction = '''
Which is it?

Two lines
of one.'''
language = "de"

[classes.a]
name = "An a"
colour = "#a8591f"

[classes.z]
name = "A z"
"""


@pytest.fixture(scope="module")
def authored(
    model: Path, tmp_path_factory: pytest.TempPathFactory
) -> "subprocess.CompletedProcess[str]":
    """A page whose author has an app.toml and examples; the notebook's title is another."""
    folder = tmp_path_factory.mktemp("authored")
    notebook = write_notebook(folder, "Not this")
    (folder / "app.toml").write_text(APP)
    (folder / "examples").mkdir()
    for name in ("bear_1.png", "bear_2.png"):
        (folder / "examples" / name).write_bytes(png(int(name[5])))
    (folder / "examples" / "bear_3.jpg").write_bytes(b"no picture")
    done = run_build(model, "-o", folder / "dist", "--notebook", notebook)
    assert done.returncode == 0, done.stderr
    done.args = folder / "dist"
    return done


def test_the_authors_words_are_those_of_app_toml(
    authored: "subprocess.CompletedProcess[str]",
) -> None:
    page = (authored.args / "index.html").read_text()
    assert "<title>Corners &amp; &lt;more&gt;</title>" in page
    assert '<header lang="de">' in page
    assert "<p>Which is it?</p>\n<p>Two lines\nof one.</p>" in page
    assert "Not this" not in page
    classes = {"a": {"name": "An a", "colour": "#a8591f"}}
    assert described(authored.args)["settings"] == {"classes": classes}
    assert "app.toml says something of 'z', which is no class of this model" in authored.stderr
    manifest = json.loads((authored.args / "manifest.webmanifest").read_text())
    assert manifest["description"] == "Which is it? Two lines of one."


def test_the_authors_examples_are_deployed_and_kept_for_a_visit_without_a_network(
    authored: "subprocess.CompletedProcess[str]",
) -> None:
    examples: Any = described(authored.args)["examples"]
    assert [example["name"] for example in examples] == ["bear 1", "bear 2"]
    small = deployed(authored.args)["small"]
    for example in examples:
        for path in (example["thumb"], example["photo"]):
            assert (authored.args / path).is_file()
            assert path in small
    assert "The example bear_3.jpg is left out: " in authored.stderr


def test_an_unusable_app_toml_is_a_sentence(model: Path, tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path, "A title")
    (tmp_path / "app.toml").write_text("titel = 'Bears'")
    done = run_build(model, "-o", tmp_path / "dist", "--notebook", notebook)
    assert done.returncode == 1
    assert 'In app.toml, titel is not known. Did you mean "title"?' in done.stderr
    assert not (tmp_path / "dist").exists()


def test_all_that_the_page_names_is_there_and_relative(dist: Path) -> None:
    page = (dist / "index.html").read_text()
    named = re.findall(r'(?:src|href)="([^"]+)"', page)
    small, large = deployed(dist)["small"], deployed(dist)["large"]
    for name in (*named, *small):
        assert not name.startswith(("/", "http")), name
        assert (dist / name).exists(), name
    for name in large:
        assert (dist / f"{name}.gz").is_file()
    files = {path.relative_to(dist).as_posix() for path in dist.rglob("*") if path.is_file()}
    unnamed = {"index.html", "sw.js", ".nojekyll", *(f"{name}.gz" for name in large)}
    assert files - unnamed == {*small, *deployed(dist)["later"]} - {"./"}


def test_nothing_is_left_to_fill_in_and_no_other_host_is_named(dist: Path) -> None:
    for file in dist.rglob("*"):
        if file.suffix in {".html", ".js", ".css", ".webmanifest"} and file.name != "ort.js":
            text = file.read_text()
            assert "{{" not in text, file
            assert not re.findall(r"https?://\S+", text), file


def test_icons_are_drawn_in_their_sizes(dist: Path) -> None:
    for size in (192, 512):
        with Image.open(next(dist.glob(f"page-*/icon-{size}.png"))) as icon:
            assert icon.size == (size, size)
            assert len(icon.convert("RGB").getcolors() or ()) == 2


def test_building_twice_gives_the_same_and_another_model_another_name(
    dist: Path, model: Path, tmp_path: Path
) -> None:
    again = build(model, tmp_path / "dist")
    names = sorted(file.relative_to(dist) for file in dist.rglob("*"))
    assert names == sorted(file.relative_to(again) for file in again.rglob("*"))
    assert (again / "sw.js").read_bytes() == (dist / "sw.js").read_bytes()
    build(write_model(tmp_path / "other", ("a", "b", "c", "d", "e")), again)
    assert (again / "sw.js").read_bytes() != (dist / "sw.js").read_bytes()
    assert len(list(again.glob("model-*"))) == 1


WRONG = {
    "no model": (lambda folder: (folder / "export.onnx").unlink(), "voilearn compile"),
    "no description": (lambda folder: (folder / "export.json").unlink(), "voilearn compile"),
    "another network": (
        lambda folder: (folder / "export.onnx").write_bytes(b"other"),
        "Compile the model again, so that the two belong together.",
    ),
    "no JSON": (lambda folder: (folder / "export.json").write_text("{"), "can't be read"),
    "JSON without end": (
        lambda folder: (folder / "export.json").write_text("[" * 1_000_000),
        "can't be read",
    ),
    "another JSON": (
        lambda folder: (folder / "export.json").write_text('{"model": {}}'),
        "does not describe a compiled model",
    ),
}


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_model_is_a_sentence_and_leaves_the_old_page(
    what: str, model: Path, tmp_path: Path
) -> None:
    spoil, sentence = WRONG[what]
    broken = Path(shutil.copytree(model, tmp_path / "model"))
    spoil(broken)
    (tmp_path / "dist").mkdir()
    done = run_build(broken, "-o", tmp_path / "dist")
    assert done.returncode == 1
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert (tmp_path / "dist").is_dir()


def test_a_notebook_without_a_title_is_a_sentence(model: Path, tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path, "")
    notebook.write_text(notebook.read_text().replace("# ", ""))
    done = run_build(model, "-o", tmp_path / "dist", "--notebook", notebook)
    assert done.returncode == 1
    assert "a title: # My title" in done.stderr


def test_a_folder_with_other_files_is_left_alone(dist: Path, model: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = run_build(model, "-o", tmp_path)
    assert done.returncode == 1
    assert "has other files in it" in done.stderr
    assert (tmp_path / "thesis.txt").exists()


def version(name: str = "onnxruntime-web") -> str:
    pinned = json.loads((DEVICE / "package.json").read_text())["dependencies"]
    return str(pinned[name])


@pytest.fixture
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in npm's place, on a machine where no runtime was kept yet."""
    monkeypatch.setenv("npm_config_registry", (tmp_path / "registry").as_uri())
    for name in ("XDG_CACHE_HOME", "HOME", "LOCALAPPDATA"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    return tmp_path / "registry" / "onnxruntime-web" / "-" / f"onnxruntime-web-{version()}.tgz"


@pytest.mark.parametrize(
    ("package", "sentence"),
    [
        (None, "and name it with --runtime"),
        (b"not the package", "is not the package that package.json names"),
    ],
)
def test_a_registry_that_does_not_have_the_package_is_a_sentence(
    registry: Path, model: Path, tmp_path: Path, package: bytes | None, sentence: str
) -> None:
    if package:
        registry.parent.mkdir(parents=True)
        registry.write_bytes(package)
    done = run_build(model, "-o", tmp_path / "dist")
    assert done.returncode == 1
    assert f"downloading the runtime, 33 MB, once: {registry.as_uri()}" in done.stderr
    assert sentence in done.stderr
    assert not (tmp_path / "dist").exists()
    assert not list(tmp_path.glob("home/**/onnxruntime*"))


@pytest.mark.parametrize(
    ("file", "sentence"),
    [
        ("runtime.tgz", "runtime.tgz is not the package of the runtime: its hash is sha512-"),
        ("missing.tgz", "missing.tgz can't be read: No such file or directory"),
        (".", "can't be read: Is a directory"),
    ],
)
def test_a_file_that_is_not_the_runtime_is_a_sentence(
    model: Path, tmp_path: Path, file: str, sentence: str
) -> None:
    (tmp_path / "runtime.tgz").write_bytes(b"not the package")
    done = run_build(model, "-o", tmp_path / "dist", "--runtime", tmp_path / file)
    assert (done.returncode, done.stdout) == (1, "")
    assert sentence in done.stderr
    assert not (tmp_path / "dist").exists()


def packed(package: Package, **content: bytes) -> bytes:
    """A package, as npm packs it."""
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w:gz") as tar:
        for what, each in content.items():
            member = tarfile.TarInfo(f"package/{getattr(package, what)}")
            member.size = len(each)
            tar.addfile(member, io.BytesIO(each))
    return data.getvalue()


@pytest.fixture
def pinned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[Package, bytes]:
    """Small packages that package.json names in the real ones' place."""
    named: dict[str, dict[str, str]] = {"dependencies": {}, "integrity": {}}
    found = {}
    for package in (RUNTIME, DECODER):
        parts = {"script": b"script", "binary": b"binary"}
        data = packed(package, **parts, **({"licence": b"licence"} if package.licence else {}))
        found[package] = data
        hashed = base64.b64encode(hashlib.sha512(data).digest()).decode()
        named["dependencies"][package.name] = version(package.name)
        named["integrity"][package.name] = f"sha512-{hashed}"
    (tmp_path / "package.json").write_text(json.dumps(named))
    monkeypatch.setattr(npm, "PINNED", tmp_path / "package.json")
    return found


def heard(line: str) -> None:
    assert "downloading" in line


def unheard(line: str) -> None:
    raise AssertionError(line)


@pytest.mark.parametrize("package", [RUNTIME, DECODER], ids=["runtime", "decoder"])
def test_a_package_that_is_a_file_needs_no_network_and_is_kept(
    registry: Path, pinned: dict[Package, bytes], package: Package, tmp_path: Path
) -> None:
    (tmp_path / "package.tgz").write_bytes(pinned[package])
    brought = get_package(package, tmp_path / "package.tgz", unheard)
    assert (brought.script, gzip.decompress(brought.binary.packed)) == (b"script", b"binary")
    assert brought.licence == (b"licence" if package.licence else b"")
    assert get_package(package, None, unheard) == brought


def test_the_runtime_is_downloaded_once(registry: Path, pinned: dict[Package, bytes]) -> None:
    registry.parent.mkdir(parents=True)
    registry.write_bytes(pinned[RUNTIME])
    said: list[str] = []
    assert get_package(RUNTIME, None, said.append) == get_package(RUNTIME, None, unheard)
    assert len(said) == 1


def test_the_runtime_is_had_where_nothing_can_be_kept_or_what_was_kept_is_damaged(
    registry: Path, pinned: dict[Package, bytes], tmp_path: Path
) -> None:
    registry.parent.mkdir(parents=True)
    registry.write_bytes(pinned[RUNTIME])
    whole = get_package(RUNTIME, None, heard)
    (kept,) = tmp_path.glob("home/**/onnxruntime-web-*")
    (kept / npm.KEPT[1]).write_bytes(b"cut")
    assert get_package(RUNTIME, None, heard) == whole == get_package(RUNTIME, None, unheard)
    shutil.rmtree(tmp_path / "home")
    (tmp_path / "home").write_text("a file where the folder would be")
    assert get_package(RUNTIME, None, heard) == whole


def test_a_page_without_a_decoder_is_made_and_says_what_it_lacks(
    registry: Path, model: Path, tmp_path: Path
) -> None:
    """As where only the runtime was carried to a machine without a network."""
    (kept,) = (THIS_MACHINE or Path()).glob(f"onnxruntime-web-{version()}-*")
    shutil.copytree(kept, tmp_path / "home" / "voilearn" / kept.name)
    done = run_build(model, "-o", tmp_path / "dist")
    assert done.returncode == 0, done.stderr
    assert "HEIC photos are opened only where the browser can: The decoder can't" in done.stderr
    assert "name it with --decoder." in done.stderr
    assert "heic" not in described(tmp_path / "dist")
    assert not list((tmp_path / "dist").rglob("*heif*"))


def test_a_file_that_is_not_the_decoder_is_a_sentence(model: Path, tmp_path: Path) -> None:
    (tmp_path / "decoder.tgz").write_bytes(b"not the package")
    done = run_build(model, "-o", tmp_path / "dist", "--decoder", tmp_path / "decoder.tgz")
    assert (done.returncode, done.stdout) == (1, "")
    assert "decoder.tgz is not the package of the decoder: its hash is sha512-" in done.stderr


def test_what_only_a_heic_photo_needs_is_not_kept_for_everybody(dist: Path) -> None:
    told = deployed(dist)
    assert {Path(name).name for name in told["later"]} == {
        *("heic.js", "libheif.js", "libheif-licence.txt")
    }
    assert not set(told["later"]) & set(told["small"])
    assert "GNU LESSER GENERAL PUBLIC LICENSE" in (dist / told["later"][2]).read_text()
    assert {name.partition("-")[0] for name in told["large"]} == {"libheif", "model", "ort"}


def test_a_model_alone_has_a_page_without_a_title_of_its_own(model: Path, tmp_path: Path) -> None:
    done = run_build(model / "export.onnx", "-o", tmp_path / "dist")
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "dist" / "index.html").read_text()
    assert f'<h1 data-say="untitled">{UNTITLED}</h1>' in page


@pytest.mark.parametrize("out", ["thesis.txt", "thesis.txt/dist"])
def test_a_place_that_is_no_folder_is_a_sentence(model: Path, tmp_path: Path, out: str) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    done = run_build(model, "-o", tmp_path / out)
    assert done.returncode == 1
    assert f"Nothing can be written to {tmp_path / out}: " in done.stderr
    assert "Name another folder with -o." in done.stderr
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_a_model_that_is_not_there_is_a_sentence_before_anything_is_downloaded(
    registry: Path, tmp_path: Path
) -> None:
    done = run_build(tmp_path / "export.pkl", "-o", tmp_path / "dist")
    assert (done.returncode, done.stdout) == (1, "")
    assert "There is no file export.pkl here" in done.stderr
    assert "downloading" not in done.stderr
