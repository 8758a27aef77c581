"""The image that several files run, built once."""

import pytest

from tests import onnx_files
from tests.deploy import containers


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the name of the image of the service, with the model of tests."""
    containers.tools_needed()
    scratch = tmp_path_factory.mktemp("image")
    containers.make_base(scratch)
    context = containers.copy_of_the_checkout(scratch / "context")
    onnx_files.write(context, onnx_files.model())
    dockerfile = ("--file", "deploy/Dockerfile", "--build-arg", "MODEL=onnx")
    containers.build(context, containers.IMAGE, *dockerfile, "--build-arg", "VERSION=1.2")
    return containers.IMAGE
