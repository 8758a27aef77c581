"""What Binder makes of a new app: built by repo2docker's own logic, and started as it is there.

In: an app that `voilearn new` wrote, with Voilearn as a wheel brings it; out: the build pack, the
Dockerfile, and what the scripts do in the image.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests import onnx_files
from tests.conftest import ROOT, draw, encode
from voilearn.project.new import write_app
from voilearn.project.repository import Repository


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("app")
    onnx_files.write(place, onnx_files.model())
    write_app(place / "colours", place / "export.onnx", Repository())
    return place / "colours"


@pytest.fixture(scope="module")
def dockerfile(app: Path) -> str:
    pytest.importorskip("repo2docker", reason="jupyter-repo2docker is not installed")
    options = ["--no-build", "--debug", "--user-id", "1000", "--user-name", "jovyan"]
    command = [sys.executable, "-m", "repo2docker", *options, str(app)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def post_build(app: Path) -> "subprocess.CompletedProcess[str]":
    """Run it as the image does, where Voilearn is installed, and not in the app's folder."""
    variables = {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(app),
    }
    return subprocess.run(
        ["binder/postBuild"],
        cwd=app,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        check=False,
    )


def test_repo2docker_takes_the_apps_own_folder_for_binder(dockerfile: str) -> None:
    copy = dockerfile.index("COPY --chown=1000:1000 src/ ${REPO_DIR}/")
    install = dockerfile.index('pip install --no-cache-dir -r "binder/requirements.txt"')
    assert copy < install  # before, ../requirements.txt would not be there
    assert "RUN ./binder/postBuild" in dockerfile
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in dockerfile
    assert "WORKDIR ${REPO_DIR}" in dockerfile
    assert "ARG REPO_DIR=${HOME}" in dockerfile  # so that the app's .jupyter is read


def test_the_build_links_the_package_that_is_installed_and_asks_the_model(app: Path) -> None:
    pytest.importorskip("anywidget")
    for _ in range(2):  # the second time, a link is there
        built = post_build(app)
        assert (built.returncode, built.stderr) == (0, "")
        assert (app / "voilearn").is_symlink()
        assert (app / "voilearn").resolve() == ROOT / "voilearn"
    ask = "import sys; from voilearn import load_classify as load; classify = load('export.onnx'); "
    ask += "print(classify(sys.stdin.buffer.read()).label)"
    photo = encode(draw(), "JPEG")
    answer = subprocess.run([sys.executable, "-c", ask], cwd=app, input=photo, capture_output=True)
    assert answer.stdout.decode().strip() in onnx_files.CLASSES


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "there is no file export.onnx in the root of the repository. Compile your learner"),
        ("version https://git-lfs.github.com/spec/v1\n", "export.onnx is a Git LFS pointer"),
    ],
)
def test_the_build_stops_where_there_is_no_model(
    app: Path, tmp_path: Path, text: str | None, reason: str
) -> None:
    (tmp_path / "binder").mkdir()
    (tmp_path / "binder" / "postBuild").write_bytes((app / "binder" / "postBuild").read_bytes())
    (tmp_path / "binder" / "postBuild").chmod(0o755)
    if text:
        (tmp_path / "export.onnx").write_text(text)
    built = post_build(tmp_path)
    assert built.returncode == 1
    assert f"postBuild: {reason}" in built.stderr
