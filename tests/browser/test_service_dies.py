"""The model's service is killed while a page is open: the page answers again by itself."""

from collections.abc import Callable

from tests.browser import drawn
from tests.browser.visitor import Visitor
from tests.browser.ways import Server
from tests.conftest import services
from tests.waiting import WITHIN


def test_a_page_answers_again_after_its_service_was_killed(
    voila: Server, arrive: Callable[[], Visitor]
) -> None:
    visitor, photo = arrive(), drawn.png(3)
    before = visitor.ask(photo)
    (service,) = services(voila.tmp)
    service.kill()
    service.wait(WITHIN)
    assert visitor.ask(photo) == before
    (other,) = services(voila.tmp)
    assert other.pid != service.pid
