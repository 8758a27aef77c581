"""The page's messages to the browser, without one; `classify` is a stub."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import draw, encode
from tests.waiting import WITHIN
from voilearn.errors import OUR_FAULT, ServiceBusy, UnusableModel, UnusableSettings
from voilearn.image import decode_photo
from voilearn.notebook import widget as module
from voilearn.notebook.widget import MIME, MOST_WAITING, Page
from voilearn.prediction import Classify, ModelInfo, Prediction, predict_from

PHOTO = encode(draw((900, 600)), "JPEG")
INFO = ModelInfo("export", "0" * 64, "single-label", ("black", "grizzly", "teddy"))
ANSWER = predict_from((0.0262, 0.9731, 0.0007), INFO)


class Told:
    """A page and what it told the browser."""

    def __init__(self, classify: Classify, **options: Any) -> None:
        self.page = Page(classify, **options)
        self.messages: list[tuple[dict[str, Any], list[bytes]]] = []
        self.page.send = lambda message, buffers=None: self.messages.append(
            (message, buffers or [])
        )

    def take(self, message: Any, *buffers: bytes) -> None:
        self.page._handle_custom_msg(message, [memoryview(each) for each in buffers])

    def ask(self, photo: bytes, number: int = 1, **more: Any) -> dict[str, Any]:
        self.take({"kind": "photo", "number": number, "size": len(photo), **more}, photo)
        return self.end()

    def end(self) -> dict[str, Any]:
        """Wait until all is done; return the last message."""
        self.page._worker.submit(lambda: None).result(WITHIN)
        for thread in threading.enumerate():
            if thread.name == "voilearn-look":
                thread.join(WITHIN)
        return self.messages[-1][0]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.chdir(tmp_path)
    yield tmp_path


def answering(prediction: Prediction = ANSWER) -> Told:
    return Told(lambda photo: prediction)


def test_a_photo_gets_its_prediction() -> None:
    seen: list[bytes] = []

    def classify(photo: bytes) -> Prediction:
        seen.append(photo)
        return ANSWER

    told = Told(classify)
    message = told.ask(PHOTO, number=5)
    assert message == {"kind": "answer", "number": 5, "prediction": ANSWER.to_dict()}
    assert seen == [PHOTO]
    assert told.messages[-1][1] == []
    json.dumps(message)


def test_a_photo_the_browser_can_not_show_comes_back_as_a_small_upright_jpeg() -> None:
    told = answering()
    told.ask(encode(draw((900, 600)), "TIFF"), preview=True)
    (preview,) = told.messages[-1][1]
    assert decode_photo(preview).size == (640, 427)


def test_a_bad_photo_is_its_sentence_and_the_next_one_just_works() -> None:
    def classify(photo: bytes) -> Prediction:
        decode_photo(photo)
        return ANSWER

    told = Told(classify)
    message = told.ask(b"%PDF-1.7")
    assert message["error"]["type"] == "UnsupportedPhoto"
    assert "not a picture" in message["error"]["message"]
    assert told.ask(PHOTO, 2)["kind"] == "answer"


def test_a_file_too_large_is_refused_by_its_size_alone() -> None:
    told = answering()
    told.take({"kind": "photo", "number": 3, "size": 10**9}, b"")
    (message, _) = told.messages[-1]
    assert (message["kind"], message["number"]) == ("error", 3)
    assert message["error"]["type"] == "PhotoTooLarge"


def test_an_error_says_when_to_ask_again() -> None:
    def classify(photo: bytes) -> Prediction:
        error = ServiceBusy("Full.")
        error.retry_after = 7
        raise error

    assert Told(classify).ask(PHOTO) == {
        "kind": "error",
        "number": 1,
        "error": {"type": "ServiceBusy", "message": "Full.", "retry_after": 7},
    }


def test_an_error_of_the_model_is_its_sentence() -> None:
    def classify(photo: bytes) -> Prediction:
        raise UnusableModel("The model is gone.")

    error = Told(classify).ask(PHOTO)["error"]
    assert (error["type"], error["message"]) == ("UnusableModel", "The model is gone.")


def test_a_bug_is_logged_and_its_text_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    def classify(photo: bytes) -> Prediction:
        raise ZeroDivisionError("a secret of ours")

    assert Told(classify).ask(PHOTO)["error"]["message"] == OUR_FAULT
    assert "a secret of ours" in caplog.text


def test_the_page_says_that_it_is_there_while_the_model_looks() -> None:
    looking, go = threading.Event(), threading.Event()

    def classify(photo: bytes) -> Prediction:
        looking.set()
        go.wait(WITHIN)
        return ANSWER

    told = Told(classify)
    told.take({"kind": "photo", "number": 1, "size": len(PHOTO)}, PHOTO)
    assert looking.wait(WITHIN)
    told.take({"kind": "here"})
    assert told.messages[-1][0] == {"kind": "here"}
    go.set()
    assert told.end()["kind"] == "answer"


def test_a_browser_that_asks_for_too_much_at_once_is_refused() -> None:
    go = threading.Event()

    def classify(photo: bytes) -> Prediction:
        go.wait(WITHIN)
        return ANSWER

    told = Told(classify)
    for number in range(MOST_WAITING + 3):
        told.take({"kind": "photo", "number": number, "size": len(PHOTO)}, PHOTO)
    refused = [message["number"] for message, _ in told.messages if message["kind"] == "error"]
    assert refused == [MOST_WAITING, MOST_WAITING + 1, MOST_WAITING + 2]
    go.set()
    told.end()
    assert told.ask(PHOTO, 99)["kind"] == "answer"


def test_nothing_of_a_photo_is_kept_after_its_answer() -> None:
    told = answering()
    told.ask(PHOTO)
    assert not told.page._upload._received
    kept = [value for value in vars(told.page).values() if isinstance(value, bytes | bytearray)]
    assert kept == []


@pytest.mark.parametrize(
    "message", [{}, [], "here", {"kind": "example"}, {"kind": "example", "number": 1, "index": "0"}]
)
def test_a_message_that_makes_no_sense_is_dropped(message: Any) -> None:
    told = answering()
    told.take(message)
    assert told.messages == []


def test_the_authors_examples_are_shown_and_answered(folder: Path) -> None:
    (folder / "examples").mkdir()
    (folder / "examples" / "a_bear.jpg").write_bytes(PHOTO)
    told = answering()
    told.take({"kind": "examples", "number": 1})
    assert told.end() == {"kind": "examples", "number": 1, "names": ["a bear"]}
    assert decode_photo(told.messages[-1][1][0]).size == (192, 128)
    told.take({"kind": "example", "number": 2, "index": 0})
    assert told.end()["prediction"]["label"] == "grizzly"
    assert decode_photo(told.messages[-1][1][0]).size == (640, 427)
    told.take({"kind": "example", "number": 3, "index": 1})
    assert told.end()["error"]["type"] == "PhotoNotFound"


def test_the_authors_words_go_to_the_browser(folder: Path) -> None:
    (folder / "app.toml").write_text(
        'title = "Bears"\n[classes.grizzly]\nname = "A grizzly bear"\n'
    )
    settings = answering().page.settings
    assert settings["title"] == "Bears"
    assert settings["classes"]["grizzly"]["name"] == "A grizzly bear"


def test_wrong_words_are_an_error_at_the_start(folder: Path) -> None:
    (folder / "app.toml").write_text('titel = "Bears"\n')
    with pytest.raises(UnusableSettings, match="titel"):
        answering()


def test_a_photo_given_up_is_not_asked_about() -> None:
    seen: list[bytes] = []
    looking, go = threading.Event(), threading.Event()

    def classify(photo: bytes) -> Prediction:
        seen.append(photo)
        looking.set()
        go.wait(WITHIN)
        return ANSWER

    told = Told(classify)
    told.take({"kind": "photo", "number": 0, "size": 1}, b"0")
    assert looking.wait(WITHIN)
    for number in range(1, 3 * MOST_WAITING):
        told.take({"kind": "photo", "number": number, "size": 1}, b"%x" % number)
        told.take({"kind": "cancel", "number": number})
    told.take({"kind": "photo", "number": 99, "size": 1}, b"z")
    go.set()
    assert told.end()["number"] == 99
    assert seen == [b"0", b"z"]
    assert told.page._waiting == {}


def test_words_for_a_class_the_model_has_not_are_logged_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "app.toml").write_text('[classes.grizzley]\nname = "A grizzly bear"\n')
    told = answering()
    for number in (1, 2):
        told.ask(PHOTO, number)
    assert caplog.text.count("grizzley") == 1


class Upgraded:
    """A model that is replaced after its first answer."""

    now: str | None = "0" * 64

    def __call__(self, photo: bytes) -> Prediction:
        return ANSWER

    def current(self) -> str | None:
        return self.now


def test_a_newer_model_is_told_unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY", 0)
    model = Upgraded()
    told = Told(model)
    told.take({"kind": "here"})  # before there is any answer, no model is the old one
    model.now = "1" * 64
    assert told.end() == {"kind": "here"}
    model.now = "0" * 64
    told.ask(PHOTO)
    told.take({"kind": "here"})
    assert told.end() == {"kind": "here"}
    model.now = None  # its service ended: the next photo starts it again
    told.take({"kind": "here"})
    assert told.end() == {"kind": "here"}
    model.now = "1" * 64
    told.take({"kind": "here"})
    assert told.end() == {"kind": "upgraded", "sha256": "1" * 64}


def test_a_look_for_an_upgrade_that_takes_long_holds_nobody_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOOK_EVERY", 0)
    go, looks = threading.Event(), list[int]()

    class Slow(Upgraded):
        def current(self) -> str | None:
            looks.append(1)
            go.wait(WITHIN)
            return self.now

    told = Told(Slow())
    told.ask(PHOTO)
    for _ in range(5):
        told.take({"kind": "here"})
    told.take({"kind": "photo", "number": 2, "size": 1}, b"a")
    told.page._worker.submit(lambda: None).result(WITHIN)
    assert told.messages[-1][0]["number"] == 2
    assert len(looks) == 1
    go.set()


def test_voila_is_told_how_to_reach_the_page() -> None:
    page = answering().page
    told = page._repr_mimebundle_()
    assert told is not None
    assert told[0][MIME] == {"comm": page.model_id, "settings": page.settings}
    assert "application/vnd.jupyter.widget-view+json" in told[0]  # for a notebook


def test_two_pages_share_nothing() -> None:
    one, other = answering(), answering()
    one.ask(PHOTO)
    assert other.messages == []
    assert one.page.model_id != other.page.model_id
