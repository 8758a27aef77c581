"""The files of Kubernetes and KServe, by what these have themselves: `make containers`."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from tests.conftest import ROOT
from tests.deploy import containers
from tests.deploy.containers import RED, ready
from tests.ports import free_port
from tests.serving import ask
from tests.waiting import wait_for

pytestmark = pytest.mark.containers

KUBERNETES = ROOT / "deploy" / "kubernetes"
INFERENCE_SERVICE = ROOT / "deploy" / "kserve" / "inference-service.yaml"


def tool(name: str) -> str:
    """Return where a tool is that `make containers` installs."""
    if not (found := shutil.which(name, path=str(Path(sys.executable).parent))):
        pytest.skip(f"{name} is not here; `make containers` installs it")
    return found


def yaml() -> Any:
    """Return what reads and writes YAML."""
    name = "ruamel.yaml"
    return pytest.importorskip(name, reason=f"{name}, which reads YAML, is not here").YAML(
        typ="safe"
    )


def customized() -> list[dict[str, Any]]:
    """Return what `kubectl apply -k` sends to the cluster."""
    if not (kubectl := shutil.which("kubectl")):
        pytest.skip("kubectl is not here: https://kubernetes.io/docs/tasks/tools/")
    text = containers.run(kubectl, "kustomize", str(KUBERNETES))
    return list(yaml().load_all(text))


@pytest.mark.parametrize("version", ["1.37.0", "1.33.0"])
def test_the_manifests_are_as_kubernetes_would_have_them(version: str) -> None:
    files = [str(path) for path in KUBERNETES.glob("*.yaml") if path.name != "kustomization.yaml"]
    told = containers.run(tool("kubernetes-validate"), "--strict", "-k", version, *files)
    assert not re.search("error", told, re.IGNORECASE)


def test_kustomize_makes_one_of_each_with_the_image_that_is_named() -> None:
    made = {each["kind"]: each for each in customized()}
    assert len(made) == len(list(KUBERNETES.glob("*.yaml"))) - 1
    (container,) = made["Deployment"]["spec"]["template"]["spec"]["containers"]
    (image,) = yaml().load(KUBERNETES / "kustomization.yaml")["images"]
    assert container["image"] == f"{image['newName']}:{image['newTag']}"


def test_the_deployment_runs_as_a_pod_with_its_own_limits(image: str, tmp_path: Path) -> None:
    (deployment,) = [each for each in customized() if each["kind"] == "Deployment"]
    (container,) = deployment["spec"]["template"]["spec"]["containers"]
    container["image"], container["imagePullPolicy"] = f"{image}:latest", "Never"
    container["ports"][0]["hostPort"] = port = free_port()
    manifest = tmp_path / "deployment.yaml"
    yaml().dump(deployment, manifest)
    url, name = f"http://127.0.0.1:{port}", "voilearn-pod-0-voilearn"
    with containers.pod(manifest, tmp_path) as podman:
        wait_for(lambda: ready(url))
        status, body = ask(url, "POST", "/v1/classify", RED)
        assert (status, json.loads(body)["label"]) == (200, "red")
        told = json.loads(podman("inspect", name))[0]
        limits = told["HostConfig"]
        assert (told["Config"]["User"], limits["ReadonlyRootfs"]) == ("1000:0", True)
        assert (limits["Memory"], limits["NanoCpus"]) == (400 << 20, 1_000_000_000)
        rights = podman("exec", name, "cat", "/proc/self/status")
        assert re.search(r"^CapEff:\s+0+$", rights, re.MULTILINE)
        assert re.search(r"^NoNewPrivs:\s+1$", rights, re.MULTILINE)
        podman("stop", "--time=45", name)
        assert podman("inspect", "--format={{.State.ExitCode}}", name) == "0"


WRONG = {
    "a name that there is not": ("scaleMetric", "scaleMetrik"),
    "a word for a number": ("scaleTarget: 80", "scaleTarget: many"),
    "a name within the container": ("runAsUser", "runAsUsers"),
}


def as_kserve(manifest: Path) -> subprocess.CompletedProcess[str]:
    uv = [tool("uv"), "run", "--quiet", "--no-project", "--no-config", "--python", sys.executable]
    needs = ["--with", "kserve==0.21.0", "--with", "ruamel.yaml"]
    script = Path(__file__).with_name("as_kserve.py")
    command = [*uv, *needs, "python", str(script), str(manifest)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_inference_service_is_one_for_kserves_own_models(tmp_path: Path) -> None:
    done = as_kserve(INFERENCE_SERVICE)
    assert (done.returncode, done.stdout.strip()) == (0, "kserve-container"), done.stderr


@pytest.mark.parametrize("wrong", WRONG)
def test_an_inference_service_that_is_none_is_found_out(wrong: str, tmp_path: Path) -> None:
    text = INFERENCE_SERVICE.read_text()
    changed = text.replace(*WRONG[wrong])
    assert text != changed
    (tmp_path / "wrong.yaml").write_text(changed)
    assert as_kserve(tmp_path / "wrong.yaml").returncode == 1
