"""Build images and run containers where there is no Docker: by buildah and podman, as root.

In come the checkout and a folder with a model; out go images, and containers that answer. There is
no registry here: the base is a Debian that mmdebstrap makes, under the name that the Dockerfile
asks for.
"""

import contextlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.conftest import ROOT, encode
from tests.ports import free_port
from tests.serving import ask

TOOLS = ("mmdebstrap", "buildah", "podman", "slirp4netns", "catatonit")
IMAGE = "localhost/voilearn-test"
BASE = "docker.io/library/python:3.11-slim"
CERTIFICATES = "/etc/ssl/certs"  # by which pip knows its index
LIMITS = ("--ulimit", "nofile=20000:20000", "--ulimit", "nproc=10000:10000")
HERE = ("--cgroup-manager=cgroupfs",)
RED = encode(Image.new("RGB", (1200, 900), (250, 0, 0)), "JPEG")
BARE = ("--read-only", "--read-only-tmpfs=false", "--cap-drop=all", "--user=1000650000:0")
# podman of Debian 12 takes a mixed hierarchy for version 2, unless its second half is away
ALONE = "umount /sys/fs/cgroup/unified 2>/dev/null; "


def tools_needed() -> None:
    """Skip where images can't be made."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing or os.name != "posix" or os.geteuid() != 0:
        pytest.skip(
            f"images are made by root with {', '.join(TOOLS)}; on Debian: apt install "
            f"{' '.join(TOOLS)}; not here: {', '.join(missing) or 'root'}"
        )


def root_needed() -> None:
    """Skip where a network can't be taken away."""
    if os.name != "posix" or os.geteuid() != 0:
        pytest.skip("only root may take the network away")


def run(*command: str, folder: Path | None = None) -> str:
    """Return what a command prints, with all that it said if it fails."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, (
        f"{' '.join(command)}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    )
    return done.stdout.strip()


def make_base(scratch: Path) -> None:
    """Have an image of Debian with Python under the name of the Dockerfile's base."""
    if run("buildah", "images", "--quiet", "--filter", f"reference={BASE}"):
        return
    archive, link = scratch / "base.tar", 'ln -sf python3 "$1/usr/bin/python"'
    packages = "python3,python3-venv,python3-pip,ca-certificates"
    options = ("--variant=minbase", f"--include={packages}", f"--customize-hook={link}")
    run("mmdebstrap", *options, "bookworm", str(archive))
    container = run("buildah", "from", "scratch")
    run("buildah", "add", container, str(archive), "/")
    path = ":".join(
        f"{root}/{kind}" for root in ("/usr/local", "/usr", "") for kind in ("bin", "sbin")
    )
    run("buildah", "config", "--env", f"PATH={path}", container)
    run("buildah", "commit", container, BASE)
    run("buildah", "rm", container)
    archive.unlink()


def build(context: Path, tag: str, *options: str) -> None:
    """Build the Dockerfile of a folder."""
    here = ("--pull=never", "--isolation=chroot", "--format=docker")
    mounts = ("--volume", f"{CERTIFICATES}:{CERTIFICATES}:ro")
    run("buildah", "bud", *here, *mounts, *options, "--tag", tag, ".", folder=context)


def ready(url: str) -> bool:
    """Tell whether a service says that it is."""
    try:
        return ask(url, "GET", "/readyz")[0] == 200
    except OSError:
        return False


def size_of(image: str) -> int:
    """Return an image's bytes."""
    return int(run("podman", "image", "inspect", "--format", "{{.Size}}", image))


def described(image: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return how an image says that it is to be run, and how it is found to be alive."""
    (told,) = json.loads(run("podman", "image", "inspect", image))
    return told["Config"], told["Healthcheck"]


def copy_of_the_checkout(folder: Path) -> Path:
    """Return a folder with all that git has of this checkout, to put a model in."""
    run("git", "clone", "--quiet", "--shared", str(ROOT), str(folder))
    changed = run("git", "ls-files", "--modified", "--others", "--exclude-standard", folder=ROOT)
    for name in changed.splitlines():
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


class Container:
    """A container that runs, at a port of this machine."""

    def __init__(self, image: str, options: Sequence[str], arguments: Sequence[str]) -> None:
        self.port, self.name = free_port(), f"voilearn-test-{os.getpid()}-{time.monotonic_ns()}"
        network = () if "--network=none" in options else ("--network=host",)
        given = (
            *HERE,
            *network,
            *LIMITS,
            "--name",
            self.name,
            "--env",
            f"PORT={self.port}",
            *options,
        )
        command = ALONE + 'exec podman run "$@"'
        self.process = subprocess.Popen(
            ["unshare", "--mount", "sh", "-c", command, "podman", *given, image, *arguments],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def stop(self, seconds: int = 60) -> int:
        """End it by SIGTERM; return its exit code."""
        subprocess.run(
            ["podman", "stop", "--time", str(seconds), self.name], capture_output=True, check=False
        )
        return self.process.wait(120)

    def memory(self) -> int:
        """Return the bytes that its control group has in use, files left out."""
        pid = int(run("podman", "inspect", "--format", "{{.State.Pid}}", self.name))
        lines = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
        place = next(line.split(":", 2)[2] for line in lines if ":memory:" in line or "::" in line)
        for root in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup"):
            stat = Path(f"{root}{place}/memory.stat")
            if stat.exists():
                told = dict(line.split() for line in stat.read_text().splitlines())
                return int(told.get("total_rss", told.get("anon", 0)))
        pytest.skip("the memory of a container can't be told here")


@contextlib.contextmanager
def running(image: str, *options: str, arguments: Sequence[str] = ()) -> Iterator[Container]:
    """Run a container; it is gone afterwards."""
    container = Container(image, options, arguments)
    try:
        yield container
    finally:
        if container.process.poll() is None:
            container.stop(0)
        subprocess.run(
            ["podman", "rm", "--force", container.name], capture_output=True, check=False
        )


@contextlib.contextmanager
def pod(manifest: Path, scratch: Path) -> Iterator[Callable[..., str]]:
    """Run what a manifest of Kubernetes describes; give what asks podman, where it can see it."""
    limits = ", ".join(f'"{limit}"' for limit in LIMITS if "=" in limit)
    (scratch / "containers.conf").write_text(f"[containers]\ndefault_ulimits=[{limits}]\n")
    # its networks are mounted, so all that has to do with it is done among the same mounts
    command = ["unshare", "--mount", "sh", "-c", ALONE + "echo; exec sleep infinity"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as mounts:
        assert mounts.stdout is not None
        mounts.stdout.readline()
        given = ("env", f"CONTAINERS_CONF={scratch / 'containers.conf'}", "podman", *HERE)

        def podman(*arguments: str) -> str:
            return run("nsenter", "--mount", f"--target={mounts.pid}", *given, *arguments)

        try:
            podman("play", "kube", "--network=slirp4netns", str(manifest))
            yield podman
        finally:
            try:
                podman("play", "kube", "--down", str(manifest))
            finally:
                mounts.kill()
