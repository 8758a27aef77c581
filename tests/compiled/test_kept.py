"""A model is compiled once: what is kept of an export.pkl, and what is not taken from a cache."""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")

from tests.conftest import EXPORTS, ROOT, draw, encode
from tests.waiting import wait_for
from voilearn import model
from voilearn.compiled import compile as compiling
from voilearn.compiled import kept
from voilearn.compiled.description import read_compiled
from voilearn.compiled.kept import Kept, NotKept, begin, look, make
from voilearn.errors import UnusableModel, UnusableSettings
from voilearn.model import keep_form, load_classify
from voilearn.model_file import file_sha256
from voilearn.scope import Scope, Term
from voilearn.service.live_model import LiveModel

pytestmark = pytest.mark.model
SMALL = EXPORTS / "2.8.12-from_folder.pkl"
OTHER = EXPORTS / "2.8.12-name_func.pkl"
SHA256 = file_sha256(SMALL)
NAME = kept._name(SHA256)
PHOTO = encode(draw((300, 200)), "JPEG")
FILES = ("export.json", "export.onnx", "seal")
# What `python -m voilearn.compiled.kept` does, at the priority of other tests
MAKE = (
    "import sys; from voilearn.compiled import kept; kept._give_way = str; kept.main(sys.argv[1])"
)


@pytest.fixture(scope="module")
def form(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache folder of a user who has the form of SMALL, made as it is in the background."""
    cache = tmp_path_factory.mktemp("made")
    command = [sys.executable, "-c", MAKE, str(SMALL)]
    own = {**os.environ, "XDG_CACHE_HOME": str(cache), "XDG_DATA_HOME": str(cache / "data")}
    run = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True, check=True)
    assert "is compiled: 32 pictures made by code: the same labels in 32" in run.stdout
    return cache


@pytest.fixture(autouse=True)
def cache(form: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder of the test's own, where forms are asked for; of the same user."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("XDG_DATA_HOME", str(form / "data"))
    monkeypatch.setenv("VOILEARN_RUNTIME", "auto")
    return tmp_path / "cache" / "voilearn" / "compiled"


@pytest.fixture
def kept_form(form: Path, cache: Path) -> Path:
    """The folder of SMALL's form, in the cache of this test."""
    shutil.copytree(form / "voilearn", cache.parent)
    return cache / NAME


@pytest.fixture
def copying(form: Path, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Have SMALL compiled in no time; the files that it was asked of."""
    asked: list[Path] = []

    def compiled(path: Path, folder: Path, kept: bool) -> object:
        asked.append(path)
        for name in FILES[:2]:
            shutil.copy(form / "voilearn" / "compiled" / NAME / name, folder)
        return read_compiled(folder / "export.onnx")

    monkeypatch.setattr(compiling, "compile_learner", compiled)
    return asked


@pytest.fixture
def no_compiling(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("it was compiled once more")

    monkeypatch.setattr(compiling, "compile_learner", fail)


def test_the_form_answers_as_the_learner_does_and_says_so(kept_form: Path, tmp_path: Path) -> None:
    named = shutil.copy(SMALL, tmp_path / "mine.pkl")
    quick, learner = load_classify(named)(PHOTO), load_classify(named, runtime="learner")(PHOTO)
    assert quick.labels == learner.labels
    assert quick.probability == pytest.approx(learner.probability, abs=0.005)
    assert quick.model == learner.model
    assert quick.model.name == "mine"
    assert (quick.runtime or "").startswith("onnxruntime ")
    assert quick.agreement is not None and quick.agreement <= kept.CLOSE
    assert (learner.runtime or "").startswith("fastai ")
    assert learner.agreement is None


def test_with_a_form_neither_torch_nor_fastai_is_loaded(kept_form: Path) -> None:
    script = (
        f"import sys, voilearn; voilearn.load_classify({str(SMALL)!r})({PHOTO!r});"
        "print(*{'torch', 'fastai', 'onnxruntime'} & set(sys.modules))"
    )
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["onnxruntime"]


def test_nothing_but_the_form_is_written_and_nobody_else_may_read_it(form: Path) -> None:
    assert {file.name for file in form.iterdir()} - {"matplotlib", ".config"} == {
        "voilearn",
        "data",
    }
    root = form / "voilearn" / "compiled"
    found = sorted(path.relative_to(root).as_posix() for path in root.rglob("*"))
    assert found == sorted([NAME, *(f"{NAME}/{name}" for name in FILES), "lock"])
    assert (form / "voilearn").stat().st_mode & 0o077 == 0
    assert (form / "voilearn" / "compiled" / NAME).stat().st_mode & 0o077 == 0


@pytest.mark.usefixtures("kept_form", "no_compiling")
def test_what_is_kept_is_not_made_again() -> None:
    assert isinstance(make(SMALL), Kept)
    assert not begin(SMALL)


def test_one_of_two_that_begin_at_once_makes_the_form(cache: Path, copying: list[Path]) -> None:
    with ThreadPoolExecutor(2) as both:
        found = list(both.map(make, [SMALL, SMALL]))
    assert all(isinstance(one, Kept) for one in found)
    assert copying == [SMALL]
    assert sorted(path.name for path in cache.iterdir()) == [NAME, "lock"]


@pytest.mark.usefixtures("kept_form")
def test_a_file_that_changed_has_no_form(tmp_path: Path) -> None:
    changed = tmp_path / "export.pkl"
    changed.write_bytes(OTHER.read_bytes())
    assert load_classify(changed)(PHOTO).agreement is None


@pytest.mark.usefixtures("copying")
def test_the_form_of_another_release_is_not_taken_and_stays(kept_form: Path) -> None:
    old = kept_form.rename(kept_form.with_name(f"{SHA256}-0.0.1"))
    assert look(SHA256) is None
    assert isinstance(make(SMALL), Kept)
    assert old.exists()  # for who has both releases


@pytest.mark.usefixtures("copying")
def test_a_form_that_nobody_used_for_long_goes_when_another_comes(kept_form: Path) -> None:
    old = kept_form.rename(kept_form.with_name(f"{SHA256}-0.0.1"))
    used = shutil.copytree(old, old.with_name(f"{SHA256}-0.0.2"))
    long_ago = time.time() - kept.UNUSED_SECONDS - 60
    os.utime(old, (long_ago, long_ago))
    assert isinstance(make(SMALL), Kept)
    assert (old.exists(), used.exists()) == (False, True)
    os.utime(kept_form, (long_ago, long_ago))
    assert isinstance(look(SHA256), Kept)
    assert kept_form.stat().st_mtime > long_ago + 60  # it is in use


def damaged(folder: Path) -> None:
    file = folder / "export.onnx"
    file.write_bytes(file.read_bytes()[:-1000])


def other_model(folder: Path) -> None:
    edit(folder, lambda told: told["model"].update(sha256=file_sha256(OTHER)))


def further_off(folder: Path) -> None:
    edit(folder, lambda told: told["agreement"].update(max_difference=0.006))


def other_label(folder: Path) -> None:
    edit(folder, lambda told: told["agreement"].update(labels=31))


def edit(folder: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Have export.json say something else, under a good seal."""
    told = json.loads((folder / "export.json").read_text())
    change(told)
    (folder / "export.json").write_text(json.dumps(told))
    if (folder / "seal").exists():
        (folder / "seal").write_text(kept._seal(folder, kept._own_key()))


def forged(folder: Path) -> None:
    """Another model in its place, all of whose hashes are right, but for the seal."""
    edit(folder, lambda told: told["model"].update(classes=told["model"]["classes"][::-1]))
    (folder / "seal").write_text(kept._seal(folder, b"of somebody else"))


def unsealed(folder: Path) -> None:
    (folder / "seal").unlink()


def half_copied(folder: Path) -> None:
    (folder / "export.json").unlink()


def damaged_reason(folder: Path) -> None:
    (folder / "refused.json").write_text("[")


def writable_by_all(folder: Path) -> None:
    folder.chmod(0o777)


def below_what_all_may_write(folder: Path) -> None:
    folder.parent.chmod(0o777)


def of_somebody_else(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    os.chown(folder, 65534, 65534)


def a_link(folder: Path) -> None:
    folder.rename(folder.parents[2] / "elsewhere")
    folder.symlink_to(folder.parents[2] / "elsewhere")


def a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("")


POISONED = [
    forged, unsealed, damaged, other_model, further_off, other_label, half_copied, damaged_reason,
    writable_by_all, below_what_all_may_write, of_somebody_else, a_link, a_file,
]  # fmt: skip


@pytest.mark.usefixtures("copying")
@pytest.mark.parametrize("poison", POISONED, ids=lambda poison: poison.__name__)
def test_what_is_no_good_in_the_cache_is_not_taken_and_is_made_anew(
    poison: "object", kept_form: Path
) -> None:
    assert callable(poison)
    poison(kept_form)
    assert not isinstance(look(SHA256), Kept)
    assert load_classify(SMALL)(PHOTO).agreement is None
    assert isinstance(make(SMALL), Kept)
    assert load_classify(SMALL)(PHOTO).agreement is not None


def test_an_export_that_does_not_compile_is_remembered_with_its_reason(
    cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise UnusableModel("It has a layer that ONNX has not.")

    monkeypatch.setattr(compiling, "compile_learner", fail)
    monkeypatch.setattr(kept, "_give_way", str)  # the tests after this one do not
    assert kept.main(str(SMALL)) == 1
    assert "has no compiled form: It has a layer that ONNX has not." in capsys.readouterr().err
    assert look(SHA256) == NotKept("It has a layer that ONNX has not.")
    assert load_classify(SMALL)(PHOTO).agreement is None
    monkeypatch.setattr(compiling, "compile_learner", None)  # it is not asked again
    assert isinstance(make(SMALL), NotKept)
    assert not begin(SMALL)


@pytest.mark.skipif(sys.platform == "win32", reason="there, whoever begins it says how much it may")
def test_who_makes_a_form_lets_all_others_come_first() -> None:
    script = "import os; from voilearn.compiled import kept; kept._give_way(); print(os.nice(0))"
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert run.stdout == "19\n"


def test_a_form_that_is_less_good_is_not_kept(
    form: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def worse(path: Path, folder: Path, kept: bool) -> object:
        shutil.copytree(form / "voilearn" / "compiled" / NAME, folder, dirs_exist_ok=True)
        further_off(folder)
        return read_compiled(folder / "export.onnx")

    monkeypatch.setattr(compiling, "compile_learner", worse)
    found = make(SMALL)
    assert isinstance(found, NotKept)
    assert "not as good as the learner: 32 pictures made by code" in found.reason
    assert [file.name for file in (cache / NAME).iterdir()] == ["refused.json"]


@pytest.mark.slow
def test_a_disk_that_is_full_is_told_and_not_remembered(cache: Path) -> None:
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"from voilearn.compiled import kept; sys.exit(kept.main({str(SMALL)!r}))"
    )
    run = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 1
    assert "has no compiled form: Nothing can be written" in run.stderr
    assert not list(cache.glob(f"{SHA256}*/"))


def test_what_the_disk_hinders_is_not_remembered(
    cache: Path, copying: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise UnusableModel("Nothing can be written there.") from OSError(28, "no space")

    with monkeypatch.context() as broken, pytest.raises(UnusableModel, match="Nothing can be"):
        broken.setattr(compiling, "compile_learner", full)
        make(SMALL)
    assert look(SHA256) is None
    assert isinstance(make(SMALL), Kept)


def test_where_nothing_can_be_written_the_learner_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert load_classify(SMALL)(PHOTO).agreement is None
    assert not begin(SMALL)
    with pytest.raises(UnusableModel, match="can't be compiled: Not a directory"):
        make(SMALL)


@pytest.mark.usefixtures("copying")
def test_where_others_may_write_nothing_is_kept_and_nothing_removed(kept_form: Path) -> None:
    kept_form.parents[1].chmod(0o777)
    assert look(SHA256) is None
    assert not begin(SMALL)
    with pytest.raises(UnusableModel, match="no cache folder that nobody else may write"):
        make(SMALL)
    assert (kept_form / "export.onnx").is_file()


@pytest.mark.usefixtures("copying")
def test_the_key_is_this_users_alone(kept_form: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(kept_form.parents[2] / "another"))
    assert look(SHA256) is None  # it is another user's form
    assert isinstance(make(SMALL), Kept)
    key = kept_form.parents[2] / "another" / "voilearn" / "key"
    assert key.stat().st_mode & 0o777 == 0o600
    key.chmod(0o644)
    assert look(SHA256) is None  # who can read it can seal what they like
    before = key.read_bytes()
    assert isinstance(make(SMALL), Kept)
    assert key.read_bytes() != before
    (key.parent / "key").unlink()
    key.symlink_to(kept_form / "export.json")
    assert look(SHA256) is None


def test_what_ends_without_a_word_is_not_tried_for_ever(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(compiling, "compile_learner", killed)
    for _ in range(kept.TRIES):
        with pytest.raises(KeyboardInterrupt):
            make(SMALL)
    found = make(SMALL)
    assert isinstance(found, NotKept)
    assert "begun 3 times and never ended" in found.reason
    assert sorted(path.name for path in cache.iterdir()) == [NAME, "lock"]


def test_it_is_not_begun_where_it_would_take_the_memory_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[Path] = []
    monkeypatch.setattr(kept, "_start", lambda path, root: started.append(path))
    monkeypatch.setattr(kept, "free_memory", lambda: kept.MEMORY)
    assert not begin(SMALL)
    monkeypatch.setattr(kept, "find_spec", lambda name: None if name == "onnxscript" else "there")
    monkeypatch.setattr(kept, "free_memory", lambda: None)
    assert not begin(SMALL)
    assert not started
    monkeypatch.setattr(kept, "find_spec", lambda name: "there")
    assert begin(SMALL)
    assert started == [SMALL]


def test_a_service_begins_with_the_learner_and_goes_on_with_the_form(
    form: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(path: Path, root: Path) -> None:
        shutil.copytree(form / "voilearn" / "compiled" / NAME, cache / NAME)

    monkeypatch.setattr(kept, "_start", start)
    live = LiveModel(SMALL)
    live.load()
    assert live(PHOTO).agreement is None
    since = live.served and live.served.since
    live.look()
    assert live(PHOTO).agreement is not None
    assert live.swaps == 0  # it is the same model
    assert live.served is not None and live.served.since == since


def test_a_form_that_does_not_come_leaves_the_learner(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(path: Path, root: Path) -> None:
        (cache / NAME).mkdir(mode=0o700)
        (cache / NAME / "refused.json").write_text('{"reason": "It is too odd."}')

    monkeypatch.setattr(kept, "_start", start)
    live = LiveModel(SMALL)
    live.load()
    for _ in range(2):
        live.look()
        assert live(PHOTO).agreement is None


@pytest.mark.usefixtures("kept_form")
def test_the_form_answers_by_the_scope_that_is_beside_its_file(tmp_path: Path) -> None:
    export = tmp_path / "mine.pkl"
    shutil.copy(SMALL, export)
    plain = load_classify(export)(PHOTO)
    assert (plain.in_scope, plain.agreement is None) == (None, False)
    for threshold, known in ((-1e3, True), (1e3, False)):
        term = Term("energy", threshold)
        scope = Scope(plain.model, 0.5, "softmax", (term,), {})
        (tmp_path / "mine.scope.json").write_text(scope.to_json())
        form, learner = load_classify(export), load_classify(export, runtime="learner")
        assert form.agreement is not None
        one, two = form(PHOTO), learner(PHOTO)
        assert one.in_scope is two.in_scope is known
        assert one.probability == pytest.approx(two.probability, abs=0.01)
        assert load_classify(export, scope=False)(PHOTO).probabilities == plain.probabilities
    (tmp_path / "mine.scope.json").write_text("{")
    with pytest.raises(UnusableModel, match=r"mine\.scope\.json is damaged"):
        load_classify(export)


@pytest.mark.usefixtures("kept_form")
def test_a_service_takes_up_a_scope_while_it_runs(tmp_path: Path) -> None:
    export = tmp_path / "mine.pkl"
    shutil.copy(SMALL, export)
    live = LiveModel(export)
    live.load()
    model = live(PHOTO).model
    scope = Scope(model, None, None, (Term("energy", 1e3),), {})
    beside = tmp_path / "mine.scope.json"
    for written, known in ((scope.to_json(), False), (None, None)):
        beside.write_text(written) if written else beside.unlink()
        for _ in range(2):
            live.look()
        assert live(PHOTO).in_scope is known
    beside.write_text("{")
    for _ in range(2):
        live.look()
    assert live.refused is not None
    assert "mine.scope.json is damaged" in str(live.refused.reason)
    assert live(PHOTO).in_scope is None


@pytest.mark.usefixtures("kept_form")
def test_the_learner_answers_where_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = load_classify(SMALL, runtime="learner")
    assert learner(PHOTO).agreement is None
    assert not keep_form(SMALL, learner, "learner")
    monkeypatch.setenv("VOILEARN_RUNTIME", "learner")
    assert LiveModel(SMALL)._read()[0].agreement is None
    monkeypatch.setenv("VOILEARN_RUNTIME", "torch")
    with pytest.raises(UnusableSettings, match='"torch" is none that there is: name auto or'):
        load_classify(SMALL)


@pytest.mark.slow  # it waits for what lets all others go first
def test_the_form_is_made_in_the_background_once_a_service_has_the_learner() -> None:
    live = LiveModel(SMALL)
    live.load()
    assert live(PHOTO).agreement is None
    wait_for(lambda: isinstance(look(SHA256), Kept))
    live.look()
    assert live(PHOTO).agreement is not None
    assert model.kept_form(SMALL) is not None
