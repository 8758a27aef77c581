"""The command line of the contract, as a real process."""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import voilearn
from tests.conftest import ROOT, draw, encode, with_fastai
from voilearn.cli import _parser, main


def run(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "voilearn", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, check=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two photos, and a file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    (folder / "good.jpg").write_bytes(encode(draw(), "JPEG"))
    (folder / "bear.png").write_bytes(encode(draw(), "PNG"))
    (folder / "bad.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def mine(folder: Path, export: Path) -> Path:
    """Another model than the one in the current folder."""
    return Path(shutil.copy(export, folder / "mine.pkl"))


@pytest.fixture(scope="module")
def plain(folder: Path, mine: Path) -> "subprocess.CompletedProcess[str]":
    names = ("good.jpg", "bad.jpg", "missing.jpg", "good.jpg", "bear.png")
    return run("classify", "--model", mine, "--json", *(folder / name for name in names))


@pytest.mark.model
def test_classify_json_is_one_line_a_photo_and_nothing_else(
    folder: Path, plain: "subprocess.CompletedProcess[str]"
) -> None:
    assert plain.returncode == 1
    assert plain.stderr == ""
    first, second, third, fourth, _ = map(json.loads, plain.stdout.splitlines())
    assert list(first) == [
        "photo", "label", "probability", "probabilities", "labels", "in_scope", "model", "runtime",
        "agreement",
    ]  # fmt: skip
    assert (first["photo"], first) == (str(folder / "good.jpg"), fourth)
    assert first["model"]["name"] == "mine"
    bad = str(folder / "bad.jpg")
    assert (second["photo"], second["error"]["type"]) == (bad, "UnsupportedPhoto")
    assert set(second["error"]) == {"type", "message"}
    assert third["error"]["type"] == "PhotoNotFound"


@pytest.mark.model
def test_classify_in_words_is_one_line_a_photo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    photo = tmp_path / "bear.png"
    photo.write_bytes(encode(draw(), "PNG"))
    monkeypatch.chdir(ROOT)
    assert main(["classify", str(photo)]) == 0
    told = capsys.readouterr()
    assert (told.out.count("\n"), told.err) == (1, "")
    assert told.out.startswith(f"{photo}: ")
    assert all(name in told.out for name in ("black", "grizzly", "teddy"))


def test_classify_without_a_model_is_a_sentence(tmp_path: Path) -> None:
    done = run("classify", "x.jpg", "--model", tmp_path / "gone.pkl")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("voilearn: There is no file gone.pkl")
    assert "Traceback" not in done.stderr


@pytest.fixture
def colours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A compiled model, which opens in no time, in the current folder."""
    for package in ("onnx", "onnxruntime"):
        pytest.importorskip(package)
    from tests import onnx_files

    monkeypatch.chdir(tmp_path)
    return onnx_files.write(tmp_path, onnx_files.model())


NO_FILES = {
    "folder": "There is no photo in this folder.",
    "https://example.org/a.jpg": "This is a web address, which is not opened.",
    "*.gif": "This is a pattern that no file matches.",
    "": "This is an empty name.",
    "missing.jpg": "This photo can't be read: there is no such file. Check its path",
    "export.onnx/a.jpg": "This photo can't be read: Not a directory. Check its path, and that you",
    "export.onnx": "This file is a model, not a picture we can read.",
}
AWKWARD = [
    "a\nb.jpg",
    "a\x1b[31mb.jpg",
    "a\u202egpj.b",
    "a\x85b",
    "a\x9b31mb",
    "x\udcff.jpg",
    "ü\t.jpg",
]


@pytest.mark.parametrize("as_json", [False, True], ids=["words", "json"])
def test_classify_names_what_is_no_file_and_goes_on(
    colours: Path, as_json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("folder").mkdir()
    Path("red.png").write_bytes(encode(draw(), "PNG"))
    names = [*NO_FILES, "red.png"]
    assert main(["classify", "--model", "export.onnx", *names, *["--json"] * as_json]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(names)
    for (name, told), line in zip(NO_FILES.items(), lines, strict=False):
        if as_json:
            said = json.loads(line)
            assert said["photo"] == name
            assert said["error"]["message"].startswith(told)
        else:
            assert line.startswith(f"{name or repr(name)}: {told}")
    assert "red.png" in lines[-1]
    assert "error" not in lines[-1]


@pytest.mark.parametrize("there", [True, False], ids=["a photo", "nothing"])
def test_a_name_goes_to_the_terminal_on_one_line_and_as_it_can_be_shown(
    colours: Path, there: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in AWKWARD:
        if there:
            Path(name).write_bytes(encode(draw(), "PNG"))
    command = ["classify", "--model", "export.onnx", *AWKWARD]
    assert main(command) == (not there)
    words = capsys.readouterr().out.splitlines()
    assert len(words) == len(AWKWARD)
    assert all(line.isprintable() for line in words)
    main([*command, "--json"])
    assert [json.loads(line)["photo"] for line in capsys.readouterr().out.splitlines()] == AWKWARD


@pytest.mark.parametrize("name", AWKWARD)
@pytest.mark.parametrize("command", [["inspect"], ["compile"], ["classify", "x", "--model"]])
def test_a_models_name_goes_to_the_terminal_as_it_can_be_shown(
    command: list[str], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*command, name]) == 1
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.removesuffix("\n").isprintable()
    assert "Traceback" not in told.err


def test_what_is_not_understood_is_repeated_as_it_can_be_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for wrong in (["classify", "x", "--\x1b[31m"], ["\x1b[31m"], ["serve", "--port", "\x1b[31m"]):
        with pytest.raises(SystemExit) as ended:
            main(wrong)
        assert ended.value.code == 2
        assert "\x1b" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["classify", "x.jpg", "--model", "a.pkl", "--model", "b.pkl"], "one is enough"),
        (["classify", "x.jpg", "--model", ""], "the name is empty"),
        (["inspect", ""], "the name is empty"),
        (["compile", "export.pkl", "-o", ""], "the name is empty"),
        (["compile", "export.pkl", "-o", "model.onnx"], "name the folder that export.onnx goes"),
        (["compile", "a.pkl", "b.pkl"], "unrecognized arguments: b.pkl"),
    ],
)
def test_a_name_that_can_be_none_is_wrong_usage(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("https://example.org/export.pkl", "is a web address, which is not opened. Download"),
        ("-", "- is standard input"),
        ("*.pkl", "*.pkl is a pattern that no file matches"),
        (".", ". is a folder. Name the model's file in it."),
        ("red.png", "red.png is a picture. Name a model in its place"),
        ("red.tif", "red.tif is a picture."),
        ("red.bmp", "red.bmp is a picture."),
        ("export.json", "export.json is what `voilearn compile` writes about a model. Name the"),
    ],
)
def test_a_model_that_is_none_is_named(
    colours: Path, name: str, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for kind in ("png", "tif", "bmp"):
        draw().save(f"red.{kind}")
    for command in (["inspect", name], ["compile", name], ["classify", "x", "--model", name]):
        assert main(command) == 1
        assert told in capsys.readouterr().err


def test_no_command_is_told_of_an_option_that_it_has_not(
    colours: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("inspect", "compile"):
        assert main([command, "gone.pkl"]) == 1
        assert "--model" not in capsys.readouterr().err


def test_a_port_that_cannot_be_is_told_in_one_sentence(colours: Path) -> None:
    done = run("serve", "--model", colours, "--port", "99999")
    assert (done.returncode, done.stdout) == (1, "")
    assert ".." not in done.stderr
    assert done.stderr.count("\n") == 1


def test_serve_names_what_is_no_file() -> None:
    for name, told in ("https://example.org/export.pkl", "is a web address"), ("a" * 300, "longer"):
        done = run("serve", "--port", 0, "--model", name)
        assert (done.returncode, done.stdout) == (1, "")
        assert told in done.stderr
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["compile", "export.pkl", "--weights", "4"], "invalid choice"),
        (["compile", "export.pkl", "--weights", "8", "--int8"], "not allowed with"),
        (["compile", "export.pkl", "--weights", "8", "--keep"], "--keep goes with no other"),
        (["device", "export.onnx", "-o", "out", "--weights", "8"], "is for an export.pkl"),
        (["device", ".", "-o", "out", "--weights", "32"], "is for an export.pkl"),
    ],
)
@pytest.mark.usefixtures("colours")
def test_bits_of_weights_that_cannot_be_had(
    options: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("export.pkl").write_bytes(b"\x80\x02}.")
    with pytest.raises(SystemExit) as ended:
        main(options)
    assert ended.value.code == 2
    assert told in capsys.readouterr().err
    assert not Path("out").exists()


@pytest.mark.parametrize("name", ["export.onnx", "Export.ONNX", "export.pkl", "renamed"])
def test_compile_of_what_is_compiled_says_so(
    colours: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    there = colours.rename(name)
    Path("export.json").rename(there.with_suffix(".json"))
    assert main(["compile", name]) == 1
    told = capsys.readouterr().err
    assert told.startswith(f"voilearn: {name} is compiled already.")
    assert ("Name it export.onnx" in told) == (not name.lower().endswith(".onnx"))
    there.with_suffix(".json").unlink()
    assert main(["compile", name]) == 1
    assert "is an ONNX model, so there is nothing to compile." in capsys.readouterr().err


@with_fastai
def test_compile_prints_no_warnings_of_libraries() -> None:
    script = (
        "import sys, types, warnings; from voilearn import cli\n"
        "def compile_learner(*_, **__):\n"
        "    with warnings.catch_warnings():\n"
        "        warnings.simplefilter('always')\n"
        "        warnings.warn('this will go', FutureWarning)\n"
        "    raise cli.VoilearnError('done')\n"
        "made = types.SimpleNamespace(compile_learner=compile_learner)\n"
        "sys.modules['voilearn.compiled.compile'] = made\n"
        "sys.exit(cli.main(['compile', 'export.pkl']))"
    )
    for more, told in ([], "voilearn: done\n"), (["-W", "default"], "FutureWarning"):
        command = [sys.executable, *more, "-c", script]
        done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
        assert done.returncode == 1
        assert (done.stderr == told) if not more else (told in done.stderr)


def write_to(stdout: int, arguments: list[str], cwd: Path) -> tuple[int, str]:
    """The exit code and the errors of a command that writes to an open file."""
    command = [sys.executable, "-m", "voilearn", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        command, stdout=stdout, stderr=subprocess.PIPE, text=True, cwd=cwd,
        env=environment, check=False,
    )  # fmt: skip
    os.close(stdout)
    return done.returncode, done.stderr


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["inspect", "export.onnx"]])
def test_a_reader_that_has_gone_and_a_full_disk_are_no_traceback(
    colours: Path, arguments: list[str]
) -> None:
    read, gone = os.pipe()
    os.close(read)
    assert write_to(gone, arguments, colours.parent) == (1, "")
    if not Path("/dev/full").exists():
        return
    full = os.open("/dev/full", os.O_WRONLY)
    told = "voilearn: Nothing can be written out: No space left on device.\n"
    assert write_to(full, arguments, colours.parent) == (1, told)


@pytest.mark.parametrize("arguments", [[], ["classify"], ["inspect"], ["paint", "x"]])
def test_wrong_usage_exits_with_2(arguments: list[str]) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert "usage:" in done.stderr


def test_version_is_the_packages() -> None:
    assert run("--version").stdout.strip() == f"voilearn {voilearn.__version__}"


def every_argument() -> list[tuple[str, argparse.Action]]:
    """All that every command takes, with the command's name."""
    parsers = {"voilearn": _parser()}
    for action in parsers["voilearn"]._actions:
        if isinstance(action, argparse._SubParsersAction):
            parsers |= action.choices
    assert {"classify", "inspect", "compile", "serve"} <= set(parsers)
    return [
        (name, action)
        for name, parser in parsers.items()
        for action in parser._actions
        if not isinstance(action, argparse._SubParsersAction)
    ]


def test_help_says_what_every_argument_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("VOILEARN_TOKEN", raising=False)
    for command, action in every_argument():
        assert action.help, f"{command} {action.dest}"
        none = action.default in (None, [], argparse.SUPPRESS) or action.default is False
        assert ("%(default)s" in action.help) != none, f"{command} {action.dest}"


def test_help_says_the_default_of_every_option_that_takes_a_value() -> None:
    for command, action in every_argument():
        if action.option_strings and action.nargs != 0 and not action.required:
            assert "(default: " in (action.help or ""), f"{command} {action.dest}"


@pytest.mark.parametrize(
    "command", ["classify", "inspect", "compile", "serve", "page", "new", "device"]
)
def test_help_prints_all_of_it_and_no_token(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOILEARN_TOKEN", "a-token-that-is-secret")
    monkeypatch.setenv("COLUMNS", "100")
    done = run(command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "%(" not in done.stdout
    assert "a-token-that-is-secret" not in done.stdout
    for name, action in every_argument():
        for option in action.option_strings if name == command else ():
            assert option in done.stdout


@with_fastai
def test_inspect_tells_what_is_inside(export: Path, capsys: pytest.CaptureFixture[str]) -> None:
    done = run("inspect", export)
    assert (done.returncode, done.stderr) == (0, "")
    for told in ("single-label", "EfficientNet", "sha256"):
        assert told in done.stdout
    assert main(["inspect", str(export), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["task"] == "single-label"


def test_inspect_of_an_export_that_does_not_open_tells_why_and_exits_with_1(
    capsys: pytest.CaptureFixture[str],
) -> None:
    author = ROOT / "tests" / "exports" / "2.8.12-author_network.pkl"
    done = run("inspect", author)
    assert done.returncode == 1
    assert "opens here       no" in done.stdout
    assert "__main__.MyNet" in done.stdout
    assert main(["inspect", str(author), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["opens"] is False
    assert "--trust" in told["hindrance"]


@pytest.mark.model
def test_trust_says_what_it_means_and_answers_the_same(
    folder: Path,
    mine: Path,
    plain: "subprocess.CompletedProcess[str]",
    capsys: pytest.CaptureFixture[str],
) -> None:
    photo = str(folder / "bear.png")
    assert main(["classify", "--model", str(mine), "--trust", "--json", photo]) == 0
    trusted = capsys.readouterr()
    assert trusted.err.count("\n") == 1
    assert "runs whatever code is in it" in trusted.err
    assert json.loads(trusted.out) == json.loads(plain.stdout.splitlines()[-1])


@pytest.mark.model
def test_compile_tells_how_far_it_is_and_nothing_of_its_libraries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYTHONWARNINGS", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))  # as on the first run, when caches are built
    done = run("compile", ROOT / "tests" / "exports" / "2.8.12-presizing.pkl", "-o", tmp_path)
    assert done.returncode == 0, done.stderr
    told = done.stderr.splitlines()
    assert [line for line in told if not line.startswith("voilearn: ")] == []
    assert len(told) > 1
    assert all(line.startswith((str(tmp_path), "agreement")) for line in done.stdout.splitlines())


def test_inspect_of_no_model_exits_with_1(tmp_path: Path) -> None:
    page = tmp_path / "export.pkl"
    page.write_text("<!DOCTYPE html><title>export.pkl</title>")
    done = run("inspect", page)
    assert (done.returncode, done.stdout) == (1, "")
    assert "web page" in done.stderr
    done = run("inspect", page, "--json")
    assert (done.returncode, json.loads(done.stdout)["error"]["type"]) == (1, "UnusableModel")


@pytest.mark.model
def test_all_odd_photos_are_a_line_each_and_no_traceback(
    photos: Path, export: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = sorted(path for path in (photos / "odd").rglob("*") if path.is_file())
    assert main(["classify", "--model", str(export), "--json", *map(str, odd)]) == 1
    told = capsys.readouterr()
    lines = [json.loads(line) for line in told.out.splitlines()]
    assert told.err == ""
    assert [line["photo"] for line in lines] == [str(path) for path in odd]
    assert all(("label" in line) != ("error" in line) for line in lines)


@pytest.mark.parametrize(
    ("package", "command"),
    [
        ("onnxruntime", ["classify", "--model", "x.onnx", "x.jpg"]),
        pytest.param("onnx", ["compile", "export.pkl"], marks=with_fastai),
        ("fastai", ["classify", "x.jpg"]),
        pytest.param("torch", ["classify", "x.jpg"], marks=with_fastai),
    ],
)
def test_a_package_that_is_missing_is_named_with_how_to_install_it(
    package: str, command: list[str]
) -> None:
    script = (
        f"import sys; sys.modules[{package!r}] = None;"
        f"from voilearn.cli import main; sys.exit(main({command!r}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert done.returncode == 1
    assert re.match(r"voilearn: .*Python package.* not installed here[.:]", done.stderr)
    assert package in done.stderr
    assert done.stderr.rstrip().endswith("-m pip install -r requirements.txt")
    assert done.stderr.count("\n") == 1
