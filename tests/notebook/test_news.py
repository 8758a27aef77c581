"""What `make page` leaves out of what Voilà and its libraries tell."""

import logging

import pytest

start_voila = pytest.importorskip("voilearn.notebook.start_voila", reason="Voilà is not here")

PINGS = (
    "The websocket_ping_timeout (90000) cannot be longer than the websocket_ping_interval (30000)."
)


@pytest.mark.parametrize(
    ("told", "is_news"),
    [(PINGS, False), ("Notebook %s is not trusted", False), ("500 GET /", True)],
)
def test_what_nobody_can_change_is_left_out(told: str, is_news: bool) -> None:
    record = logging.LogRecord("tornado.general", logging.WARNING, "", 0, told, None, None)
    assert start_voila._is_news(record) is is_news
