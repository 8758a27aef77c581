"""No file runs code, reaches out or takes more than its share: each attack, one by one."""

import hashlib
import importlib
import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.attacks.conftest import Ask, Report
from tests.attacks.values import with_labels
from tests.attacks.workshop import ATTACKS, Attack, Workshop
from tests.conftest import EXPORTS
from tests.waiting import wait_for

THEMES = (
    *("calls", "published", "misread"),
    *("state", "children", "pipeline", "names", "values"),
    *("bombs", "hours", "nesting", "floods"),
    *("machine", "tensors", "containers", "wrappings", "paths", "holders"),
)
for theme in THEMES:
    importlib.import_module(f"tests.attacks.{theme}")

pytestmark = pytest.mark.model
# of the processor's seconds more than ten times what any of them takes: what is granted is counted
MAX_SECONDS, MAX_BYTES, MAX_SENTENCE = 60, 1_000_000_000, 1000
# What later Pythons have no more, or under other names, or with other arguments
GONE = {"lib2to3_grammar": (3, 13), "subinterpreter": (3, 13), "posixsubprocess": (3, 12)}
MAX_DRIFT = 0.002  # of a probability: a photo that is resized twice is another one, a little
ALL = [
    pytest.param(attack, id=attack.name, marks=[pytest.mark.slow] if attack.large else [])
    for attack in ATTACKS.values()
]
LIVE = [pytest.param(attack, id=attack.name) for attack in ATTACKS.values() if attack.fires]


@pytest.fixture
def shop(good: bytes, tmp_path: Path) -> Iterator[Workshop]:
    yield Workshop(good, tmp_path, tmp_path / "marker")
    shutil.rmtree(tmp_path)  # pytest would keep it, and some attacks are 100 MB


@pytest.fixture(scope="session")
def ask_of_good(good: bytes, watch: Ask, tmp_path_factory: pytest.TempPathFactory) -> Report:
    path = tmp_path_factory.mktemp("asked") / "export.pkl"
    path.write_bytes(good)
    return watch({"path": str(path), "way": "ours"})


def refused(report: Report) -> bool:
    return any("refused" in report.get(step, {}) for step in ("read", "open", "answer"))


def answer_of(report: Report) -> list[float]:
    """The probabilities, highest first."""
    assert "told" in report.get("answer", {}), report
    told: dict[str, float] = json.loads(report["answer"]["told"])["probabilities"]
    return list(told.values())


def file_of(attack: Attack, shop: Workshop) -> Path:
    built = attack.build(shop)
    if isinstance(built, Path):
        return built
    path = shop.folder / "export.pkl"
    path.write_bytes(built)
    return path


@pytest.mark.parametrize("attack", ALL)
def test_an_attack_ends_in_a_sentence_or_does_no_harm(
    attack: Attack, shop: Workshop, watch: Ask, ask_of_good: Report
) -> None:
    """What opens has to answer as the good export does that the attack was put into."""
    path = file_of(attack, shop)
    there = set(shop.folder.rglob("*"))
    report = watch({"path": str(path), "way": "ours"})
    assert not shop.marker.exists(), f"the payload ran: {attack.reason}"
    assert set(shop.folder.rglob("*")) == there, "torch's own writer is not seen by the audit"
    check(report)
    if not refused(report):
        assert attack.opens, f"it opened: {attack.reason}"
        same = pytest.approx(answer_of(ask_of_good), abs=MAX_DRIFT)
        assert answer_of(report) == same, f"it changes the answer: {attack.reason}"


def check(report: Report) -> None:
    """Hold one report to the rules that are the same for every file."""
    assert "crashed" not in report, report["crashed"]
    assert report["findings"] == []
    assert report["seconds"] < MAX_SECONDS
    assert report["bytes"] < MAX_BYTES
    for step in ("read", "open", "answer"):
        check_sentence(report.get(step, {}).get("refused", "A sentence."))


def check_sentence(sentence: str) -> None:
    """It is shown to a visitor and printed: short, on one line, and nothing the file chose."""
    assert sentence.endswith((".", "?", "!", ")"))
    assert len(sentence) < MAX_SENTENCE
    assert sentence.isprintable()
    sentence.encode()


@pytest.mark.parametrize("attack", LIVE)
def test_the_usual_way_runs_the_payload(attack: Attack, shop: Workshop, watch: Ask) -> None:
    """An attack that does nothing to torch.load and learn.predict would show nothing of ours."""
    if sys.version_info >= GONE.get(attack.name, (4,)):
        pytest.skip("this Python has no such function")
    watch({"path": str(file_of(attack, shop)), "way": "usual"})
    wait_for(shop.marker.exists)  # a process that was started may need a moment to write it


@pytest.mark.parametrize(
    ("name", "event"),
    [
        ("reduce_to_a_shell", "os.system"),
        ("reduce_to_a_process", "subprocess.Popen"),
        ("reduce_to_exec", "exec"),
        ("code_from_marshal", "marshal.loads"),
        ("ctypes_library", "ctypes."),
        ("imaplib_stream", "import imaplib"),
        ("fileio", "open"),
        ("interactive_interpreter", "compile"),
        ("forward_is_a_lambda", "os.system"),
        ("transform_of_its_own", "os.system"),
    ],
)
def test_the_audit_sees_what_the_usual_way_does(
    name: str, event: str, shop: Workshop, watch: Ask
) -> None:
    """Else no finding would say nothing: of opening, and of predicting."""
    path = file_of(ATTACKS[name], shop)
    report = watch({"path": str(path), "way": "usual", "audit": True})
    assert [finding for finding in report["findings"] if finding.startswith(event)]


def test_the_good_export_opens_and_answers(shop: Workshop, watch: Ask, ask_of_good: Report) -> None:
    """Else every attack, which is a good export changed, would be refused for nothing."""
    check(ask_of_good)
    assert json.loads(ask_of_good["answer"]["told"])["label"] in ("even", "odd")
    for zipped in (True, False):
        path = shop.folder / "export.pkl"
        path.write_bytes(shop.planted(lambda learn: None, zipped))
        assert answer_of(watch({"path": str(path), "way": "ours"})) == pytest.approx(
            answer_of(ask_of_good)
        )


def test_honest_exports_do_nothing_else_either(export: Path, watch: Ask) -> None:
    """The rules for attacks hold for what opens: for the bears, and some from each fastai."""
    others = sorted(EXPORTS.glob("*.pkl"))
    for path in (export, *others[:: max(1, len(others) // 8)]):
        report = watch({"path": str(path), "way": "ours"})
        check(report)
        assert path != export or not refused(report)


@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_file_that_changes_meanwhile_is_one_or_the_other(
    nth: int, shop: Workshop, watch: Ask
) -> None:
    """The answer's hash is of the file whose labels it gives, though another comes to its place."""
    path, other = shop.folder / "export.pkl", shop.folder / "other.pkl"
    path.write_bytes(with_labels(shop, ["even", "odd"]))
    other.write_bytes(with_labels(shop, ["other even", "other odd"]))
    hashes = {hashlib.sha256(p.read_bytes()).hexdigest(): p == other for p in (path, other)}
    report = watch({"path": str(path), "by": str(other), "nth": nth, "way": "swapped"})
    assert "crashed" not in report, report["crashed"]
    assert report["swapped"] or nth > 1, "the file was never opened"
    if not refused(report):
        model = json.loads(report["answer"]["told"])["model"]
        assert hashes[model["sha256"]] == (model["classes"][0] == "other even")


@pytest.mark.parametrize(
    "name", ["labels_that_are_markup", "labels_halves", "name_of_controls", "name_turned_round"]
)
def test_a_terminal_is_told_nothing_that_it_would_obey(
    name: str, shop: Workshop, watch: Ask
) -> None:
    """Labels and names come from the file, and go to the terminal of whoever inspects it."""
    path = file_of(ATTACKS[name], shop)
    report = watch({"path": str(path), "way": "printed"})
    assert "crashed" not in report, report["crashed"]
    lines = report["printed"].splitlines()
    assert lines
    assert [line for line in lines if not line.isprintable()] == []


def test_there_are_attacks_of_every_kind_each_with_its_reason() -> None:
    themes = {attack.theme for attack in ATTACKS.values()}
    assert themes == set(THEMES)
    assert len(ATTACKS) >= 40
    assert sum(attack.fires for attack in ATTACKS.values()) >= 40
    assert all(10 < len(attack.reason) < 120 for attack in ATTACKS.values())
