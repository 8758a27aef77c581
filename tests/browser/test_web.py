"""The on-device page in a real Chromium: it answers as Python does, also without a network.

In: pages built round a tiny model (and round the real one, where it is compiled); out: what a
visitor reads, what the host was asked for, and what the browser keeps.
"""

import base64
import gzip
import io
import json
import random
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops, ImageStat
from playwright.sync_api import Browser, BrowserContext, FilePayload, Playwright, expect

from tests.browser import drawn
from tests.browser.chromium import QUIET
from tests.browser.device import (
    CORNERS,
    WITHIN,
    Device,
    Fault,
    Host,
    build,
    hosting,
    write_model,
    write_notebook,
)
from tests.conftest import ROOT, encode
from voilearn.image import decode_photo
from voilearn.prediction import ModelInfo, predict_from

SMALL_BYTES = 190_000  # all that is neither model nor runtime, as it is: a host may pack it smaller
SIZES = {"wide": (1280, 900), "phone": (390, 844)}

# A paste or a drop, as the browser makes one of a file.
GIVE = """([bytes, name, type, event]) => {
  const files = new DataTransfer()
  files.items.add(new File([new Uint8Array(bytes)], name, {type}))
  const facts = {bubbles: true, cancelable: true}
  document.body.dispatchEvent(event === 'paste'
    ? new ClipboardEvent('paste', {...facts, clipboardData: files})
    : new DragEvent(event, {...facts, dataTransfer: files}))
}"""
# At one moment: between two calls from here the first may be answered.
GIVE_ALL = f"gifts => gifts.forEach({GIVE})"
WATCH = """() => {
  window.said = []
  const note = () => window.said.push(document.querySelector('.voilearn-status').textContent)
  new MutationObserver(note).observe(document.querySelector('.voilearn-answering'),
    {subtree: true, childList: true, characterData: true})
}"""
KEPT = """async () => {
  const kept = []
  for (const name of await caches.keys())
    for (const request of await (await caches.open(name)).keys()) kept.push(request.url)
  return kept
}"""
UNTIL_GONE = f"""async (old) => {{
  while ((await ({KEPT})()).some(url => old.includes(url))) await new Promise(requestAnimationFrame)
}}"""
REDUCE = """async ([module, bytes, factor, plain]) => {
  const {readReduced} = await import(module)
  const file = Uint8Array.from(atob(bytes), letter => letter.charCodeAt(0))
  const source = await createImageBitmap(new Blob([file]))
  const picture = {source, width: source.width, height: source.height}
  const [{data, width, height}] = await readReduced(picture, [factor], plain)
  return [width, height, btoa(Array.from(data, byte => String.fromCharCode(byte)).join(''))]
}"""
READ = """async ([module, sent]) => {
  const asked = []
  const Own = globalThis.ImageDecoder
  globalThis.ImageDecoder = class extends Own {
    constructor(init) { super(init); asked.push(init.desiredWidth) }
  }
  try {
    const { readPhoto } = await import(module)
    const bytes = Uint8Array.from(atob(sent), (sign) => sign.charCodeAt(0))
    const file = new File([bytes], "photo.jpg")
    const parts = []
    for await (const part of readPhoto(file, { pixels: true, size: 224 })) parts.push(part)
    const [{ read }, { shown }] = parts
    return [asked, read.width, read.height, shown.picture.type]
  } finally {
    globalThis.ImageDecoder = Own
  }
}"""
DECODE = """async ([folder, bytes, width, height, factor]) => {
  const {decoded} = await import(folder + 'decode.js')
  const {readReduced} = await import(folder + 'reduce.js')
  const file = new Blob([Uint8Array.from(atob(bytes), letter => letter.charCodeAt(0))])
  const picture = await decoded(file, {plain: true, width, height}, factor)
  const [{data, width: across, height: down}] = await readReduced(picture, [1], true)
  const kind = picture.source.constructor.name
  picture.source.close()
  return [kind, across, down, btoa(Array.from(data, byte => String.fromCharCode(byte)).join(''))]
}"""
PREDICT = """async ([module, probabilities, model]) =>
  (await import(module)).predictFrom({ probabilities }, model)
"""


def red(corner: str, size: tuple[int, int] = (300, 200)) -> Image.Image:
    """Draw a picture that is red in one corner."""
    picture = Image.new("RGB", size, (30, 90, 120))
    half = (size[0] // 2, size[1] // 2)
    place = (half[0] * ("right" in corner), half[1] * ("bottom" in corner))
    picture.paste((230, 40, 40), (*place, place[0] + half[0], place[1] + half[1]))
    return picture


def jpeg(corner: str, size: tuple[int, int] = (300, 200)) -> bytes:
    return encode(red(corner, size), "JPEG", quality=92)


def sideways(size: tuple[int, int]) -> bytes:
    """A phone's photo: noisy, and on its side with the EXIF that says so."""
    picture = red("bottom left", size)
    picture.paste(Image.effect_noise((size[0], size[1] // 8), 90).convert("RGB"), (0, 0))
    exif = Image.Exif()
    exif[drawn.EXIF_ORIENTATION] = drawn.SIDEWAYS
    return encode(picture, "JPEG", quality=90, exif=exif.tobytes())


def reference(model: Path) -> Callable[[bytes], dict[str, float]]:
    """Return what answers as `voilearn classify --model export.onnx` does."""
    numpy = pytest.importorskip("numpy")
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    told = json.loads((model / "export.json").read_text())
    session = runtime.InferenceSession(model / "export.onnx", providers=["CPUExecutionProvider"])
    size = told["preprocessing"]["size"]
    temperature = told.get("scope", {}).get("temperature") or 1

    def answer(data: bytes) -> dict[str, float]:
        photo = numpy.asarray(decode_photo(data, at_least=2 * size))
        (probabilities,) = session.run(["probabilities"], {"photo": photo})
        cooled = probabilities.astype(float) ** (1 / temperature)
        return dict(zip(told["model"]["classes"], (cooled / cooled.sum()).tolist(), strict=True))

    return answer


def differ(one: dict[str, float], other: dict[str, float]) -> float:
    assert set(one) == set(other)
    return max(abs(one[name] - other[name]) for name in one)


def best(answer: dict[str, float]) -> str:
    return max(answer, key=lambda name: answer[name])


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model."""
    return write_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_page(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the tiny model."""
    return build(tiny, tmp_path_factory.mktemp("tiny-page") / "dist")


@pytest.fixture(scope="session")
def light(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the real model as its page has it, with weights of 8 bits."""
    pytest.importorskip("torch")
    from voilearn.compiled.compile import compile_learner

    folder = tmp_path_factory.mktemp("light")
    assert compile_learner(ROOT / "export.pkl", folder, weights=8).weights == 8
    return folder


@pytest.fixture(scope="session")
def real_page(light: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the real model."""
    return build(light, tmp_path_factory.mktemp("real-page") / "dist")


@pytest.fixture
def host(tiny_page: Path) -> Iterator[Host]:
    """Serve the tiny page."""
    with hosting(tiny_page) as running:
        yield running


@pytest.mark.parametrize("corner", CORNERS)
def test_a_photo_is_answered_with_a_sentence_and_a_bar_for_every_class(
    device: Device, corner: str
) -> None:
    answer = device.open().ask(jpeg(corner))
    assert next(iter(answer)) == corner
    assert set(answer) == set(CORNERS)
    expect(device.status).to_have_text(f"{corner.capitalize()}, over 99 % sure")
    expect(device.status).to_have_class("voilearn-status voilearn-answer")
    expect(device.page.locator(".voilearn-privacy")).to_contain_text("never leaves this device")


def test_a_cold_visit_costs_the_model_the_runtime_and_little_else(
    host: Host, browser: Browser
) -> None:
    context = browser.new_context(service_workers="block")  # it comes after the first answer
    device = Device(context.new_page(), host.url).open()
    assert device.ask(jpeg("top left"))
    model, *_ = host.folder.glob("model-*.gz")
    # What is called of the runtime lies beside the whole one, which is there for a rare case.
    runtime = min(host.folder.glob("ort-*.gz"), key=lambda file: file.stat().st_size)
    large = model.stat().st_size + runtime.stat().st_size
    assert large < host.sent < large + SMALL_BYTES
    assert device.foreign_requests() == []
    context.close()


def test_a_large_file_is_downloaded_once(device: Device, host: Host) -> None:
    device.open_kept().ask(jpeg("top left"))
    large = [path for path in host.asked if path.endswith(".gz")]
    assert len(large) == len(set(large)) == 2


def test_a_second_visit_asks_for_no_large_file_again(device: Device, host: Host) -> None:
    device.open_kept()
    host.asked.clear()
    device.open().ask(jpeg("top left"))
    assert [path for path in host.asked if path.endswith((".gz", ".wasm", ".onnx"))] == []


@pytest.mark.parametrize("base", ["/", "/someone/bears/"])
def test_without_a_network_the_second_visit_answers(
    tiny_page: Path, context: BrowserContext, base: str
) -> None:
    with hosting(tiny_page, base) as host:
        Device(context.new_page(), host.url).open_kept().page.close()
        url = host.url
    context.set_offline(True)
    device = Device(context.new_page(), url)
    assert best(device.open().ask(jpeg("bottom right"))) == "bottom right"


def test_nothing_of_a_photo_is_sent_or_kept(device: Device, host: Host) -> None:
    device.open_kept()
    before = device.page.evaluate(KEPT)
    host.asked.clear()
    device.ask(jpeg("top left"))
    assert device.page.evaluate(KEPT) == before
    assert not host.asked
    assert device.page.evaluate("() => [localStorage.length, sessionStorage.length]") == [0, 0]


@pytest.fixture(scope="module")
def settled(tiny_page: Path, browser: Browser) -> Iterator[Device]:
    """A device that stays at the tiny page, for what needs no visit of its own."""
    context = browser.new_context()
    with hosting(tiny_page) as host:
        yield Device(context.new_page(), host.url).open_ready()
    context.close()


MODEL, RUNTIME = ".onnx.gz", ".wasm.gz"
GIVE_SEVERAL = """photos => {
  const given = new DataTransfer()
  for (const photo of photos) given.items.add(new File([new Uint8Array(photo)], 'photo.jpg'))
  document.dispatchEvent(new DragEvent('drop', {dataTransfer: given, bubbles: true}))
}"""
# The texts on the page, also hidden ones and names, that are one of its English sentences.
ENGLISH_LEFT = """async () => {
  const {TABLE, language} = await import(new URL('src/page/words.js', location.href))
  const escaped = (text) => text.replace(/[.*+?^$()|[\\]\\\\{}]/g, '\\\\$&')
  const english = Object.entries(TABLE.en)
    .filter(([key, words]) => key in TABLE[language] && TABLE[language][key] !== words)
    .map(([, words]) => new RegExp('^' + words.split(/\\{\\w+\\}/).map(escaped).join('.*') + '$'))
  const texts = [...(window.said ?? []), document.title]
  for (const each of document.querySelectorAll('.voilearn-page, .voilearn-page *')) {
    for (const name of ['aria-label', 'alt', 'title']) texts.push(each.getAttribute(name) ?? '')
    for (const node of each.childNodes) if (node.nodeType === 3) texts.push(node.data.trim())
  }
  return texts.filter((text) => english.some((sentence) => sentence.test(text)))
}"""
BROKEN: list[tuple[str, Fault, str]] = [
    (MODEL, lambda data: 404, "The model is missing on the server, which answers 404."),
    (RUNTIME, lambda data: 503, "The runtime is missing on the server, which answers 503."),
    (MODEL, lambda data: data[: len(data) // 2], "The model arrived damaged or cut short"),
    (MODEL, lambda data: gzip.compress(b"another model"), "The model arrived damaged"),
    (MODEL, lambda data: gzip.compress(b"." + gzip.decompress(data)[1:]), "The model arrived dam"),
    (MODEL, lambda data: b"<!doctype html>", "The model arrived damaged"),
    (MODEL, lambda data: None, "The model could not be downloaded: the network"),
    (RUNTIME, lambda data: data[:-9], "The runtime arrived damaged"),
    (RUNTIME, lambda data: None, "The runtime could not be downloaded"),
    ("ort.js", lambda data: None, "The runtime that runs the model is missing"),
]


@pytest.mark.parametrize(("name", "fault", "sentence"), BROKEN)
def test_a_broken_file_is_told_and_trying_again_helps(
    device: Device, host: Host, name: str, fault: Fault, sentence: str
) -> None:
    host.faults[name] = fault
    device.open()
    expect(device.banner).to_contain_text(sentence, timeout=WITHIN)
    host.faults.clear()
    device.again.click()
    expect(device.banner).to_have_count(0)
    assert device.ask(jpeg("top left"))
    expect(device.preparing).to_be_hidden()


def test_a_photo_waits_for_the_model_and_for_trying_again(device: Device, host: Host) -> None:
    host.faults[MODEL] = lambda data: data[:100]
    device.open()
    expect(device.again).to_be_visible(timeout=WITHIN)
    device.choose(jpeg("top right"))  # which tries again, too
    expect(device.banner).to_contain_text("The model arrived damaged")
    expect(device.status).to_have_text("Your photo waits until the page is ready…")
    expect(device.preview).to_be_visible()
    host.faults.clear()
    device.again.click()
    assert best(device.answer()) == "top right"


def test_a_photo_chosen_while_the_model_loads_waits_and_says_so(device: Device, host: Host) -> None:
    go_on = threading.Event()
    host.faults[MODEL] = lambda data: data if go_on.wait(WITHIN / 1000) else None
    device.open().choose(jpeg("top right"))
    expect(device.status).to_have_text("Your photo waits until the page is ready…")
    expect(device.preparing).to_contain_text("Downloading the model: ")
    expect(device.preview).to_be_visible()
    go_on.set()
    assert best(device.answer()) == "top right"


def test_a_photo_refused_while_the_model_loads_keeps_its_sentence(
    device: Device, host: Host
) -> None:
    go_on = threading.Event()
    host.faults[MODEL] = lambda data: data if go_on.wait(WITHIN / 1000) else None
    device.open().choose(BAD["text"][0])
    expect(device.status).to_contain_text(BAD["text"][1])
    go_on.set()
    expect(device.offline).to_be_visible(timeout=WITHIN)  # it is there
    expect(device.status).to_contain_text(BAD["text"][1])


def test_a_line_tells_how_much_has_come_and_is_read_aloud_by_tenths(
    device: Device, host: Host
) -> None:
    watch = WATCH.replace(".voilearn-status", ".voilearn-preparing p")
    watch = watch.replace(".voilearn-answering", ".voilearn-preparing")
    device.page.add_init_script(f"addEventListener('DOMContentLoaded', {watch})")
    go_on = threading.Event()
    host.faults[RUNTIME] = lambda data: data if go_on.wait(WITHIN / 1000) else None
    device.open()
    expect(device.preparing).to_contain_text("Downloading the model: 0.0 of")
    go_on.set()
    expect(device.preparing).to_be_hidden()
    said = device.page.evaluate("() => window.said")
    told = [line for line in said if line.startswith("Downloading the model: ")]
    assert 2 <= len(told) <= 11, told
    assert all(line.endswith(" MB.") for line in told)
    assert said[-1] == "Starting the model…"


PNG_HEADER = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
BAD = {
    "empty": (b"", "This file is empty."),
    "text": (b"dear diary, " * 99, "This file is not a picture this browser can open."),
    "cut": (jpeg("top left")[:900], "This picture is damaged or incomplete"),
    "heic": (b"\0\0\0\x18ftypheic" + bytes(99), "This picture is damaged or incomplete"),
    "cut heic": (drawn.HEIC[:-60], "This picture is damaged or incomplete"),
    "tiff": (encode(red("top left"), "TIFF"), "This is a TIFF picture, which"),
    "pixels": (PNG_HEADER + b"\0\0\x40\0" * 2 + bytes(9), "has 268 megapixels; the limit is 50."),
}


def test_a_heic_photo_is_opened_by_a_decoder_that_only_it_downloads(
    host: Host, context: BrowserContext
) -> None:
    device = Device(context.new_page(), host.url).open_ready()
    expect(device.offline).to_be_visible(timeout=WITHIN)
    device.ask(jpeg("top right"))
    assert not [path for path in host.asked if "heif" in path or "heic" in path]
    assert best(device.ask(drawn.HEIC)) == "top left"
    of_heic = [path for path in host.asked if "heif" in path or "heic" in path]
    assert len(of_heic) == 3
    assert sum((host.folder / path.lstrip("/")).stat().st_size for path in of_heic) < 600_000
    assert best(device.ask(drawn.HEIC)) == "top left"
    device.page.context.set_offline(True)
    again = Device(context.new_page(), host.url).open_ready()
    assert best(again.ask(drawn.HEIC)) == "top left"
    assert len([path for path in host.asked if "heif" in path or "heic" in path]) == 3
    device.page.context.set_offline(False)


def test_a_heic_photo_is_refused_where_its_decoder_cannot_be_had(
    host: Host, browser: Browser
) -> None:
    context = browser.new_context()
    device = Device(context.new_page(), host.url).open_ready()
    host.faults["libheif.js"] = lambda _: 404
    try:
        device.choose(drawn.HEIC)
        told = "This is a HEIC picture, which this browser can't open."
        expect(device.status).to_contain_text(told, timeout=WITHIN)
    finally:
        host.faults.clear()
    device.choose(drawn.HEIC)  # once it can be had
    assert best(device.answer()) == "top left"
    context.close()


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_good_picture_is_a_sentence_and_the_next_one_is_answered(
    settled: Device, kind: str
) -> None:
    data, sentence = BAD[kind]
    settled.ask(jpeg("top left"))
    settled.choose(data)
    expect(settled.status).to_contain_text(sentence, timeout=WITHIN)
    expect(settled.bars).to_have_count(0)
    expect(settled.preview).to_be_hidden()
    assert best(settled.ask(jpeg("bottom left"))) == "bottom left"


def test_too_large_a_file_is_refused(settled: Device, tmp_path: Path) -> None:
    large = tmp_path / "photo.jpg"
    large.write_bytes(b"\xff\xd8\xff" + bytes(50_100_000))
    settled.field.set_input_files(large)
    expect(settled.status).to_contain_text("This file has 50.1 MB; the limit is 50 MB.")


@pytest.mark.parametrize("kind", ["PNG", "GIF", "WEBP", "BMP", "JPEG"])
def test_too_large_a_picture_is_known_by_its_header(settled: Device, kind: str) -> None:
    data = encode(Image.new("1", (7100, 7100)), kind)
    settled.choose(data)
    expect(settled.status).to_contain_text("has 50 megapixels; the limit is 50.")


def test_a_phones_photo_is_turned_upright_and_answered_as_python_does(
    settled: Device, tiny: Path
) -> None:
    photo = sideways((4032, 3024))
    answer = settled.ask(photo)
    assert best(answer) == "top left"  # where the bottom left of the file belongs
    assert differ(answer, reference(tiny)(photo)) < 0.01
    size = settled.preview.evaluate("img => [img.naturalWidth, img.naturalHeight]")
    assert size == [756, 1008]  # a quarter, by boxes: more than the model looks at


def test_transparency_is_laid_over_white(settled: Device) -> None:
    clear = Image.new("RGBA", (200, 200), (0, 0, 0, 0))
    clear.paste((0, 40, 40, 255), (100, 0, 200, 200))
    answer = settled.ask(encode(clear, "PNG"))
    assert set(list(answer)[:2]) == {"top left", "bottom left"}


@pytest.mark.parametrize("plain", [False, True])  # read by way of a canvas, and without one
@pytest.mark.parametrize(
    ("size", "factor"),
    [
        ((64, 48), 1),
        ((64, 48), 2),
        ((65, 47), 3),
        ((301, 203), 7),
        ((2050, 1111), 8),
        ((33, 9), 11),
    ],
)
def test_boxes_are_averaged_exactly_as_pillow_does(
    settled: Device, size: tuple[int, int], factor: int, plain: bool
) -> None:
    noise = random.Random(factor).randbytes(3 * size[0] * size[1])
    picture = Image.frombytes("RGB", size, noise)
    expected = picture.reduce(factor)
    module = settled.url + "src/page/reduce.js"
    sent = base64.b64encode(encode(picture, "PNG")).decode()
    width, height, pixels = settled.page.evaluate(REDUCE, [module, sent, factor, plain])
    assert (width, height) == expected.size
    assert base64.b64decode(pixels) == expected.tobytes()


@pytest.mark.parametrize(
    ("options", "mode"),
    [
        ({}, "RGB"),
        ({"subsampling": 0}, "RGB"),
        ({"subsampling": 1, "progressive": True}, "RGB"),
        ({}, "L"),
    ],
)
@pytest.mark.parametrize(("factor", "left"), [(2, 2), (4, 4), (5, 4), (9, 8)])
def test_a_jpeg_is_decoded_small_as_python_decodes_it(
    settled: Device, factor: int, left: int, options: dict[str, Any], mode: str
) -> None:
    size = (1203, 901)
    picture = red("top right", size).convert(mode)
    picture.paste(Image.effect_noise((size[0], 300), 40).convert(mode), (0, 450))
    file = encode(picture, "JPEG", quality=90, **options)
    expected = Image.open(io.BytesIO(file))
    expected.draft(None, (size[0] // left, size[1] // left))
    sent = base64.b64encode(file).decode()
    told = settled.page.evaluate(DECODE, [settled.url + "src/page/", sent, *size, factor])
    assert told[:3] == ["VideoFrame", *expected.size]
    found = Image.frombytes("RGB", expected.size, base64.b64decode(told[3]))
    apart = ImageStat.Stat(ImageChops.difference(found, expected.convert("RGB")))
    assert max(apart.mean) < 0.5


@pytest.mark.parametrize(
    ("size", "width"),
    [((4000, 3000), 1000), ((3000, 4000), 750), ((2048, 1536), 1024), ((1200, 900), None)],
)
def test_a_large_jpeg_is_read_by_asking_for_few_of_its_pixels(
    settled: Device, size: tuple[int, int], width: int | None
) -> None:
    sent = base64.b64encode(encode(red("top right", size), "JPEG")).decode()
    asked, *read = settled.page.evaluate(READ, [settled.url + "src/page/photo.js", sent])
    assert asked == ([] if width is None else [width])
    assert read == [*size, "image/jpeg"]


@pytest.mark.parametrize("probabilities", [(0.2, 0.7, 0.1), (0.4, 0.3, 0.3), (0.004, 0.996, 0.0)])
@pytest.mark.parametrize(
    ("task", "thresholds"),
    [("single-label", None), ("multi-label", None), ("multi-label", [0.25, 0.9, 0.05])],
)
def test_an_answer_is_the_prediction_that_python_makes_of_the_same_numbers(
    settled: Device, probabilities: tuple[float, ...], task: Any, thresholds: list[float] | None
) -> None:
    model = ModelInfo("m", "0" * 64, task, ("black", "grizzly", "teddy"))
    prediction = predict_from(probabilities, model, thresholds or ())
    told = settled.page.evaluate(
        PREDICT,
        [
            settled.url + "src/device/prediction.js",
            list(probabilities),
            model.to_dict() | {"thresholds": thresholds, "agreement": 0.001},
        ],
    )
    assert told == replace(prediction, runtime="onnxruntime-web", agreement=0.001).to_dict()
    assert list(told["probabilities"]) == list(prediction.probabilities)


@pytest.mark.parametrize("event", ["paste", "drop"])
def test_a_photo_can_be_pasted_or_dropped_anywhere(device: Device, event: str) -> None:
    device.open_ready()
    device.page.evaluate(GIVE, [list(jpeg("top right")), "photo.jpg", "image/jpeg", event])
    assert best(device.answer()) == "top right"


def test_the_page_marks_where_a_file_is_held_over_it(device: Device) -> None:
    device.open_ready()
    device.page.evaluate(GIVE, [[1], "photo.jpg", "image/jpeg", "dragover"])
    expect(device.page.locator(".voilearn-page")).to_contain_class("voilearn-dropping")


def test_of_two_photos_the_last_is_shown_and_never_with_the_firsts_answer(device: Device) -> None:
    device.open_ready()
    device.page.evaluate(WATCH)
    first = jpeg("top left", (4032, 3024))  # which takes longer to read
    photos = (first, jpeg("bottom right"))
    device.page.evaluate(
        GIVE_ALL, [[list(photo), "photo.jpg", "image/jpeg", "drop"] for photo in photos]
    )
    assert best(device.answer()) == "bottom right"
    assert not [line for line in device.page.evaluate("() => window.said") if "Top left" in line]
    device.thumbnails.first.click()
    assert best(device.answer()) == "top left"


def test_a_new_photo_puts_the_old_answer_away_at_once(device: Device) -> None:
    device.open_ready().ask(jpeg("top left"))
    device.page.evaluate(WATCH)
    device.choose(jpeg("bottom right"))
    expect(device.status).to_contain_text("Bottom right")
    said = device.page.evaluate("() => window.said")
    assert not [line for line in said if "Top left" in line]


def test_the_whole_way_goes_with_the_keyboard_alone(device: Device, screenshots: Path) -> None:
    photo: FilePayload = {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": jpeg("top left")}
    # listens from the start: a dialog that opens while playwright begins to listen is missed
    device.page.on("filechooser", lambda chooser: chooser.set_files(photo))
    device.open_ready()
    device.page.keyboard.press("Tab")
    expect(device.field).to_be_focused()
    button = device.page.locator(".voilearn-choose")  # the field itself can't be seen
    assert button.evaluate("button => getComputedStyle(button).outlineWidth") == "3px"
    device.show(screenshots, "web-focus-wide")
    device.page.keyboard.press("Enter")
    assert best(device.answer()) == "top left"


@pytest.fixture(scope="module")
def crowded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Host]:
    """The page of a model with many classes, some with long names, and several labels at once."""
    folder = tmp_path_factory.mktemp("crowded")
    names = (*CORNERS[:2], "a label of sixty characters that says " + "n" * 22, "<b>bold</b>")
    classes = (*names, *(f"class {number}" for number in range(33)))
    thresholds = [0.5] * len(classes)
    model = write_model(folder / "model", classes, task="multi-label", thresholds=thresholds)
    notebook = write_notebook(folder, "A <title> of & some length", "Is it <red>? Press Classify.")
    with hosting(build(model, folder / "dist", notebook)) as host:
        yield host


def test_of_many_classes_the_first_few_are_shown_and_the_rest_on_demand(
    crowded: Host, context: BrowserContext, screenshots: Path
) -> None:
    device = Device(context.new_page(), crowded.url).open_ready()
    device.choose(jpeg("bottom left"))
    expect(device.status).to_contain_text("A label of sixty characters", timeout=WITHIN)
    expect(device.bars.locator("visible=true")).to_have_count(5)
    for name, size in SIZES.items():
        device.page.set_viewport_size({"width": size[0], "height": size[1]})
        device.show(screenshots, f"web-many-{name}")
    more = device.page.get_by_role("button", name="Show all 37")
    more.focus()
    device.page.keyboard.press("Enter")
    expect(device.bars.locator("visible=true")).to_have_count(37)
    expect(more).to_be_hidden()


def test_text_of_the_owner_is_text(crowded: Host, context: BrowserContext) -> None:
    device = Device(context.new_page(), crowded.url).open_ready()
    expect(device.page.get_by_role("heading")).to_have_text("A <title> of & some length")
    expect(device.page.locator("header p")).to_have_text("Is it <red>?")
    assert device.page.title() == "A <title> of & some length"
    device.ask(jpeg("bottom right"))
    expect(device.status).to_have_text("<b>bold</b>")


def test_none_of_several_labels_is_told(crowded: Host, context: BrowserContext) -> None:
    device = Device(context.new_page(), crowded.url).open_ready()
    device.choose(encode(Image.new("RGB", (99, 99)), "PNG"))
    expect(device.status).to_have_text("None of the 37 things this model knows", timeout=WITHIN)


def test_a_narrow_phone_never_scrolls_sideways(crowded: Host, context: BrowserContext) -> None:
    device = Device(context.new_page(), crowded.url)
    device.page.set_viewport_size({"width": 390, "height": 844})
    device.open_ready()
    for photo in (jpeg("bottom left"), b"no picture"):
        device.choose(photo)
        expect(device.status).to_have_class(
            "voilearn-status voilearn-" + ("error" if photo == b"no picture" else "answer")
        )
        assert device.page.evaluate("() => document.documentElement.scrollWidth") <= 390


def test_a_new_deployment_is_seen_at_once_and_the_old_one_is_put_away(
    tiny: Path, context: BrowserContext, tmp_path: Path
) -> None:
    out = build(tiny, tmp_path / "dist", write_notebook(tmp_path, "The first"))
    with hosting(out) as host:
        device = Device(context.new_page(), host.url).open_kept()
        assert best(device.ask(jpeg("top left"))) == "top left"
        old = [url for url in device.page.evaluate(KEPT) if url.endswith(".onnx")]
        other = write_model(tmp_path / "other", ("a", "b", "c", "d", "e"))
        build(other, out, write_notebook(tmp_path, "The second"))
        device.open()
        expect(device.page.get_by_role("heading")).to_have_text("The second")
        assert best(device.ask(jpeg("top left"))) == "a"
        device.page.evaluate(UNTIL_GONE, old)
        kept = device.page.evaluate(KEPT)
        assert [Path(url).suffix for url in kept if "/page-" not in url].count(".wasm") == 1
    context.set_offline(True)
    device.open()
    expect(device.page.get_by_role("heading")).to_have_text("The second")
    assert best(device.ask(jpeg("top left"))) == "a"


def test_a_host_that_has_files_unpacked_on_the_way_will_do(device: Device, host: Host) -> None:
    host.headers[".gz"] = {"Content-Encoding": "gzip"}
    assert best(device.open().ask(jpeg("top left"))) == "top left"


def test_it_answers_on_plain_http_too(
    host: Host, playwright: Playwright, chromium_path: str
) -> None:
    flags = [*QUIET, "--host-resolver-rules=MAP plain.test 127.0.0.1"]
    browser = playwright.chromium.launch(executable_path=chromium_path, args=flags)
    device = Device(browser.new_page(), host.url.replace("127.0.0.1", "plain.test")).open()
    assert best(device.ask(jpeg("top left"))) == "top left"
    assert device.page.evaluate("() => isSecureContext") is False
    browser.close()


@pytest.mark.parametrize("lacking", ["DecompressionStream", "OffscreenCanvas"])
def test_too_old_a_browser_is_told(device: Device, lacking: str) -> None:
    device.page.add_init_script(f"delete globalThis.{lacking}")
    device.open()
    expect(device.banner).to_contain_text("This browser is too old for this page: it has no")
    expect(device.again).to_be_hidden()
    device.choose(jpeg("top left"))
    expect(device.status).to_contain_text("too old")
    expect(device.page.get_by_role("button", name="Ask again")).to_be_hidden()


def test_what_is_turned_off_is_told_and_not_called_old(
    host: Host, playwright: Playwright, chromium_path: str
) -> None:
    flags = [*QUIET, "--js-flags=--jitless"]
    browser = playwright.chromium.launch(executable_path=chromium_path, args=flags)
    device = Device(browser.new_page(), host.url).open()
    expect(device.banner).to_contain_text("This page needs WebAssembly, which is turned off")
    expect(device.again).to_be_hidden()
    browser.close()


# What a setting, a proxy or a frame takes away, and the page does without.
BLOCKED = {
    "caches": "Object.defineProperty(globalThis, 'caches', {get() { throw new DOMException() }})",
    "service worker": "Object.defineProperty(Navigator.prototype, 'serviceWorker', "
    "{get() { throw new DOMException('', 'SecurityError') }})",
    "cookies": "Object.defineProperty(Document.prototype, 'cookie', "
    "{get() { throw new DOMException('', 'SecurityError') }})",
    "shared memory": "delete globalThis.SharedArrayBuffer",
    "storage": "delete globalThis.indexedDB",
}


@pytest.mark.parametrize("what", BLOCKED)
def test_it_answers_without_what_it_only_likes_to_have(device: Device, what: str) -> None:
    device.page.add_init_script(BLOCKED[what])
    assert best(device.open().ask(jpeg("top left"))) == "top left"


def test_a_worker_that_is_not_allowed_is_told(device: Device) -> None:
    device.page.add_init_script("globalThis.Worker = class { constructor() { throw Error() } }")
    device.open()
    expect(device.banner).to_contain_text("does not let this page run its model here")
    expect(device.again).to_be_hidden()
    device.choose(jpeg("top left"))
    expect(device.status).to_contain_text("does not let this page run its model here")


def test_three_photos_dropped_get_three_answers(device: Device) -> None:
    device.open_ready()
    corners = ("bottom left", "top right", "top left")
    device.page.evaluate(GIVE_SEVERAL, [list(jpeg(corner)) for corner in corners])
    expect(device.page.locator(".voilearn-is-answer")).to_have_count(3, timeout=WITHIN)
    for at, corner in enumerate(corners):
        device.thumbnails.nth(at).click()
        assert best(device.answer()) == corner
        caption = device.page.locator(".voilearn-history .voilearn-caption").nth(at)
        expect(caption).to_have_text(f"{corner.capitalize()} over 99 %")


def test_a_browser_without_javascript_says_so_in_every_language(
    host: Host, browser: Browser, screenshots: Path
) -> None:
    context = browser.new_context(java_script_enabled=False)
    device = Device(context.new_page(), host.url).open()
    told = device.page.locator(".voilearn-unopened p:visible")
    expect(told).to_have_count(5)
    expect(told.first).to_contain_text("This page needs JavaScript")
    expect(device.page.locator(".voilearn-choose")).to_be_hidden()
    device.show(screenshots, "web-no-script")
    context.close()


def test_a_page_that_does_not_start_says_what_it_needs(device: Device, host: Host) -> None:
    host.faults["/page.js"] = lambda _: b"this is no script"
    device.open()
    told = device.page.locator(".voilearn-late p")
    expect(told.first).to_contain_text("It needs a browser of 2023 or newer")
    expect(told.first).to_be_visible()


def test_a_worker_that_can_not_start_is_told(device: Device, host: Host) -> None:
    host.faults["/worker.js"] = lambda _: b"this is no script"
    device.open()
    expect(device.banner).to_contain_text("A part of this page is missing", timeout=WITHIN)


def test_it_can_be_installed(device: Device, context: BrowserContext) -> None:
    device.open_kept()
    session = context.new_cdp_session(device.page)
    found = session.send("Page.getAppManifest")
    assert found["errors"] == []
    manifest = json.loads(found["data"])
    assert manifest["name"] == "Bear classifier"
    for icon in manifest["icons"]:
        picture = Image.open(io.BytesIO(device.page.request.get(device.url + icon["src"]).body()))
        assert f"{picture.width}x{picture.height}" == icon["sizes"]
    problems = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [p["errorId"] for p in problems if p["errorId"] != "in-incognito"] == []


def test_it_needs_no_isolation_and_breaks_no_rule_of_its_own(device: Device) -> None:
    device.open_kept().ask(jpeg("top left"))
    assert device.page.evaluate("() => crossOriginIsolated") is False
    assert device.console == []


def test_a_phone_takes_a_photo_with_its_own_camera(host: Host, browser: Browser) -> None:
    context = browser.new_context(has_touch=True, is_mobile=True)
    device = Device(context.new_page(), host.url).open_ready()
    with device.page.expect_file_chooser() as chosen:
        device.page.get_by_role("button", name="Take a photo").tap()
    assert chosen.value.element.get_attribute("capture") == "environment"
    chosen.value.set_files(
        {"name": "p.jpg", "mimeType": "image/jpeg", "buffer": jpeg("bottom left")}
    )
    assert best(device.answer()) == "bottom left"
    context.close()


def test_at_a_desk_the_page_shows_what_the_camera_sees(
    host: Host, playwright: Playwright, chromium_path: str
) -> None:
    flags = [*QUIET, "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    browser = playwright.chromium.launch(executable_path=chromium_path, args=flags)
    device = Device(browser.new_page(), host.url).open_ready()
    device.page.get_by_role("button", name="Take a photo").click()
    device.page.get_by_role("button", name="Take the photo").click()
    assert set(device.answer()) == set(CORNERS)
    expect(device.page.get_by_role("dialog")).to_be_hidden()
    assert device.console == []
    browser.close()


def test_an_answer_is_in_the_language_of_the_browser(
    host: Host, browser: Browser, screenshots: Path
) -> None:
    context = browser.new_context(locale="de-AT", color_scheme="dark")
    device = Device(context.new_page(), host.url).open_kept()
    expect(device.page.get_by_label("Foto auswählen")).to_be_attached()
    device.ask(jpeg("top left"))
    expect(device.status).to_have_text("Top left, zu über 99 % sicher")
    expect(device.page.locator("html")).to_have_attribute("lang", "de")
    device.show(screenshots, "web-german-dark")
    device.choose(b"no picture")
    expect(device.status).to_contain_text("Das ist kein Bild")
    context.close()


@pytest.mark.parametrize("language", ["de", "fr", "es", "zh"])
def test_no_english_is_left_in_any_state(host: Host, browser: Browser, language: str) -> None:
    context = browser.new_context(locale=language)
    device = Device(context.new_page(), host.url)
    device.page.add_init_script(f"addEventListener('DOMContentLoaded', {WATCH})")
    device.open_kept()
    assert device.page.evaluate(ENGLISH_LEFT) == []
    device.ask(jpeg("top left"))
    assert device.page.evaluate(ENGLISH_LEFT) == []
    for data, _ in BAD.values():
        device.ask(jpeg("top left"))
        device.choose(data)
        expect(device.page.locator(".voilearn-error")).to_be_visible(timeout=WITHIN)
        assert device.page.evaluate(ENGLISH_LEFT) == []
    host.faults[MODEL] = host.faults[RUNTIME] = lambda data: 404
    lost = Device(browser.new_context(locale=language).new_page(), host.url).open()
    expect(lost.banner).to_be_visible(timeout=WITHIN)
    assert lost.page.evaluate(ENGLISH_LEFT) == []
    lost.page.context.close()
    context.close()


@pytest.mark.parametrize("language", ["de", "fr", "es", "zh"])
def test_the_reason_of_a_refusal_is_told_in_every_language(
    host: Host, browser: Browser, language: str
) -> None:
    context = browser.new_context(locale=language)
    device = Device(context.new_page(), host.url).open()
    device.choose(BAD["tiff"][0])
    expect(device.status).to_contain_text("TIFF", timeout=WITHIN)
    expect(device.status).to_contain_text("JPEG")
    context.close()


def test_bars_stand_highest_first_also_for_classes_that_are_numbers(
    context: BrowserContext, tmp_path: Path
) -> None:
    model = write_model(tmp_path / "model", classes=("0", "1", "2", "3"))
    with hosting(build(model, tmp_path / "dist")) as host:
        answer = Device(context.new_page(), host.url).open().ask(jpeg("bottom left"))
    assert next(iter(answer)) == "2"


@pytest.mark.model
@pytest.mark.parametrize("name", SIZES)
def test_the_real_page_looks_well_in_every_state(
    real_page: Path, context: BrowserContext, screenshots: Path, name: str
) -> None:
    go_on = threading.Event()
    with hosting(real_page) as host:
        device = Device(context.new_page(), host.url)
        device.page.set_viewport_size({"width": SIZES[name][0], "height": SIZES[name][1]})
        host.faults[MODEL] = lambda data: data if go_on.wait(WITHIN / 1000) else None
        device.open()
        expect(device.preparing).to_contain_text("Downloading the model")
        device.show(screenshots, f"web-downloading-{name}")
        device.choose(drawn.teddy())
        expect(device.preview).to_be_visible(timeout=WITHIN)
        device.show(screenshots, f"web-waiting-{name}")
        go_on.set()
        assert best(device.answer()) == "teddy"
        expect(device.offline).to_be_visible(timeout=WITHIN)
        device.show(screenshots, f"web-answer-{name}")
        device.choose(b"no picture")
        expect(device.status).to_contain_text("not a picture")
        device.show(screenshots, f"web-bad-photo-{name}")
        device.open_ready().show(screenshots, f"web-ready-{name}")


@pytest.mark.model
@pytest.mark.parametrize("count", [30, pytest.param(100, marks=pytest.mark.slow)])
def test_real_photos_are_answered_as_python_answers_them(
    real_page: Path, light: Path, photos: Path, context: BrowserContext, count: int
) -> None:
    """Rounded as its own file is, and next to the learner, whose weights are whole."""
    chosen = _spread(photos, count)
    from voilearn.learner.load import load_classify

    classify, compiled_answer = load_classify(ROOT / "export.pkl"), reference(light)
    with hosting(real_page) as host:
        device = Device(context.new_page(), host.url).open_ready()
        far = {"export.pkl": 0.0, "export.onnx": 0.0}
        for photo in chosen:
            answer = device.ask(photo)
            device.page.evaluate("() => document.querySelector('.voilearn-bars').replaceChildren()")
            data = photo.read_bytes()
            prediction = classify(data)
            assert best(answer) == prediction.label, photo
            far["export.pkl"] = max(
                far["export.pkl"], differ(answer, dict(prediction.probabilities))
            )
            far["export.onnx"] = max(far["export.onnx"], differ(answer, compiled_answer(data)))
    print(f"{len(chosen)} photos, all labels agree; greatest differences: {far}")
    assert far["export.onnx"] < 0.01
    assert far["export.pkl"] < 0.04  # 0.02, which its scope's temperature doubles


def test_what_is_out_of_scope_for_python_is_so_on_the_device(
    real_page: Path, light: Path, photos: Path, context: BrowserContext
) -> None:
    from voilearn.compiled.load import load_classify

    classify = load_classify(light / "export.onnx")
    chosen = [*_spread(photos, 20)[-5:], *sorted((photos / "out_of_scope").glob("*/*"))[::90]]
    seen = set()
    with hosting(real_page) as host:
        device = Device(context.new_page(), host.url).open_ready()
        for photo in chosen:
            device.ask(photo)
            device.page.evaluate("() => document.querySelector('.voilearn-bars').replaceChildren()")
            known = classify(photo.read_bytes()).in_scope
            said = device.status.inner_text()
            assert (said == "This doesn't look like any of the things I know") is (not known), photo
            seen.add(known)
    assert seen == {True, False}


def _spread(photos: Path, count: int) -> list[Path]:
    """Choose photos of every class and source, those in awkward files first."""
    sources: dict[tuple[str, str], list[Path]] = {}
    for photo in sorted((photos / "bears").glob("*/*")):
        sources.setdefault((photo.parent.name, photo.name.split("__")[0]), []).append(photo)
    chosen = sorted((photos / "odd" / "bears").iterdir())
    while len(chosen) < count:
        chosen += [group.pop(len(group) // 2) for group in sources.values() if group]
    return chosen[:count]
