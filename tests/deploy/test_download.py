"""A model that an image's build downloads: kept only if it is the one that was meant."""

import hashlib
import runpy
import urllib.request
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT

URL = "https://example.org/export.pkl"
DATA = b"a model" * 1000
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture
def download(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: BytesIO(DATA))
    return runpy.run_path(str(ROOT / "deploy" / "download.py"))["main"]


def test_a_model_that_is_the_one_meant_is_kept(download: Any, tmp_path: Path) -> None:
    target = tmp_path / "export.pkl"
    assert download(URL, SHA256.upper(), str(target)) is None
    assert target.read_bytes() == DATA


def test_another_one_is_not(download: Any, tmp_path: Path) -> None:
    target = tmp_path / "export.pkl"
    assert "is another file: its SHA-256 is" in download(URL, "0" * 64, str(target))
    assert not target.exists()


@pytest.mark.parametrize(
    ("url", "sha256"),
    [("", ""), (URL, ""), ("http://example.org/a", SHA256), ("file:///etc/passwd", SHA256)],
)
def test_what_was_left_out_is_told(download: Any, url: str, sha256: str, tmp_path: Path) -> None:
    assert "Give MODEL_URL" in download(url, sha256, str(tmp_path / "export.pkl"))


def test_a_host_that_is_not_there_is_told(
    download: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object, **__: object) -> None:
        raise OSError("no route")

    monkeypatch.setattr(urllib.request, "urlopen", fails)
    assert "can't be downloaded: no route" in download(URL, SHA256, str(tmp_path / "x"))
