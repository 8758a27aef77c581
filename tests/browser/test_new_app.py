"""An app that `voilearn new` wrote, as Binder runs it: with Voilearn of a wheel, and no checkout.

In: the wheel, unpacked as it is installed, and an app's folder; out: a photo's answer on its page.
"""

import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.visitor import ANSWER_WITHIN, Visitor
from tests.browser.ways import Place, running
from tests.conftest import ROOT, built_wheel, draw, encode
from voilearn.model import load_classify


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installed Voilearn."""
    folder = tmp_path_factory.mktemp("wheel")
    with zipfile.ZipFile(built_wheel(folder)) as file:
        file.extractall(folder / "site")
    return folder / "site"


@pytest.mark.slow
@pytest.mark.model
@pytest.mark.parametrize("kind", ["export.pkl", "export.onnx"])
def test_a_new_app_is_built_and_answers_on_binder(
    kind: str, installed: Path, compiled: Path, tmp_path: Path, browser: Browser, monkeypatch: Any
) -> None:
    model = ROOT / kind if kind == "export.pkl" else compiled / kind
    monkeypatch.setenv("PYTHONPATH", str(installed))
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    new = [sys.executable, "-m", "voilearn", "new", "bears", "--model", str(model)]
    subprocess.run(new, cwd=tmp_path, check=True)
    app = tmp_path / "bears"
    subprocess.run(["binder/postBuild"], cwd=app, check=True)
    photo = encode(draw((300, 200)), "PNG")
    with running("binder", Place(app, tmp_path / "scratch")) as server:
        context = browser.new_context()
        visitor = Visitor(context.new_page(), server).arrive()
        expect(visitor.page.locator("h1")).to_have_text("Bears", timeout=ANSWER_WITHIN)
        expected = load_classify(model)(photo).probabilities
        assert visitor.ask(photo, "photo.png") == pytest.approx(expected, abs=1e-4)
        assert visitor.errors == []
        context.close()
