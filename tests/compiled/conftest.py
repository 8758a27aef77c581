"""What the tests of compiling share: one small learner, whose graph torch writes once."""

import copy

import pytest

from tests.conftest import EXPORTS

SMALL = EXPORTS / "2.8.12-from_folder.pkl"


@pytest.fixture(scope="package")
def written() -> bytes:
    """The graph of SMALL, which torch takes seconds to write."""
    import onnx_ir as ir

    from voilearn.compiled.graph import graph_of
    from voilearn.learner import load

    learn, _ = load.open_learner(SMALL)
    mode = load.picture_kind(learn, SMALL)._open_args["mode"]
    return bytes(ir.to_proto(graph_of(learn, mode)).SerializeToString())


@pytest.fixture
def quick(written: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the graph of SMALL at hand, for what is about the files and the numbers."""
    import onnx
    import onnx_ir as ir

    from voilearn.compiled import compile

    graph = onnx.load_model_from_string(written)
    monkeypatch.setattr(compile, "graph_of", lambda *_: ir.from_proto(copy.deepcopy(graph)))
