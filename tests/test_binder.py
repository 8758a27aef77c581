"""What Binder builds and starts, checked with repo2docker's own code and without Docker.

In: the checkout; out: the build pack repo2docker picks, the Dockerfile it renders, and the two
scripts run as the image would run them.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
BINDER = ROOT / "binder"
START = BINDER / "start"
POST_BUILD = BINDER / "postBuild"
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 46970277\n"


@pytest.fixture(scope="module")
def dockerfile() -> str:
    """Return the Dockerfile that repo2docker writes for this repository."""
    pytest.importorskip("repo2docker", reason="jupyter-repo2docker is not installed")
    options = ["--no-build", "--user-id", "1000", "--user-name", "jovyan"]
    command = [sys.executable, "-m", "repo2docker", *options, str(ROOT)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_the_python_build_pack_is_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    application = pytest.importorskip("repo2docker.app", reason="needs jupyter-repo2docker")
    monkeypatch.chdir(ROOT)
    builder = application.Repo2Docker()
    packs = (pack(base_image=builder.base_image) for pack in builder.buildpacks)
    chosen = next(pack for pack in packs if pack.detect())
    assert type(chosen).__name__ == "PythonBuildPack"
    assert chosen.binder_dir == "binder"
    assert chosen.python_version == "3.11"


def test_the_lock_is_installed_after_it_was_copied(dockerfile: str) -> None:
    copy = dockerfile.index("COPY --chown=1000:1000 src/ ${REPO_DIR}/")
    install = dockerfile.index('pip install --no-cache-dir -r "binder/requirements.txt"')
    assert copy < install  # before, ../requirements.txt would not be there
    assert "pip install --no-cache-dir ." not in dockerfile


def test_both_scripts_are_in_the_image(dockerfile: str) -> None:
    assert "RUN ./binder/postBuild" in dockerfile
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in dockerfile


def test_the_repository_is_the_home_folder(dockerfile: str) -> None:
    # so that .jupyter/jupyter_server_config.json of the repository is read
    assert "ARG REPO_DIR=${HOME}" in dockerfile
    assert "WORKDIR ${REPO_DIR}" in dockerfile
    assert (ROOT / ".jupyter" / "jupyter_server_config.json").is_file()


def test_the_settings_keep_what_mybinder_sets() -> None:
    config = json.loads((ROOT / ".jupyter" / "jupyter_server_config.json").read_text())
    # a dict is replaced whole: what mybinder.org has in its own must stand in ours
    assert config["ServerApp"]["tornado_settings"]["trust_xheaders"] is True
    # these are mybinder.org's to decide
    assert "cull_connected" not in config["MappingKernelManager"]
    assert not {"allow_origin", "shutdown_no_activity_timeout", "ip"} & set(config["ServerApp"])


def test_voila_and_jupyter_server_are_set_alike() -> None:
    voila = json.loads((ROOT / "voila.json").read_text())
    server = json.loads((ROOT / ".jupyter" / "jupyter_server_config.json").read_text())
    alone, behind = (c["tornado_settings"] for c in (voila["Voila"], server["ServerApp"]))
    for setting in ("headers", "websocket_max_message_size"):
        assert alone[setting] == behind[setting]
    for name, value in server["VoilaConfiguration"].items():
        assert voila["VoilaConfiguration"][name] == value


def test_pip_takes_the_wheels_without_cuda(tmp_path: Path) -> None:
    lock = (ROOT / "requirements.txt").read_text().splitlines()
    pins = [line for line in lock if re.match(r"torch(vision)?==", line)]
    assert len(pins) == len(("torch", "torchvision"))
    assert not [line for line in lock if line.startswith(("nvidia", "cuda", "triton"))]
    for pin in pins:
        version = Version(next(iter(Requirement(pin).specifier)).version)
        cpu = Version(f"{version}+cpu")
        assert Requirement(pin).specifier.contains(cpu)
        assert cpu > version  # so pip, which sees both indexes, prefers it


def test_the_index_of_cpu_wheels_is_asked_beside_pypi() -> None:
    lines = (BINDER / "requirements.txt").read_text().splitlines()
    assert "--extra-index-url https://download.pytorch.org/whl/cpu" in lines
    assert "-r ../requirements.txt" in lines
    assert not [line for line in lines if line.startswith("--index-url")]


@pytest.mark.parametrize("script", [START, POST_BUILD])
def test_the_scripts_are_executable(script: Path) -> None:
    assert os.access(script, os.X_OK)
    assert script.read_bytes().startswith(b"#!/bin/sh\n")
    subprocess.run(["sh", "-n", script], check=True)


@pytest.mark.parametrize(
    ("limit", "threads"),
    [
        ({"cpu.max": "100000 100000"}, "1"),
        ({"cpu.max": "50000 100000"}, "1"),
        ({"cpu.max": "250000 100000"}, "3"),
        ({"cpu/cpu.cfs_quota_us": "200000", "cpu/cpu.cfs_period_us": "100000"}, "2"),
        ({"cpu.max": "max 100000"}, "all"),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, "all"),
        ({}, "all"),
    ],
)
def test_start_gives_as_many_threads_as_the_container_has_cores(
    limit: dict[str, str], threads: str, tmp_path: Path
) -> None:
    for name, text in limit.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    every = str(len(os.sched_getaffinity(0))) if hasattr(os, "sched_getaffinity") else "1"
    expected = every if threads == "all" else threads
    shown = _start(["sh", "-c", 'echo "$OMP_NUM_THREADS $MKL_NUM_THREADS"'], CGROUP=str(tmp_path))
    assert shown.stdout.split() == [expected, expected]


def test_start_becomes_the_server_it_is_given() -> None:
    assert _start(["true"]).returncode == 0
    assert _start(["sh", "-c", "exit 3"]).returncode == len("abc")
    assert _start(["printf", "%s|", "two words", "*"]).stdout == "two words|*|"


def test_start_leaves_a_number_of_threads_that_was_asked_for() -> None:
    assert _start(["printenv", "OMP_NUM_THREADS"], OMP_NUM_THREADS="7").stdout.strip() == "7"


def test_post_build_stops_where_there_is_no_export(tmp_path: Path) -> None:
    built = _post_build(tmp_path)
    assert built.returncode != 0
    assert "there is no file export.pkl" in built.stderr


def test_post_build_stops_at_a_pointer_of_git_lfs(tmp_path: Path) -> None:
    (tmp_path / "export.pkl").write_bytes(LFS_POINTER)
    built = _post_build(tmp_path)
    assert built.returncode != 0
    assert "Git LFS pointer" in built.stderr


@pytest.mark.model
def test_post_build_stops_at_a_file_that_is_no_learner(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "voilearn", tmp_path / "voilearn")
    (tmp_path / "export.pkl").write_bytes(b"<!DOCTYPE html><title>Sign in</title>")
    built = _post_build(tmp_path)
    assert built.returncode != 0
    assert "cannot be loaded" in built.stderr


@pytest.mark.model
def test_post_build_passes_with_this_repositorys_export(tmp_path: Path) -> None:
    shutil.copytree(
        ROOT / "voilearn", tmp_path / "voilearn", ignore=shutil.ignore_patterns("__pycache__")
    )
    shutil.copy(ROOT / "export.pkl", tmp_path)
    built = _post_build(tmp_path)
    assert built.returncode == 0, built.stderr
    assert list((tmp_path / "voilearn" / "notebook" / "__pycache__").glob("widget.*.pyc"))
    kept = tmp_path / ".cache" / "voilearn" / "compiled"
    assert [file.stat().st_size < 30_000_000 for file in kept.rglob("export.onnx")] == [True]


def test_the_readmes_links_open_the_page_on_binder() -> None:
    readme = ROOT / "README.md"
    if not readme.exists():
        pytest.skip("there is no README.md yet")
    links = re.findall(r"https://mybinder\.org/v2/[^\s)\]\"'`>]+", readme.read_text())
    assert links
    for link in links:
        parts = urlsplit(link)
        assert re.fullmatch(r"/v2/gh/[^/]+/[^/]+/HEAD", parts.path), link
        assert parse_qs(parts.query) == {"urlpath": ["voila/render/app.ipynb"]}


def _start(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if not key.endswith("NUM_THREADS")}
    return subprocess.run(
        [START, *command], env=kept | variables, capture_output=True, text=True, check=False
    )


def _post_build(folder: Path) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    kept = {key: value for key, value in os.environ.items() if not key.startswith("XDG_")}
    return subprocess.run(
        [POST_BUILD],
        cwd=folder,
        env=kept | {"PATH": path, "HOME": str(folder), "PYTHONDONTWRITEBYTECODE": ""},
        capture_output=True,
        text=True,
        check=False,
    )
