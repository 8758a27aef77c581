"""The files of each place: by its schema, where it has one, and by what ours have to agree on."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from voilearn.service.service import DEADLINE

DEPLOY = ROOT / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))
IMAGE_DRAIN = 10  # seconds, as start.sh has it
GRACE = IMAGE_DRAIN + int(DEADLINE) + 5  # as long as an ending service may take
SCHEMAS = {
    "pages/pages.yml": "vendor.github-workflows",
    "compose/compose.yaml": "vendor.compose-spec",
}


def read(path: Path) -> dict[str, Any]:
    yaml = pytest.importorskip("ruamel.yaml", reason="ruamel.yaml, which reads YAML, is not here")
    return dict(yaml.YAML(typ="safe").load(path))


@pytest.mark.parametrize("name", SCHEMAS)
def test_it_is_as_its_schema_says(name: str) -> None:
    if not (check := shutil.which("check-jsonschema", path=str(Path(sys.executable).parent))):
        pytest.skip("check-jsonschema is not here; `make test` installs it")
    command = [check, "--builtin-schema", SCHEMAS[name], str(DEPLOY / name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda path: path.name)
def test_a_manifest_is_one_object_of_a_kind(path: Path) -> None:
    assert {"apiVersion", "kind"} <= read(path).keys()


def test_every_manifest_is_taken_up() -> None:
    named = read(DEPLOY / "kubernetes" / "kustomization.yaml")["resources"]
    assert sorted(named) == [p.name for p in MANIFESTS if p.name != "kustomization.yaml"]


def pod() -> dict[str, Any]:
    return dict(read(DEPLOY / "kubernetes" / "deployment.yaml")["spec"]["template"]["spec"])


def test_a_pod_may_do_nothing_that_it_need_not() -> None:
    (container,) = pod()["containers"]
    assert pod()["securityContext"]["runAsNonRoot"] is True
    assert pod()["automountServiceAccountToken"] is False
    may = container["securityContext"]
    assert may["readOnlyRootFilesystem"] is True
    assert may["allowPrivilegeEscalation"] is False
    assert may["capabilities"] == {"drop": ["ALL"]}
    assert set(container["resources"]["limits"]) == {"cpu", "memory"}


def test_nobody_is_killed_before_the_last_photo_is_answered() -> None:
    assert pod()["terminationGracePeriodSeconds"] >= GRACE
    compose = read(DEPLOY / "compose" / "compose.yaml")["services"]["voilearn"]
    assert int(compose["stop_grace_period"].rstrip("s")) >= GRACE
    fly = tomllib.loads((DEPLOY / "fly" / "fly.toml").read_text())
    assert fly["kill_timeout"] >= GRACE
    render = read(DEPLOY / "render" / "render.yaml")["services"][0]
    assert render["maxShutdownDelaySeconds"] >= GRACE
    unit = (DEPLOY / "systemd" / "voilearn.service").read_text()
    (stop,) = re.findall(r"^TimeoutStopSec=(\d+)$", unit, re.MULTILINE)
    assert int(stop) >= int(DEADLINE) + 5 + 1


def test_the_drain_is_longer_than_whoever_balances_takes_to_notice() -> None:
    assert f"VOILEARN_DRAIN:-{IMAGE_DRAIN}" in (DEPLOY / "start.sh").read_text()
    (container,) = pod()["containers"]
    probe = container["readinessProbe"]
    assert (
        probe["periodSeconds"] * probe["failureThreshold"] + probe["timeoutSeconds"] < IMAGE_DRAIN
    )


def test_whoever_stands_in_front_is_believed_where_nobody_else_can_ask() -> None:
    """Else all clients share the places of one."""
    placed = {
        "kubernetes": (DEPLOY / "kubernetes" / "deployment.yaml").read_text(),
        "kserve": (DEPLOY / "kserve" / "inference-service.yaml").read_text(),
        "cloud run": (DEPLOY / "cloud-run" / "service.yaml").read_text(),
        "fly": (DEPLOY / "fly" / "fly.toml").read_text(),
        "render": (DEPLOY / "render" / "render.yaml").read_text(),
        "compose": (DEPLOY / "compose" / "compose.yaml").read_text(),
    }
    assert [name for name, text in placed.items() if "FORWARDED_ALLOW_IPS" not in text] == []


def test_an_image_is_built_of_nothing_that_is_not_named() -> None:
    """No photo of anybody's gets into a layer by mistake."""
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    assert lines[1] == "*"
    named = {line[1:] for line in lines if line.startswith("!")}
    copied = re.findall(r"^COPY (?!--from)(?:--chmod=\d+ )?(.+) \S+$", dockerfile(), re.MULTILINE)
    for source in " ".join(copied).replace(" . ", " ").split():
        top = source.partition("/")[0].replace("[", "").replace("]", "")
        assert top in named, source


def dockerfile() -> str:
    return (DEPLOY / "Dockerfile").read_text()


def test_what_the_image_starts_is_what_it_has_a_health_check_for() -> None:
    assert 'ENTRYPOINT ["/opt/start.sh"]' in dockerfile()
    assert "/opt/healthy.py" in dockerfile()
    assert "USER 1000:0" in dockerfile()


def test_the_unit_is_verified_by_systemd(tmp_path: Path) -> None:
    if not (analyze := shutil.which("systemd-analyze")):
        pytest.skip("systemd-analyze is not here; on Debian: apt install systemd")
    unit = DEPLOY / "systemd" / "voilearn.service"
    text = unit.read_text().replace("/opt/voilearn/bin/voilearn", sys.executable)
    (tmp_path / unit.name).write_text(text)
    command = [analyze, "verify", "--man=no", str(tmp_path / unit.name)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "voilearn.service" not in done.stderr, done.stderr
    command = [analyze, "security", "--offline=yes", "--json=short", "--threshold=15", str(unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
