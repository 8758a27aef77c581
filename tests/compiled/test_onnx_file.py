"""An .onnx file is looked through before it is opened: what could do harm is refused, by name."""

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import ModelProto, TensorProto, helper  # noqa: E402

from tests import onnx_files  # noqa: E402
from voilearn.compiled.onnx_file import check_onnx_file  # noqa: E402
from voilearn.errors import UnusableModel  # noqa: E402


def custom_operator() -> ModelProto:
    """A runtime that knows the domain runs a library of anybody's."""
    node = helper.make_node("Hack", ["photo"], ["x"], domain="evil.example")
    return onnx_files.model([node], opsets=("", "evil.example"))


def runtimes_own_operator() -> ModelProto:
    """ONNX Runtime's own operators are many, and less looked at."""
    node = helper.make_node("Tokenizer", ["photo"], ["x"], domain="com.microsoft")
    return onnx_files.model([node], opsets=("", "com.microsoft"))


def external_data() -> ModelProto:
    """ONNX Runtime reads the file that is named: here one of the system's."""
    made = onnx_files.model(constants={"w": np.zeros(4, np.float32)})
    tensor = made.graph.initializer[-1]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../etc/passwd")
    return made


def external_data_in_an_attribute() -> ModelProto:
    """The same, in a Constant."""
    node = helper.make_node("Constant", [], ["c"], value=helper.make_tensor("v", 1, [1], [1.0]))
    node.attribute[0].t.external_data.add(key="location", value="/etc/passwd")
    return onnx_files.model([node])


def external_data_in_a_branch() -> ModelProto:
    """The same, in a graph inside a node."""
    constant = external_data_in_an_attribute().graph.node[0]
    inner = onnx_files.branch("b", constant)
    node = helper.make_node("If", ["photo"], ["x"], then_branch=inner, else_branch=inner)
    return onnx_files.model([node])


def endless_loop() -> ModelProto:
    """It goes round 2^62 times, and can't be stopped from outside."""
    body = onnx_files.branch("b", helper.make_node("Identity", ["photo"], ["x"]))
    return onnx_files.model([helper.make_node("Loop", ["", ""], ["x"], body=body)])


def loop_in_a_branch() -> ModelProto:
    """The same, in a graph inside a node."""
    inner = onnx_files.branch("b", endless_loop().graph.node[0])
    node = helper.make_node("If", ["photo"], ["x"], then_branch=inner, else_branch=inner)
    return onnx_files.model([node])


def own_functions() -> ModelProto:
    """Functions in functions grow without bounds when they are put in place."""
    made = onnx_files.model()
    function = helper.make_function("own", "F", ["a"], ["b"], [], [helper.make_opsetid("", 20)])
    made.functions.append(function)
    return made


def sparse_tensor() -> ModelProto:
    """A few bytes that stand for terabytes of zeros."""
    made = onnx_files.model()
    values = helper.make_tensor("s", TensorProto.FLOAT, [1], [1.0])
    places = helper.make_tensor("p", TensorProto.INT64, [1], [0])
    made.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [1 << 40]))
    return made


def huge_tensor() -> ModelProto:
    """A size that no file of this length can hold, which some readers set aside at once."""
    made = onnx_files.model(constants={"w": np.zeros(4, np.float32)})
    made.graph.initializer[-1].dims[:] = [1 << 20, 1 << 20]
    return made


def many_nodes() -> ModelProto:
    """More than any network has."""
    return onnx_files.model(
        [helper.make_node("Identity", ["photo"], [f"x{i}"]) for i in range(20_001)]
    )


def deep_branches() -> ModelProto:
    """Graphs in graphs, until a reader's stack is used up."""
    node = helper.make_node("Identity", ["photo"], ["x"])
    for _ in range(40):
        inner = onnx_files.branch("b", node)
        node = helper.make_node("If", ["photo"], ["x"], then_branch=inner, else_branch=inner)
        if node.ByteSize() > 1_000_000:
            break
    return onnx_files.model([node])


def texts() -> ModelProto:
    """A size of texts takes gigabytes from a file of some hundred bytes."""
    made = onnx_files.model()
    made.graph.initializer.append(TensorProto(name="s", data_type=8, dims=[100]))
    return made


def text_operator() -> ModelProto:
    """Texts put together double with each step."""
    return onnx_files.model([helper.make_node("StringConcat", ["a", "a"], ["b"])])


def sparse_tensor_in_an_attribute() -> ModelProto:
    """The same as a sparse tensor, in a Constant."""
    values = helper.make_tensor("s", TensorProto.FLOAT, [1], [1.0])
    places = helper.make_tensor("p", TensorProto.INT64, [1], [0])
    sparse = helper.make_sparse_tensor(values, places, [1 << 40])
    return onnx_files.model([helper.make_node("Constant", [], ["c"], sparse_value=sparse)])


HARMFUL: dict[Callable[[], ModelProto], str] = {
    custom_operator: r"has a custom operator, evil\.example\.Hack",
    runtimes_own_operator: r"has a custom operator, com\.microsoft\.Tokenizer",
    external_data: "keeps numbers in another file",
    external_data_in_an_attribute: "keeps numbers in another file",
    external_data_in_a_branch: "keeps numbers in another file",
    endless_loop: r"has a loop \(Loop\)",
    loop_in_a_branch: r"has a loop \(Loop\)",
    own_functions: "has functions of its own",
    sparse_tensor: "has sparse tensors",
    huge_tensor: "has tensors of more numbers than it holds, or over 1,000,000,000",
    texts: "has tensors of texts",
    text_operator: r"has an operator for other things than numbers \(StringConcat\)",
    sparse_tensor_in_an_attribute: "has sparse tensors",
    many_nodes: "has more than 20,000 operations",
    deep_branches: "has graphs in graphs in graphs",
}


@pytest.mark.parametrize("make", HARMFUL, ids=lambda make: make.__name__)
def test_what_could_do_harm_is_refused_by_name(
    make: Callable[[], ModelProto], tmp_path: Path
) -> None:
    path = onnx_files.write(tmp_path, make())
    said = rf"export\.onnx {HARMFUL[make]}.* compile the export\.pkl of this model\."
    with pytest.raises(UnusableModel, match=said):
        check_onnx_file(path)


def test_a_compiled_model_is_described(tmp_path: Path) -> None:
    found = check_onnx_file(onnx_files.write(tmp_path, onnx_files.model()))
    assert (found.opset, found.numbers) == (20, 5)
    assert found.operators == {"Cast": 1, "ReduceMean": 1, "Gather": 1, "Softmax": 1}


def test_a_field_that_protobuf_takes_for_another_is_no_field(tmp_path: Path) -> None:
    """It cuts a field's key to 32 bits: graph, node, tensor and all can be hidden from others."""
    tensor = external_data().graph.initializer[-1].SerializeToString()
    plain = onnx_files.model().graph.SerializeToString()
    for key in ((1 << 32) | 0x2A, (1 << 35) | 0x2A):
        hidden = plain + varint(key) + varint(len(tensor)) + tensor
        made = b"\x08\x0a" + b"\x3a" + varint(len(hidden)) + hidden
        with pytest.raises(UnusableModel, match="is damaged or cut short"):
            check_onnx_file(onnx_files.write(tmp_path, made))
    wide = plain + b"\xaa\x80\x80\x80\x80\x00" + varint(len(tensor)) + tensor
    made = b"\x08\x0a" + b"\x3a" + varint(len(wide)) + wide
    with pytest.raises(UnusableModel, match="is damaged or cut short"):
        check_onnx_file(onnx_files.write(tmp_path, made))


def test_data_elsewhere_is_seen_whatever_the_number_is_that_says_so(tmp_path: Path) -> None:
    tensor = b"\x08\x04\x10\x01" + b"\x70" + varint(1 + (1 << 32))  # data_location, cut to 1
    graph = onnx_files.model().graph.SerializeToString() + b"\x2a" + varint(len(tensor)) + tensor
    made = b"\x08\x0a" + b"\x3a" + varint(len(graph)) + graph
    with pytest.raises(UnusableModel, match="keeps numbers in another file"):
        check_onnx_file(onnx_files.write(tmp_path, made))


def test_a_message_that_protobuf_would_merge_is_refused(tmp_path: Path) -> None:
    node = helper.make_node("Constant", [], ["c"], value=helper.make_tensor("v", 1, [1], [1.0]))
    value = node.attribute[0].SerializeToString()
    tensor = node.attribute[0].t.SerializeToString()
    node.ClearField("attribute")
    twice = value + b"\x2a" + varint(len(tensor)) + tensor
    raw = node.SerializeToString() + b"\x2a" + varint(len(twice)) + twice
    graph = b"\x0a" + varint(len(raw)) + raw
    made = b"\x08\x0a" + b"\x3a" + varint(len(graph)) + graph
    with pytest.raises(UnusableModel, match="is damaged or cut short"):
        check_onnx_file(onnx_files.write(tmp_path, made))
    graphs = onnx_files.model().SerializeToString() + b"\x3a" + varint(len(graph)) + graph
    with pytest.raises(UnusableModel, match="is damaged or cut short"):
        check_onnx_file(onnx_files.write(tmp_path, graphs))


def test_a_file_of_tiny_parts_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voilearn.compiled.onnx_file.MAX_FIELDS", 1000)
    made = onnx_files.model().SerializeToString() + b"\x28\x01" * 1001
    with pytest.raises(UnusableModel, match="has more than 1,000 parts"):
        check_onnx_file(onnx_files.write(tmp_path, made))
    sides = b"\x0a" + varint(2000) + b"\x01" * 2000
    graph = onnx_files.model().graph.SerializeToString() + b"\x2a" + varint(len(sides)) + sides
    made = b"\x08\x0a" + b"\x3a" + varint(len(graph)) + graph
    with pytest.raises(UnusableModel, match="is damaged or cut short"):
        check_onnx_file(onnx_files.write(tmp_path, made))


def varint(number: int) -> bytes:
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


def test_a_file_that_may_not_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = onnx_files.write(tmp_path, onnx_files.model())

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnusableModel, match=r"export\.onnx can't be read: Permission denied\."):
        check_onnx_file(path)


def test_a_file_cut_short_anywhere_is_told_as_such(tmp_path: Path) -> None:
    constants = {"w": np.zeros(100, np.float32)}
    path = onnx_files.write(tmp_path, onnx_files.model(constants=constants))
    whole = path.read_bytes()
    for part in range(1, 20):
        path.write_bytes(whole[: len(whole) * part // 20])
        with pytest.raises(UnusableModel, match=r"export\.onnx is damaged or cut short\. "):
            check_onnx_file(path)


def test_damaged_bytes_end_in_a_sentence(tmp_path: Path) -> None:
    whole = onnx_files.model().SerializeToString()
    path = tmp_path / "export.onnx"
    for at in range(1, len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 0xFF]) + whole[at + 1 :])
        try:
            check_onnx_file(path)
        except UnusableModel as error:
            assert str(error).startswith("export.onnx ")


WRONG: dict[str, tuple[bytes, str]] = {
    "pointer": (b"version https://git-lfs.github.com/spec/v1\n", "only a Git LFS pointer"),
    "web page": (b"<!DOCTYPE html><html>", "a web page"),
    "learner": (b"PK\x03\x04" + b"\0" * 40, "If it is an export.pkl, name it so"),
    "pickle": (b"\x80\x02}q\x00." + b"\0" * 40, "If it is an export.pkl, name it so"),
    "empty": (b"", "is empty: it has 0 bytes"),
    "noise": (bytes(range(40, 90)) * 9, "is a text file|is no ONNX model"),
    "zeros": (b"\0" * 600, "all zeros"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_what_is_no_onnx_model_is_told_for_what_it_is(kind: str, tmp_path: Path) -> None:
    data, said = WRONG[kind]
    path = tmp_path / "export.onnx"
    path.write_bytes(data)
    with pytest.raises(UnusableModel, match=said):
        check_onnx_file(path)


def test_a_file_that_is_not_there_or_too_large_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(UnusableModel, match=re.escape("There is no file gone.onnx here")):
        check_onnx_file(tmp_path / "gone.onnx")
    monkeypatch.setattr("voilearn.compiled.onnx_file.MAX_BYTES", 100)
    path = onnx_files.write(tmp_path, onnx_files.model())
    with pytest.raises(UnusableModel, match=r"has 0 MB; the limit is 0 MB"):
        check_onnx_file(path)
