"""The ways the page is run, each as a server on a port of its own.

In: the folder with app.ipynb and extra settings; out: a running `Server`, stopped at the end.

    way        command                                             who runs it so
    make       make page                                           a student, first time
    voila      voila app.ipynb                                     anyone, from the root
    lab        jupyter lab --config=.jupyter/… app.ipynb           who edits the notebook
    notebook   jupyter notebook --config=.jupyter/… app.ipynb      the same
    binder     jupyter-lab with base_url and token, HOME = root    mybinder.org
    hub        jupyterhub, its proxy, jupyterhub-singleuser        a school's own hub
    service    voilearn serve, with the stub for its model         who has a crowd to serve
    device     make web, with the stub for its model               who has no server
"""

import contextlib
import json
import os
import shlex
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.browser import stub
from tests.conftest import services
from tests.ports import free_port as free_port
from tests.waiting import WITHIN

PAGE = "app.ipynb"
TOKEN = "a-token-for-this-test"
CONFIG = ".jupyter/jupyter_server_config.json"
STOPS_WITHIN = 15  # seconds, after which a server is killed

# What BinderHub's chart mounts as /etc/jupyter; short times are given on top of it.
# https://github.com/jupyterhub/mybinder.org-deploy/blob/main/mybinder/values.yaml
BINDER_ETC = {
    "ServerApp": {
        "allow_origin": "*",
        "tornado_settings": {"trust_xheaders": True},
        "shutdown_no_activity_timeout": 600,
    },
    "MappingKernelManager": {
        "cull_idle_timeout": 600,
        "cull_interval": 60,
        "cull_connected": True,
    },
}

# /etc/jupyter has the lowest rank of all config folders, so no variable can stand in for it.
BINDER_LAUNCH = """
import sys
import jupyter_core.paths
jupyter_core.paths.SYSTEM_CONFIG_PATH.append(sys.argv.pop(1))
from jupyterlab.labapp import main
main()
"""

HUB_CONFIG = """
c.JupyterHub.bind_url = {bind_url!r}
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret_file = {secret_file!r}
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.ConfigurableHTTPProxy.api_url = {proxy_url!r}
c.ConfigurableHTTPProxy.pid_file = {pid_file!r}
c.ConfigurableHTTPProxy.auth_token = "a-token-for-the-proxy"
c.Authenticator.allow_all = True
c.DummyAuthenticator.password = {token!r}
c.SimpleLocalProcessSpawner.home_dir_template = {home!r}
c.Spawner.cmd = [{python!r}, "-m", "jupyterhub.singleuser"]
c.Spawner.args = {args!r}
c.Spawner.env_keep = {env_keep!r}
c.Spawner.start_timeout = 120
c.Spawner.http_timeout = 120
"""


# Of the pages whose model is a stub, those with a kernel: for tests of what only these have.
OF_A_KERNEL = pytest.mark.parametrize(
    "stubbed", ["voila", "binder"], indirect=True, scope="package"
)

Settings = dict[str, int]
Command = tuple[list[str], str, str]  # what to run, the server's address, the page's path on it


@dataclass(frozen=True)
class Server:
    """One running server and where its page is."""

    way: str
    url: str
    page: str
    process: psutil.Popen
    log: Path
    folder: Path
    home: Path
    tmp: Path

    @property
    def is_voila(self) -> bool:
        """Whether Voilà itself is the server, open to anyone, not an extension of another."""
        return self.way in ("make", "voila")

    @property
    def spare(self) -> int:
        """How many kernels are kept warm for the visitor who comes next."""
        return int(self.way in ("make", "voila"))

    def kernels(self) -> list[psutil.Process]:
        """Return the kernels by the machine's own list of processes."""
        return [child for child in self._descendants() if "ipykernel_launcher" in command_of(child)]

    def log_tail(self, lines: int = 60) -> str:
        """Return the end of what the server said."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        """End the server and every process it started."""
        family = [self.process, *self._descendants()]
        with contextlib.suppress(psutil.NoSuchProcess):
            self.process.terminate()
        _kill(services(self.tmp))  # which stay for whoever comes next
        psutil.wait_procs(family, timeout=STOPS_WITHIN)
        family += self._descendants()  # those that it started meanwhile
        _kill([*family, *services(self.tmp)])
        psutil.wait_procs(family, timeout=STOPS_WITHIN)

    def _descendants(self) -> list[psutil.Process]:
        try:
            return list(self.process.children(recursive=True))
        except psutil.NoSuchProcess:
            return []


def _kill(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


@dataclass(frozen=True)
class Place:
    """Where a server runs: the app's folder, and a home and temporary folder of its own."""

    folder: Path
    scratch: Path

    def home(self, way: str) -> Path:
        """Return the home folder, which is the app's folder on Binder and on the hub."""
        return self.folder if way in ("binder", "hub") else self.scratch / "home"

    def environment(self, way: str) -> dict[str, str]:
        """Return the environment, with nothing of the tester's own Jupyter settings."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "VOILA"))}
        return kept | {
            "HOME": str(self.home(way)),
            "TMPDIR": str(self.scratch / "tmp"),
            "XDG_RUNTIME_DIR": str(self.scratch / "tmp"),  # where the model's service is found
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
        }


@contextlib.contextmanager
def running(way: str, place: Place, port: int = 0, **settings: int) -> Iterator[Server]:
    """Run the page one way; `settings` are those of the kernel culler and the pings."""
    if lack := missing(way):
        (pytest.fail if os.environ.get("CI") else pytest.skip)(lack)
    for folder in (place.home(way), place.scratch / "tmp"):
        folder.mkdir(parents=True, exist_ok=True)
    command, url, path = _COMMANDS[way](place, port or free_port(), settings)
    log = place.scratch / f"{way}.log"
    with log.open("wb") as out:
        process = psutil.Popen(
            command,
            cwd=place.folder,
            env=place.environment(way),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    server = Server(
        way, url, url + path, process, log, place.folder, place.home(way), place.scratch / "tmp"
    )
    try:
        _wait(server)
        yield server
    finally:
        server.stop()


def every_way(but: str = "", slow: tuple[str, ...] = ()) -> list[Any]:
    """Return the ways as parameters of a test, the hub marked as such, and `slow` ones as slow."""
    return [pytest.param(way, marks=_marks(way, slow)) for way in WAYS if way != but]


def _marks(way: str, slow: tuple[str, ...]) -> list[pytest.MarkDecorator]:
    hub = [pytest.mark.hub] if way == "hub" else []
    return [*hub, pytest.mark.slow] if way in slow else hub


def missing(way: str) -> str | None:
    """Say what this way of running lacks on this machine, or None."""
    if way == "hub" and not _proxy():
        return "the hub needs npm's configurable-http-proxy on the PATH"
    if way == "make" and not shutil.which("make"):
        return "make is not installed"
    return None


def _voila(place: Place, port: int, settings: Settings) -> Command:
    command = [sys.executable, "-m", "voila", PAGE, f"--port={port}"]
    command += _voila_options(place, settings)
    return command, f"http://127.0.0.1:{port}/", ""


def _make(place: Place, port: int, settings: Settings) -> Command:
    flags = shlex.join(_voila_options(place, settings))
    # -o: the environment is there, whatever the dates of its files say
    command = ["make", "page", "-o", f"{sys.prefix}/page", f"VENV={sys.prefix}"]
    command += [f"PORT={port}", f"VOILA_FLAGS={flags}"]
    return command, f"http://127.0.0.1:{port}/", ""


def _voila_options(place: Place, settings: Settings) -> list[str]:
    options = ["--no-browser", "--Voila.port_retries=0"]
    tornado = json.loads((place.folder / "voila.json").read_text())["Voila"]["tornado_settings"]
    pings = {key: settings[key] for key in settings if key.startswith("ws_")}
    if pings:
        options.append(f"--Voila.tornado_settings={tornado | pings}")
    return [*options, *_culler(settings)]


def _lab(place: Place, port: int, settings: Settings) -> Command:
    command = [sys.executable, "-m", "jupyterlab", PAGE, f"--config={CONFIG}"]
    return [*command, *_server_options(port, settings)], _base(port), f"lab/tree/{PAGE}{_KEY}"


def _notebook(place: Place, port: int, settings: Settings) -> Command:
    command = [sys.executable, "-m", "notebook", PAGE, f"--config={CONFIG}"]
    return [*command, *_server_options(port, settings)], _base(port), f"notebooks/{PAGE}{_KEY}"


def _binder(place: Place, port: int, settings: Settings) -> Command:
    etc = place.scratch / "etc"
    etc.mkdir(exist_ok=True)
    (etc / "jupyter_server_config.json").write_text(json.dumps(BINDER_ETC))
    base = "/user/someone/"
    # the options BinderSpawner gives: each for the old NotebookApp and for ServerApp
    twins = [f"{key}={value}" for key, value in (("base_url", base), ("token", TOKEN))]
    options = [f"--{app}.{twin}" for app in ("NotebookApp", "ServerApp") for twin in twins]
    command = [sys.executable, "-c", BINDER_LAUNCH, str(etc), *options]
    command += ["--ServerApp.trust_xheaders=True", *_server_options(port, settings)]
    return command, _base(port, base), f"voila/render/{PAGE}{_KEY}"


def _hub(place: Place, port: int, settings: Settings) -> Command:
    config = place.scratch / "jupyterhub_config.py"
    config.write_text(
        HUB_CONFIG.format(
            bind_url=f"http://127.0.0.1:{port}",
            hub_port=free_port(),
            proxy_url=f"http://127.0.0.1:{free_port()}",
            secret_file=str(place.scratch / "cookie_secret"),
            pid_file=str(place.scratch / "proxy.pid"),
            token=TOKEN,
            home=str(place.folder),
            python=sys.executable,
            args=[*_as_root(), *_culler(settings)],
            env_keep=["PATH", "TMPDIR", "OMP_NUM_THREADS", "LANG", "LC_ALL"],
        )
    )
    command = [sys.executable, "-m", "jupyterhub", f"--config={config}"]
    return command, _base(port), f"user/someone/voila/render/{PAGE}"


def _service(place: Place, port: int, _settings: Settings) -> Command:
    return [sys.executable, "-c", stub.SERVICE, str(port)], f"http://127.0.0.1:{port}/", ""


def _device(place: Place, port: int, _settings: Settings) -> Command:
    return [sys.executable, "-c", stub.DEVICE, str(port)], f"http://127.0.0.1:{port}/", "device/"


_KEY = f"?token={TOKEN}"
_COMMANDS: dict[str, Callable[[Place, int, Settings], Command]] = {
    "make": _make,
    "voila": _voila,
    "lab": _lab,
    "notebook": _notebook,
    "binder": _binder,
    "hub": _hub,
}
WAYS = tuple(_COMMANDS)
_COMMANDS |= {"service": _service, "device": _device}  # of a stub alone


def _server_options(port: int, settings: Settings) -> list[str]:
    options = ["--no-browser", "--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"]
    return [*options, f"--IdentityProvider.token={TOKEN}", *_as_root(), *_culler(settings)]


def _culler(settings: Settings) -> list[str]:
    chosen = {key: value for key, value in settings.items() if key.startswith("cull_")}
    options = [f"--MappingKernelManager.{key}={value}" for key, value in chosen.items()]
    gone = settings.get("gone_after")
    return options if gone is None else [*options, f"--PageKernels.gone_after={gone}"]


def _as_root() -> list[str]:
    return ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []


def _base(port: int, path: str = "/") -> str:
    return f"http://127.0.0.1:{port}{path}"


def _proxy() -> str | None:
    folders = [str(Path(sys.executable).parent), os.environ.get("PATH", "")]
    return shutil.which("configurable-http-proxy", path=os.pathsep.join(folders))


def command_of(process: psutil.Process) -> list[str]:
    """Return a process's command line; of one that has ended, nothing."""
    with contextlib.suppress(psutil.Error):
        return list(process.cmdline())
    return []


def _wait(server: Server) -> None:
    deadline = time.monotonic() + WITHIN
    # a page of no consequence: the page itself would start a kernel
    probes = {"hub": "hub/health", "service": "readyz", "device": "device/"}
    probe = server.url + probes.get(server.way, "voila/static/none.css")
    # the hub's proxy answers 404 until the hub itself is there; elsewhere any answer will do
    worst = 399 if server.way in probes else 499
    while not _answers(probe, worst):
        if server.process.poll() is not None:
            raise RuntimeError(f"{server.way} ended at its start:\n{server.log_tail()}")
        if time.monotonic() > deadline:
            raise RuntimeError(f"{server.way} did not answer in time:\n{server.log_tail()}")
        time.sleep(0.2)


def _answers(url: str, worst: int) -> bool:
    try:
        urllib.request.urlopen(url, timeout=WITHIN).close()
    except urllib.error.HTTPError as error:
        return error.code <= worst
    except OSError:
        return False
    return True
