"""The whole journey of a visitor, filmed: wide and on a phone, light and dark, and with the server
killed half-way.

In: the real model and drawn photos; out: six pictures of each, in the folder of screenshots.
"""

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, ViewportSize, expect

from tests.browser import drawn, ways
from tests.browser.visitor import ANSWER_WITHIN, Visitor
from tests.browser.ways import Place

WIDE, PHONE = ViewportSize(width=1280, height=900), ViewportSize(width=390, height=844)


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("screen", [WIDE, PHONE], ids=["wide", "phone"])
def test_a_visitors_journey(
    screen: ViewportSize,
    scheme: Literal["light", "dark"],
    app: Path,
    tmp_path: Path,
    browser: Browser,
    screenshots: Path,
) -> None:
    place, port = Place(app, tmp_path), ways.free_port()
    page = browser.new_context(viewport=screen, color_scheme=scheme).new_page()
    name = f"journey-{'phone' if screen is PHONE else 'wide'}-{scheme}"
    with ways.running("voila", place, port) as server:
        visitor = Visitor(page, server).arrive()
        visitor.show(screenshots, f"{name}-1-arrived")
        visitor.choose(drawn.teddy())
        assert next(iter(visitor.answer())) == "teddy"
        visitor.show(screenshots, f"{name}-2-answered")
        visitor.choose(drawn.png(1), b"no picture", drawn.sideways_jpeg(2))
        expect(visitor.page.locator(".voilearn-thumb.voilearn-is-answer")).to_have_count(3)
        visitor.thumbnails.nth(2).click()
        expect(visitor.status).to_contain_text("not a picture we can read")
        visitor.show(screenshots, f"{name}-3-several")
        server.process.kill()
        expect(visitor.banner).to_contain_text("is lost")
        visitor.show(screenshots, f"{name}-4-lost")
        visitor.choose(drawn.teddy(600))
        expect(visitor.banner).to_contain_text("does not answer yet")
        expect(visitor.bars).to_have_count(0)
        visitor.show(screenshots, f"{name}-5-kept")
    with ways.running("voila", place, port):
        visitor.reconnect()
        visitor.bars.first.wait_for(timeout=ANSWER_WITHIN)
        expect(visitor.banner).to_have_count(0)
        expect(visitor.status).to_contain_text("A teddy bear")
        visitor.show(screenshots, f"{name}-6-back")
    page.context.close()
