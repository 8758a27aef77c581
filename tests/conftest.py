"""What the tests share: the real export, the real photos, and pictures made by code."""

import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, ImageDraw

if TYPE_CHECKING:
    from tests.services import Machine

ROOT = Path(__file__).parents[1]
PHOTOS = Path(os.environ.get("VOILEARN_PHOTOS", ROOT.parent / "shared" / "photos"))


@pytest.fixture(scope="session")
def photos() -> Path:
    """The folder of real photos; they are not in the repository, for their rights are unknown."""
    if not PHOTOS.is_dir():
        pytest.skip("the real photos (../shared/photos beside the checkout) are not here")
    return PHOTOS


@pytest.fixture(scope="session")
def export() -> Path:
    return ROOT / "export.pkl"


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Iterator[Machine]":
    """A place for services of the test's own, which have all ended after it."""
    from tests.services import Machine

    machine = Machine(tmp_path)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(machine.path.parent))
    for name in ("VOILEARN_URL", "VOILEARN_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    yield machine
    machine.end()


def draw(size: tuple[int, int] = (120, 80), mode: str = "RGB") -> Image.Image:
    """A picture that looks different in each of the eight orientations."""
    picture = Image.new("RGB", size, (30, 60, 90))
    pen = ImageDraw.Draw(picture)
    width, height = size
    pen.rectangle((0, 0, width // 3, height // 4), fill=(250, 200, 40))
    pen.ellipse((width // 2, height // 2, width - 1, height - 1), fill=(200, 30, 30))
    return picture.convert(mode)


def encode(picture: Image.Image, format: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, format, **options)
    return file.getvalue()
