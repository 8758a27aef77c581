"""Read and write what the Open Inference Protocol (KServe V2 REST) says of photos and answers.

In come the body of an infer request and its Inference-Header-Content-Length; out go the photos and
what is wanted of them. In come Predictions; out goes the body of the answer.

A request has one input, `photo`, of datatype BYTES and shape [n] or [n, 1]. Its photos come after
the JSON, each behind its length in 4 bytes, little-endian (the extension `binary_tensor_data`), or
inside it, as strings of base64. An answer has three outputs, and those are left out that are not
asked for: `probabilities`, FP32, in the order of the model's classes; `label`, BYTES, empty where
there is none; `labels`, BOOL, which says of each class whether it is one of the labels; and
`in_scope`, INT8: 1 for a photo of what the model knows, 0 for one of something else, -1 where that
can't be told.
"""

import binascii
import json
import struct
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from voilearn.errors import BadRequest, VoilearnError, error_of
from voilearn.prediction import ModelInfo, Prediction
from voilearn.service.sent_instead import PICTURES

VERSION = "1"  # of every model: there is one, and it is the newest
INPUT = "photo"
MAX_PHOTOS = 16  # in one request
MAX_WIDE = 1_000_000  # bytes of JSON with other than ASCII in it: as text it takes four times them
MAX_ID = 1000  # characters
MAX_MARKS = 10_000  # commas and brackets: 70 MB of "[]," would take gigabytes as lists
MAX_DEPTH = 100  # how deep Python itself reads differs from one to the next: 300 to 50,000
MAX_NUMBER = 100  # characters
EXAMPLE = (
    '{"inputs": [{"name": "photo", "datatype": "BYTES", "shape": [1], "data": ["base64 of it"]}]}'
)
NO_BRACKET_OR_QUOTE = bytes(byte for byte in range(256) if byte not in b'[]{}"')
KINDS = {
    dict: "an object",
    list: "an array",
    str: "a string",
    int: "an integer",
    float: "a fraction",
    bool: "a boolean",
    type(None): "null",
}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class InferRequest:
    """What a client asks: its photos, and its own name for the request, or None.

    `outputs` maps the name of each output that is wanted to whether it is wanted in binary.
    """

    photos: tuple[bytes, ...]
    id: str | None
    outputs: Mapping[str, bool]


@dataclass(frozen=True, slots=True)
class InferResponse:
    """The body of an answer; `header_length` is its Inference-Header-Content-Length.

    That is None where all of the body is JSON, and the header is then left out.
    """

    body: bytes
    header_length: int | None

    @property
    def media_type(self) -> str:
        """The Content-Type of the body."""
        return "application/json" if self.header_length is None else "application/octet-stream"


@dataclass(frozen=True, slots=True)
class _Output:
    """One kind of output: a photo's values, and how they are packed."""

    datatype: str
    by_class: bool
    values: Callable[[Prediction], list[Any]]
    pack: Callable[[list[Any]], bytes]


def _pack_floats(values: list[Any]) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


def _pack_texts(values: list[Any]) -> bytes:
    # A lone surrogate, which a class's name may hold, is no UTF-8.
    texts = [value.encode("utf-8", "replace") for value in values]
    return b"".join(struct.pack("<I", len(text)) + text for text in texts)


SCOPE_AS = {True: 1, False: 0, None: -1}
_OUTPUTS = {
    "probabilities": _Output(
        "FP32",
        True,
        lambda said: [float(said.probabilities[name]) for name in said.model.classes],
        _pack_floats,
    ),
    "label": _Output("BYTES", False, lambda said: [said.label or ""], _pack_texts),
    "labels": _Output(
        "BOOL", True, lambda said: [name in said.labels for name in said.model.classes], bytes
    ),
    "in_scope": _Output(
        "INT8",
        False,
        lambda said: [SCOPE_AS[said.in_scope]],
        lambda values: struct.pack(f"{len(values)}b", *values),
    ),
}


def read_infer_request(body: bytes, header_length: str | None = None) -> InferRequest:
    """Return what the body of an infer request asks.

    `header_length` is the text of the header Inference-Header-Content-Length, None if there is
    none. Raises BadRequest, whatever else the body holds.
    """
    end = _header_end(body, header_length)
    said = _read_json(body[:end])
    outputs = _wanted(said)
    name = _get(said, "id", str, "The request")
    if name is not None and len(name) > MAX_ID:
        raise BadRequest(f'"id" has {len(name):,} characters; the limit is {MAX_ID:,}.')
    return InferRequest(_photos(said, memoryview(body)[end:]), name, outputs)


def write_infer_response(request: InferRequest, predictions: Sequence[Prediction]) -> InferResponse:
    """Return the answer to a request, from one Prediction for each of its photos."""
    model = predictions[0].model
    outputs, tails = [], []
    for name, binary in request.outputs.items():
        kind = _OUTPUTS[name]
        values = [value for said in predictions for value in kind.values(said)]
        shape = [len(predictions)] + [len(model.classes)] * kind.by_class
        output: dict[str, Any] = {"name": name, "datatype": kind.datatype, "shape": shape}
        if binary:
            tails.append(kind.pack(values))
            output["parameters"] = {"binary_data_size": len(tails[-1])}
        else:
            output["data"] = values
        outputs.append(output)
    said = {"model_name": model.name, "model_version": VERSION, "outputs": outputs}
    if request.id is not None:
        said["id"] = request.id
    header = json.dumps(said).encode()
    return InferResponse(b"".join([header, *tails]), len(header) if tails else None)


def server_metadata(version: str) -> dict[str, Any]:
    """Return the body of GET /v2; `version` is voilearn's."""
    return {"name": "voilearn", "version": version, "extensions": ["binary_tensor_data"]}


def model_metadata(model: ModelInfo, platform: str) -> dict[str, Any]:
    """Return the body of GET /v2/models/{name}; `platform` names what runs the model.

    The classes stand with each output that has a number for each.
    """
    classes = {"classes": list(model.classes)}
    return {
        "name": model.name,
        "versions": [VERSION],
        "platform": platform,
        "inputs": [
            {
                "name": INPUT,
                "datatype": "BYTES",
                "shape": [-1],
                # What a string in JSON is; and how many photos a request may have.
                "parameters": {"content_type": "base64", "max_photos": MAX_PHOTOS},
            }
        ],
        "outputs": [
            {
                "name": name,
                "datatype": kind.datatype,
                "shape": [-1] + [len(model.classes)] * kind.by_class,
                **({"parameters": classes} if kind.by_class else {}),
            }
            for name, kind in _OUTPUTS.items()
        ],
        "parameters": {"task": model.task, "sha256": model.sha256},
    }


def check_model(model: ModelInfo, name: str, version: str | None = None) -> None:
    """Raise BadRequest if a route's name and version are not those of the model."""
    if name != model.name:
        raise BadRequest(
            f"There is no model {_shown(name)} here. This service has {_shown(model.name)}."
        )
    if version not in (None, VERSION):
        raise BadRequest(
            f"The model has no version {_shown(version)}. Ask for version {VERSION}, or for none."
        )


def of_photo(error: VoilearnError, at: int, photos: int) -> VoilearnError:
    """Return an error that one of several photos raised, with its number, counted from 0."""
    return error if photos == 1 else error_of(error.type, f"Photo {at + 1} of {photos}: {error}")


def _header_end(body: bytes, header_length: str | None) -> int:
    if header_length is None:
        return len(body)
    digits = header_length.strip(" \t")
    if not (digits.isascii() and digits.isdigit()):
        raise BadRequest(
            f"The header Inference-Header-Content-Length is {_shown(header_length)}: it must be "
            "the number of bytes that the JSON has."
        )
    end = int(digits) if len(digits) <= MAX_NUMBER else len(body) + 1
    if end > len(body):
        raise BadRequest(
            f"The header Inference-Header-Content-Length says {_shown(digits)} bytes of JSON, but "
            f"the body has {len(body):,}. Send all of it, or the length that the JSON has."
        )
    return end


def _read_json(data: bytes) -> dict[str, Any]:
    if data.startswith((*PICTURES, b"--")):
        raise BadRequest(
            "The body is a photo or a form, and no JSON: those are for /v1/classify. "
            f"A request is {EXAMPLE}."
        )
    if sum(data.count(mark) for mark in b",[{") > MAX_MARKS:
        raise BadRequest(
            f"The JSON has more than {MAX_MARKS:,} commas and brackets, which no photo takes. "
            f"A request is {EXAMPLE}."
        )
    if _deeper_than(MAX_DEPTH, data):
        raise BadRequest(
            f"The JSON is nested too deep; the limit is {MAX_DEPTH} levels. A request is {EXAMPLE}."
        )
    if len(data) > MAX_WIDE and not data.isascii():
        raise BadRequest(
            f"JSON of more than {MAX_WIDE / 1e6:,.0f} MB must be ASCII: write other characters as "
            "\\u and four digits, or send the photo's bytes behind the JSON."
        )
    try:
        said = json.loads(
            data.decode(),
            object_pairs_hook=_no_twins,
            parse_constant=_no_number,
            parse_float=_number(float),
            parse_int=_number(int),
        )
    except UnicodeDecodeError as error:
        raise BadRequest(
            f"The JSON is not in UTF-8, from byte {error.start:,} on. Where a photo's bytes come "
            "behind the JSON, the header Inference-Header-Content-Length says where it ends."
        ) from error
    except json.JSONDecodeError as error:
        raise BadRequest(
            f"The request is no JSON, from character {error.pos:,} on: {error.msg}. "
            f"A request is {EXAMPLE}."
        ) from error
    if not isinstance(said, dict):
        raise BadRequest(f"The request is {KINDS[type(said)]} and not an object like {EXAMPLE}.")
    return said


def _deeper_than(limit: int, data: bytes) -> bool:
    """Tell whether JSON has so many brackets open at once, outside its strings."""
    if data.count(b"[") + data.count(b"{") <= limit:
        return False
    quoted = data.replace(rb"\\", b"").replace(rb"\"", b"").translate(None, NO_BRACKET_OR_QUOTE)
    # Every second piece is a string's. What has more of them, or more brackets, than go with its
    # marks is no JSON before it gets there.
    pieces = quoted.split(b'"', 4 * MAX_MARKS)[: 4 * MAX_MARKS]
    depth = 0
    for bracket in b"".join(pieces[::2])[: 2 * MAX_MARKS]:
        depth += 1 if bracket in b"[{" else -1
        if depth > limit:
            return True
    return False


def _no_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        twin = Counter(name for name, _ in pairs).most_common(1)[0][0]
        raise BadRequest(f"The JSON has {_shown(twin)} twice in one object. Leave one of them out.")
    return found


def _no_number(text: str) -> None:
    raise BadRequest(f"The JSON has {text}, which is no number of JSON's. Leave it out.")


def _number(kind: Callable[[str], T]) -> Callable[[str], T]:
    def number(text: str) -> T:
        if len(text) > MAX_NUMBER:
            raise BadRequest(
                f"The JSON has a number of {len(text):,} digits; the limit is {MAX_NUMBER}."
            )
        return kind(text)

    return number


def _wanted(said: dict[str, Any]) -> dict[str, bool]:
    """Which outputs a request asks for, and which in binary. It gets all if it names none."""
    whole = _parameters(said, "The request")
    binary = _get(whole, "binary_data_output", bool, "The request's parameters") or False
    wanted: dict[str, bool] = {}
    for output in _get(said, "outputs", list, "The request") or []:
        name = _name(output, "output", tuple(_OUTPUTS))
        if name in wanted:
            raise BadRequest(f"The request asks for the output {_shown(name)} twice: once will do.")
        asked = _parameters(output, f"The output {_shown(name)}")
        if "classification" in asked:
            raise BadRequest(
                "This service has no extension `classification`. Leave class_count out, and ask "
                "for `label` or `probabilities`; the model's metadata names the classes."
            )
        own = _get(asked, "binary_data", bool, f"The output {_shown(name)}")
        wanted[name] = binary if own is None else own
    return wanted or dict.fromkeys(_OUTPUTS, binary)


def _photos(said: dict[str, Any], tail: memoryview) -> tuple[bytes, ...]:
    inputs = _get(said, "inputs", list, "The request")
    if not inputs:
        raise BadRequest(f"The request has no inputs. A request is {EXAMPLE}.")
    for photo in inputs:
        _name(photo, "input", (INPUT,))
    if len(inputs) > 1:
        raise BadRequest(
            f"The request has {len(inputs):,} inputs. Put all photos into one, of the shape [n]."
        )
    photo, where = inputs[0], 'The input "photo"'
    datatype = _get(photo, "datatype", str, where)
    if datatype != "BYTES":
        raise BadRequest(f"{where} has the datatype {_shown(datatype)}: it must be BYTES.")
    count = _count(photo, where)
    size = _get(_parameters(photo, where), "binary_data_size", int, where)
    data = _get(photo, "data", list, where)
    if size is None and data is None:
        raise BadRequest(
            f'{where} has neither "data" nor "binary_data_size". A request is {EXAMPLE}.'
        )
    if size is not None and data is not None:
        raise BadRequest(f'{where} has both "data" and "binary_data_size". Leave one of them out.')
    if len(tail) != (size or 0):
        raise BadRequest(
            f"{len(tail):,} bytes come behind the JSON, and {where.lower()} has "
            f"{_shown(size or 0)}. Its binary_data_size must be the bytes of all photos with their "
            "lengths, and the header Inference-Header-Content-Length those of the JSON alone."
        )
    return _from_binary(tail, count) if data is None else _from_base64(data, count, photo["shape"])


def _count(photo: dict[str, Any], where: str) -> int:
    """How many photos the shape says there are."""
    shape = _get(photo, "shape", list, where)
    if shape is None or len(shape) not in (1, 2) or any(type(side) is not int for side in shape):
        raise BadRequest(f"{where} must have the shape [n] or [n, 1], for n photos.")
    if len(shape) == 2 and shape[1] != 1:
        raise BadRequest(
            f"{where} has {_shown(shape[1])} as its second size: the shape must be [n] or [n, 1]."
        )
    if not 1 <= shape[0] <= MAX_PHOTOS:
        raise BadRequest(
            f"{where} has {_shown(shape[0])} photos by its shape; a request takes 1 to "
            f"{MAX_PHOTOS}. Send more in several requests."
        )
    return int(shape[0])


def _from_binary(tail: memoryview, count: int) -> tuple[bytes, ...]:
    found, at = [], 0
    for number in range(1, count + 1):
        begin = at + 4
        left = len(tail) - begin
        size = int.from_bytes(tail[at:begin], "little")
        if size > left:
            raise BadRequest(
                f"Photo {number} of {count} ends after the request's last byte. Each photo comes "
                "behind its length, in 4 bytes, little-endian, and as many as the shape says."
            )
        at = begin + size
        found.append(bytes(tail[begin:at]))
    if at != len(tail):
        raise BadRequest(
            f"{len(tail) - at:,} bytes are left behind the last of the photos, of which there are "
            f"{count} by the shape. Send as many photos as the shape says."
        )
    return tuple(found)


def _from_base64(data: list[Any], count: int, shape: list[int]) -> tuple[bytes, ...]:
    if len(data) != count:
        raise BadRequest(
            f'The input "photo" has {len(data):,} values in its data and {count} photos by its '
            "shape. Send as many photos as the shape says."
        )
    if len(shape) == 2 and all(isinstance(row, list) and len(row) == 1 for row in data):
        data = [row[0] for row in data]
    return tuple(_from_text(text, number, count) for number, text in enumerate(data, 1))


def _from_text(text: Any, number: int, count: int) -> bytes:
    if not isinstance(text, str):
        raise BadRequest(
            f"Photo {number} of {count} is {KINDS[type(text)]}: in JSON, a photo is a string, the "
            "base64 of its file."
        )
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise BadRequest(
            f"Photo {number} of {count} is not in base64. In JSON, a photo is the base64 of its "
            "file, of A-Z, a-z, 0-9, + and /, filled up with =, in one line, and nothing in "
            "front of it. Or send its bytes behind the JSON."
        ) from error


def _parameters(record: dict[str, Any], where: str) -> dict[str, Any]:
    found = _get(record, "parameters", dict, where) or {}
    if "shared_memory_region" in found:
        raise BadRequest(f"{where} is to be in shared memory, which this service has not.")
    return found


def _name(record: Any, noun: str, names: tuple[str, ...]) -> str:
    """The name of an input or output, if it is one that there is."""
    if not isinstance(record, dict):
        raise BadRequest(f'"{noun}s" has {KINDS[type(record)]} in it: each must be an object.')
    found = _get(record, "name", str, f"One of the {noun}s")
    if found not in names:
        raise BadRequest(
            f"There is no {noun} of the name {_shown(found)}: it must be {' or '.join(names)}."
        )
    return found


def _get(record: dict[str, Any], name: str, kind: type[T], where: str) -> T | None:
    """What a record holds by a name, or None. Null is as good as nothing."""
    value = record.get(name)
    if value is None:
        return None
    if type(value) is not kind:
        raise BadRequest(f'{where} has {KINDS[type(value)]} as "{name}": it must be {KINDS[kind]}.')
    return value


def _shown(value: str | int | None) -> str:
    """A value that a client sent, fit for a sentence."""
    if isinstance(value, str):
        value = value if len(value) <= 60 else value[:60] + "…"
        value = value.encode("utf-8", "replace").decode()
    return json.dumps(value, ensure_ascii=False)
