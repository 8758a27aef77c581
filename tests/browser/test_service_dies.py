"""The model's service is killed while a page is open: the page answers again by itself."""

import time
from collections.abc import Callable

from tests.browser import drawn
from tests.browser.visitor import Visitor
from tests.browser.ways import Server
from tests.conftest import services

ANSWERS_WITHIN = 15.0  # seconds, with an export.pkl: fastai is loaded anew


def test_a_page_answers_again_soon_after_its_service_was_killed(
    voila: Server, arrive: Callable[[], Visitor]
) -> None:
    visitor, photo = arrive(), drawn.png(3)
    before = visitor.ask(photo)
    (service,) = services(voila.tmp)
    service.kill()
    service.wait(10)
    began = time.monotonic()
    assert visitor.ask(photo) == before
    assert time.monotonic() - began < ANSWERS_WITHIN
    (other,) = services(voila.tmp)
    assert other.pid != service.pid
