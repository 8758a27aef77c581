"""A class's page in a JupyterHub, by deploy/jupyterhub/voilearn.py: `make containers`."""

import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("jupyterhub")
pytest.importorskip("jupyter_server_proxy", reason="`make containers` installs it")
pytest.importorskip("onnx")

from tests import onnx_files
from tests.conftest import ROOT
from tests.deploy.containers import RED
from tests.ports import free_port
from tests.waiting import WITHIN, wait_for

pytestmark = [pytest.mark.containers, pytest.mark.hub]

ADMIN = "a-token-for-the-test"
CONFIG = """
c.JupyterHub.bind_url = "http://127.0.0.1:{port}"
c.JupyterHub.hub_port = {hub_port}
c.JupyterHub.db_url = "sqlite://"
c.JupyterHub.cookie_secret_file = "{scratch}/cookie_secret"
c.JupyterHub.authenticator_class = "dummy"
c.JupyterHub.spawner_class = "simple"
c.ConfigurableHTTPProxy.api_url = "http://127.0.0.1:{proxy_port}"
c.ConfigurableHTTPProxy.pid_file = "{scratch}/proxy.pid"
c.Authenticator.allow_all = True
c.SimpleLocalProcessSpawner.home_dir_template = "{scratch}/{{username}}"
c.Spawner.env_keep = ["PATH", "TMPDIR", "LANG", "LC_ALL"]
c.JupyterHub.services = [{{"name": "test", "api_token": "{token}"}}]
c.JupyterHub.load_roles = [
    {{
        "name": "test",
        "scopes": ["admin:users", "admin:groups", "admin:servers", "tokens"],
        "services": ["test"],
    }}
]
"""


class Hub:
    """A hub that runs, asked by a token."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def ask(
        self, token: str, method: str, path: str, body: bytes | None = None
    ) -> tuple[int, bytes]:
        """Return the status and the body of an answer."""
        headers = {"Authorization": f"Bearer {token}"}
        request = urllib.request.Request(self.url + path, body, headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=WITHIN) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def first_event(self, token: str, path: str) -> bytes:
        """Return the first line of what goes on."""
        headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
        request = urllib.request.Request(self.url + path, headers=headers)
        with urllib.request.urlopen(request, timeout=WITHIN) as answer:
            return bytes(answer.readline())

    def order(self, method: str, path: str, told: Any = None) -> Any:
        """Have the hub itself do something."""
        body = None if told is None else json.dumps(told).encode()
        status, answer = self.ask(ADMIN, method, f"/hub/api{path}", body)
        assert status < 300, answer
        return json.loads(answer) if answer else None

    def is_there(self) -> bool:
        try:
            return self.ask(ADMIN, "GET", "/hub/api/users")[0] == 200
        except OSError:
            return False

    def token_of(self, user: str) -> str:
        return str(self.order("POST", f"/users/{user}/tokens", {})["token"])


@pytest.fixture
def hub(tmp_path: Path) -> Iterator[Hub]:
    (tmp_path / "bin").mkdir()
    voilearn = tmp_path / "bin" / "voilearn"
    voilearn.write_text(
        f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m voilearn "$@"\n'
    )
    voilearn.chmod(0o755)
    places = [str(voilearn.parent), str(Path(sys.executable).parent), os.environ["PATH"]]
    path = os.pathsep.join(places)
    if not shutil.which("configurable-http-proxy", path=path):
        pytest.skip("the hub needs npm's configurable-http-proxy on the PATH")
    (tmp_path / "teacher").mkdir()
    onnx_files.write(tmp_path / "teacher", onnx_files.model())
    ours = (ROOT / "deploy" / "jupyterhub" / "voilearn.py").read_text()
    here = {"port": free_port(), "hub_port": free_port(), "proxy_port": free_port()}
    config = CONFIG.format(**here, scratch=tmp_path, token=ADMIN) + ours
    (tmp_path / "jupyterhub_config.py").write_text(config)
    command = [sys.executable, "-m", "jupyterhub", f"--config={tmp_path}/jupyterhub_config.py"]
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=os.environ | {"PATH": path},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            hub = Hub(here["port"])
            wait_for(lambda: hub.is_there() or process.poll() is not None)
            assert process.poll() is None, (tmp_path / "log").read_text()
            yield hub
        finally:
            process.terminate()  # it ends what it has started
            process.wait(WITHIN)
            print((tmp_path / "log").read_text()[-4000:])


def test_a_class_opens_the_teachers_page_and_nothing_else(hub: Hub) -> None:
    for name in ("teacher", "pupil", "stranger"):
        hub.order("POST", f"/users/{name}")
    hub.order("POST", "/groups/class/users", {"users": ["pupil"]})
    hub.order("POST", "/users/teacher/servers/page")
    pupil, page = hub.token_of("pupil"), "/user/teacher/page"
    wait_for(lambda: hub.ask(pupil, "GET", f"{page}/readyz")[0] == 200)
    status, told = hub.ask(pupil, "GET", f"{page}/")
    assert (status, b"<main" in told) == (200, True)
    status, told = hub.ask(pupil, "POST", f"{page}/v1/classify", RED)
    assert (status, json.loads(told)["label"]) == (200, "red")
    assert b"event: model" in hub.first_event(pupil, f"{page}/v1/events")
    for path in ("/lab", "/api/contents", "/api/terminals", "/tree"):
        assert hub.ask(pupil, "GET", page + path)[0] == 404, path
    assert hub.ask(hub.token_of("stranger"), "GET", f"{page}/")[0] == 403
    assert hub.ask("nobody", "POST", f"{page}/v1/classify", RED)[0] in (401, 403)
