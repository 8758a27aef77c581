"""The ways to give photos, and what of them goes over the wire.

In: photos chosen, dropped, pasted, taken; out: what the kernel got, and what stands on the page.
"""

import base64
import io
import random
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Browser, Playwright, expect

from tests.browser import drawn, stub
from tests.browser.chromium import QUIET
from tests.browser.visitor import ANSWER_WITHIN, Visitor, wait_in
from tests.browser.ways import Server
from voilearn.image import UPRIGHT
from voilearn.machine import granted_cores

Come = Callable[..., Visitor]
MOST_SENT = 300_000  # bytes, for a photo of 12 megapixels
AROUND_IT = 10_000  # bytes of messages

# Gives files as a drop or a paste, anywhere on the page.
GIVE = """([kind, files]) => {
  const data = new DataTransfer()
  for (const [name, type, base64] of files) {
    const bytes = Uint8Array.from(atob(base64), c => c.charCodeAt(0))
    data.items.add(new File([bytes], name, {type}))
  }
  const event = kind === 'paste'
    ? new ClipboardEvent('paste', {clipboardData: data, bubbles: true, cancelable: true})
    : new DragEvent(kind, {dataTransfer: data, bubbles: true, cancelable: true})
  document.querySelector('h1').dispatchEvent(event)
  return event.defaultPrevented
}"""


@pytest.fixture
def wire(stubbed: Server) -> None:
    """Leave out the host that nothing is sent to."""
    if stubbed.way == "device":
        pytest.skip("a photo never leaves the device")


def give(visitor: Visitor, kind: str, *photos: bytes) -> bool:
    files = [
        [f"{number}.png", "image/png", base64.b64encode(photo).decode()]
        for number, photo in enumerate(photos)
    ]
    return bool(visitor.page.evaluate(GIVE, [kind, files]))


def phone_photo() -> bytes:
    """Draw a photo of 12 megapixels that lies on its side, as a phone saves one."""
    noise = Image.frombytes("L", (1000, 750), random.Random(1).randbytes(750_000))
    grain = noise.resize((4000, 3000)).convert("RGB")
    exif = Image.Exif()
    exif[drawn.EXIF_ORIENTATION] = drawn.SIDEWAYS
    file = io.BytesIO()
    picture = Image.blend(drawn.scene(3).resize((4000, 3000)), grain, 0.25)
    picture.save(file, "JPEG", quality=90, exif=exif.tobytes())
    return file.getvalue()


def test_a_phones_photo_is_turned_upright_and_scaled_down_before_it_is_sent(come: Come) -> None:
    visitor, photo = come(), phone_photo()
    assert len(photo) > 2_000_000
    visitor.page.wait_for_timeout(500)
    before = sum(visitor.sent)
    visitor.choose(photo, name="photo.jpg")
    assert next(iter(visitor.answer())) == "black"  # the stub's answer to what stands upright
    sent = sum(visitor.sent) - before
    assert sent <= MOST_SENT + AROUND_IT
    if visitor.server.way == "device":
        assert sent == 0
    else:
        assert 0 < stub.came_to(visitor.server.folder)[-1] <= MOST_SENT
    size = visitor.preview.evaluate("img => [img.naturalWidth, img.naturalHeight]")
    assert size == [750, 1000]  # a quarter, by boxes
    note = visitor.page.locator(".voilearn-preview figcaption")
    told = r"3000 × 4000 pixels, made smaller here: from \d\.\d MB to \d+ kB"
    expect(note).to_have_text(re.compile("^$" if visitor.server.way == "device" else told))


# The colours in the corners of the preview: top left, top right, bottom left, bottom right.
CORNERS = """img => {
  const [w, h] = [img.naturalWidth, img.naturalHeight]
  const canvas = Object.assign(document.createElement('canvas'), {width: w, height: h})
  const pen = canvas.getContext('2d')
  pen.drawImage(img, 0, 0)
  const colour = (x, y) => [...pen.getImageData(x * w, y * h, 1, 1).data].slice(0, 3)
    .map(level => level > 127 ? 1 : 0).join('')
  return [[.1, .1], [.9, .1], [.1, .9], [.9, .9]].map(([x, y]) => colour(x, y))
}"""


def held(orientation: int, kind: str) -> bytes:
    """Draw a large photo with a colour in each corner, as a camera held that way saves it."""
    upright = Image.new("RGB", (2, 2))
    upright.putdata([(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)])
    back = {2: 2, 3: 3, 4: 4, 5: 5, 6: 8, 7: 7, 8: 6}.get(orientation)
    lying = upright.transpose(UPRIGHT[back]) if back else upright
    size = (1700, 1100) if orientation < 5 else (1100, 1700)
    exif = Image.Exif()
    exif[drawn.EXIF_ORIENTATION] = orientation
    file = io.BytesIO()
    grain = Image.effect_noise(size, 60).convert("RGB")  # for a file too large to be sent as it is
    lying = Image.blend(lying.resize(size, Image.Resampling.NEAREST), grain, 0.2)
    lying.save(file, kind, exif=exif.tobytes())
    return file.getvalue()


@pytest.mark.parametrize(("kind", "suffix"), [("JPEG", "jpg"), ("PNG", "png")])
def test_a_large_photo_is_upright_whichever_way_the_camera_was_held(
    come: Come, kind: str, suffix: str
) -> None:
    visitor = come()
    visitor.choose(*(held(number, kind) for number in range(1, 9)), name=f"photo.{suffix}")
    answered = visitor.page.locator(".voilearn-is-answer")
    expect(answered).to_have_count(8, timeout=ANSWER_WITHIN)
    for number in range(8):
        visitor.thumbnails.nth(number).click()
        visitor.preview.evaluate("img => img.decode()")
        assert visitor.preview.evaluate(CORNERS) == ["100", "010", "001", "111"]
        size = visitor.preview.evaluate("img => [img.naturalWidth, img.naturalHeight]")
        assert size in ([850, 550], [1024, 663])  # by boxes, or what of that is shown


@pytest.mark.usefixtures("wire")
def test_a_small_photo_is_sent_as_it_is(come: Come) -> None:
    visitor = come()
    photo = stub.photo(400, 300)
    visitor.choose(photo)
    assert visitor.answer()
    assert stub.came_to(visitor.server.folder)[-1] == len(photo)


@pytest.mark.usefixtures("wire")
def test_what_the_browser_can_not_open_is_sent_as_it_is(come: Come) -> None:
    visitor = come()
    noise = random.Random(2).randbytes(3 * 900 * 500)
    file = io.BytesIO()
    Image.frombytes("RGB", (900, 500), noise).save(file, "TIFF")
    visitor.choose(file.getvalue(), name="photo.tif")
    assert next(iter(visitor.answer())) == "grizzly"
    assert stub.came_to(visitor.server.folder)[-1] == len(file.getvalue())
    pieces = [size for size in visitor.sent if size > 50_000]
    assert len(pieces) in (0, 5)  # to a kernel, of 320 kB, for 1.35 MB; else at once
    expect(visitor.preview).to_be_visible()  # drawn by the server
    assert visitor.preview.evaluate("img => [img.naturalWidth, img.naturalHeight]") == [640, 356]


def test_what_nobody_can_open_gets_the_servers_sentence(come: Come) -> None:
    visitor = come()
    visitor.choose(b"This is a letter, not a picture.")
    expect(visitor.status).to_have_class(re.compile("voilearn-error"), timeout=ANSWER_WITHIN)
    expect(visitor.status).to_contain_text("not a picture")
    assert visitor.ask(stub.photo())


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_photos_are_dropped_or_pasted_anywhere_on_the_page(come: Come, kind: str) -> None:
    visitor = come()
    assert give(visitor, kind, stub.photo(400, 300), stub.photo(300, 400)) is True
    expect(visitor.thumbnails).to_have_count(2)
    assert next(iter(visitor.answer())) == "grizzly"


def test_where_a_file_is_held_over_the_page_is_marked(come: Come) -> None:
    visitor = come()
    marked = visitor.page.locator(".voilearn-dropping")
    expect(marked).to_have_count(0)
    give(visitor, "dragover", b"a")
    expect(marked).to_have_count(1)
    give(visitor, "dragleave", b"a")
    expect(marked).to_have_count(0)


def test_several_photos_are_answered_in_turn(come: Come) -> None:
    visitor = come()
    visitor.choose(
        stub.photo(400, 300), b"no picture", stub.photo(300, 400), stub.photo(stub.UNSURE, 310)
    )
    answered = visitor.page.locator(".voilearn-is-answer")
    expect(answered).to_have_count(3, timeout=ANSWER_WITHIN)
    expect(visitor.page.locator(".voilearn-is-error")).to_have_count(1)
    assert next(iter(visitor.answer())) == "grizzly"  # the first of them is shown
    visitor.thumbnails.nth(2).click()
    assert next(iter(visitor.answer())) == "black"


def test_a_photo_on_its_way_can_be_given_up(come: Come) -> None:
    visitor = come()
    with stub.held(visitor.server.folder):
        visitor.choose(stub.photo(stub.SLOW, 200))
        expect(visitor.status).to_have_text("Looking at the photo…")
        progress = visitor.page.locator(".voilearn-sending progress")
        expect(progress).to_have_accessible_name("Looking at the photo…")
        visitor.page.get_by_role("button", name="Cancel").first.click()
        expect(visitor.status).to_have_text("Cancelled.")
        expect(visitor.status).to_be_focused()  # the button that was pressed is gone
    visitor.page.wait_for_timeout(1000)  # in which an answer would come
    expect(visitor.bars).to_have_count(0)
    assert visitor.ask(stub.photo(400, 300))


def test_a_photo_given_up_holds_up_none_after_it(come: Come) -> None:
    visitor = come()
    folder = visitor.server.folder
    (folder / stub.LOOKED).write_text("")
    with stub.held(folder):
        for _ in range(6):
            visitor.choose(stub.photo(stub.SLOW, 200))
            expect(visitor.status).to_have_text(re.compile("Looking at the photo…|before yours"))
            visitor.page.get_by_role("button", name="Cancel").first.click()
        visitor.choose(stub.photo(400, 300))
        wait_in(visitor.page, lambda: stub.looked_at(folder))
    assert visitor.answer()
    *begun, last = stub.looked_at(folder)
    assert last == 400
    # a kernel looks at one at a time; a service's worker may take one as it is given up
    assert 0 < len(begun) <= granted_cores() + 1
    assert set(begun) == {stub.SLOW}


def test_of_very_many_photos_those_without_room_are_told(come: Come) -> None:
    visitor = come()
    with stub.held(visitor.server.folder):
        visitor.choose(stub.photo(stub.SLOW, 200), *[stub.photo(64, 48)] * 119)
        expect(visitor.banner).to_contain_text("There is room for 100 photos at a time: 20 were")
        expect(visitor.thumbnails).to_have_count(100)
        expect(visitor.thumbnails.first).to_have_attribute("aria-current", "true")
    answered = visitor.page.locator(".voilearn-is-answer")
    expect(answered).to_have_count(100, timeout=ANSWER_WITHIN)
    visitor.choose(stub.photo(300, 400))  # for which the first makes room
    expect(visitor.banner).to_have_count(0)
    expect(visitor.thumbnails).to_have_count(100)
    assert next(iter(visitor.answer())) == "black"


def test_a_drop_of_nothing_changes_nothing(come: Come) -> None:
    visitor = come()
    visitor.ask(stub.photo(400, 300))
    give(visitor, "drop")
    expect(visitor.bars).to_have_count(3)
    assert visitor.classify()


@pytest.mark.usefixtures("wire")
def test_progress_is_shown_while_a_large_file_is_sent(come: Come) -> None:
    visitor = come()
    visitor.page.evaluate(
        "() => { window.seen = [];"
        "const bar = document.querySelector('.voilearn-sending progress');"
        "new MutationObserver(() => seen.push(bar.value)).observe(bar, {attributes: true}) }"
    )
    line = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 4e6}
    cdp = visitor.page.context.new_cdp_session(visitor.page)
    cdp.send("Network.emulateNetworkConditions", line)  # a kernel's pieces need no slow line
    file = io.BytesIO()
    noise = random.Random(3).randbytes(3 * 2000 * 1500)
    Image.frombytes("RGB", (2000, 1500), noise).save(file, "TIFF")
    visitor.choose(file.getvalue(), name="photo.tif")
    assert visitor.answer()
    seen = [value for value in visitor.page.evaluate("() => window.seen") if value]
    assert len({value for value in seen if value < 1}) > 5
    assert sorted(seen) == seen
    expect(visitor.page.locator(".voilearn-sending")).to_be_hidden()


def test_a_newer_photo_never_stands_beside_an_old_answer(come: Come) -> None:
    visitor = come()
    visitor.ask(stub.photo(400, 300))
    with stub.held(visitor.server.folder):
        visitor.choose(stub.photo(stub.SLOW, 200))
        expect(visitor.bars).to_have_count(0)
        expect(visitor.status).to_have_text(re.compile("the photo…"))
        visitor.thumbnails.first.click()  # the old one is a click away, with its own answer
        expect(visitor.bars).to_have_count(3)
        visitor.thumbnails.last.click()
        expect(visitor.bars).to_have_count(0)
    assert visitor.answer()


@pytest.fixture
def desk(playwright: Playwright, chromium_path: str) -> Iterator[Browser]:
    """Run a browser with a camera that is none."""
    cameras = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
    running = playwright.chromium.launch(executable_path=chromium_path, args=[*QUIET, *cameras])
    yield running
    running.close()


def test_at_a_desk_the_camera_is_seen_live(stubbed: Server, desk: Browser) -> None:
    visitor = Visitor(desk.new_page(), stubbed).arrive()
    visitor.page.get_by_role("button", name="Take a photo", exact=True).click()
    live = visitor.page.get_by_role("dialog")
    snap = live.get_by_role("button", name="Take the photo")
    expect(snap).to_be_enabled()
    assert live.locator("video").evaluate("video => video.videoWidth") > 0
    snap.click()
    assert visitor.answer()
    expect(live).to_be_hidden()
    tracks = "() => document.querySelector('video').srcObject"
    assert visitor.page.evaluate(tracks) is None  # the camera's light is off


def test_the_live_camera_is_left_by_escape(stubbed: Server, desk: Browser) -> None:
    visitor = Visitor(desk.new_page(), stubbed).arrive()
    camera = visitor.page.get_by_role("button", name="Take a photo", exact=True)
    camera.click()
    expect(visitor.page.get_by_role("button", name="Take the photo")).to_be_enabled()
    visitor.page.keyboard.press("Escape")
    expect(visitor.page.get_by_role("dialog")).to_be_hidden()
    expect(camera).to_be_focused()
    expect(visitor.thumbnails).to_have_count(0)


def test_a_camera_that_can_not_be_used_is_told(come: Come) -> None:
    visitor = come()
    visitor.page.evaluate(
        "() => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new Error('none')) }"
    )
    visitor.page.get_by_role("button", name="Take a photo", exact=True).click()
    expect(visitor.page.get_by_role("dialog")).to_contain_text("The camera can't be used")
    visitor.page.get_by_role("dialog").get_by_role("button", name="Cancel").click()


def test_a_phone_offers_the_camera_at_its_back(come: Come) -> None:
    visitor = come(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    with visitor.page.expect_file_chooser() as chosen:
        visitor.page.get_by_role("button", name="Take a photo", exact=True).tap()
    assert chosen.value.element.get_attribute("capture") == "environment"
    photo: Any = {"name": "a.png", "mimeType": "image/png", "buffer": stub.photo()}
    chosen.value.set_files(photo)
    assert visitor.answer()
