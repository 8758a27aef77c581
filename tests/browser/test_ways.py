"""Every way of running gives the visitor fastai's own answer, and takes what is large.

In: one visitor on the page of each way; out: the answers on the page.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.browser import drawn
from tests.browser.visitor import Visitor, message

LARGE = 11_000_000  # bytes; tornado's own limit for a message is 10 MiB
AGREES = 1e-4

Predict = Callable[[bytes], dict[str, float]]


@pytest.mark.model
def test_a_photo_gets_the_answer_of_learner_predict(
    visitor: Visitor, predict: Predict, screenshots: Path
) -> None:
    for number, photo in enumerate((drawn.png(1), drawn.sideways_jpeg(2))):
        found = visitor.ask(photo, "photo.png" if number == 0 else "photo.jpg")
        visitor.show(screenshots, f"{visitor.server.way}-answer-{number}")
        expected = predict(photo)
        assert list(found) == list(expected)
        assert found == pytest.approx(expected, abs=AGREES)


def test_a_message_over_ten_megabytes_reaches_the_kernel(visitor: Visitor) -> None:
    large = message("comm_open", comm_id="large", target_name="nobody", data={"filler": LARGE})
    # the kernel itself closes a comm to a target it does not know: so it read the whole message
    assert visitor.send([large], "comm_close")["end"] == "answered"


def test_the_page_asks_no_other_host_for_anything(visitor: Visitor) -> None:
    if visitor.server.way in ("lab", "notebook"):
        pytest.skip("JupyterLab's own pages are not ours")
    assert visitor.foreign_requests() == []
