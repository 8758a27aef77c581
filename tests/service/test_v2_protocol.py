"""A request is read as its writer meant it, or refused in a sentence; an answer is read alike."""

import base64
import contextlib
import json
import random
import struct
import time
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest

from voilearn.errors import BadRequest, DamagedPhoto, VoilearnError
from voilearn.prediction import ModelInfo, Prediction, predict_from
from voilearn.service.v2_protocol import (
    MAX_PHOTOS,
    InferRequest,
    check_model,
    model_metadata,
    of_photo,
    read_infer_request,
    server_metadata,
    write_infer_response,
)

MODEL = ModelInfo("mine", "a" * 64, "single-label", ("bär", "cub", "熊"))
ALL = {"probabilities": False, "label": False, "labels": False, "in_scope": False}
PHOTOS = (b"\xff\xd8one", b"\x89PNG two")


def elements(*photos: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(photo)) + photo for photo in photos)


def text(photo: bytes) -> str:
    return base64.b64encode(photo).decode()


def said(**changes: Any) -> dict[str, Any]:
    """A request in JSON, with `changes` to its input."""
    photo = {"name": "photo", "datatype": "BYTES", "shape": [2], "data": [text(p) for p in PHOTOS]}
    return {"inputs": [{k: v for k, v in {**photo, **changes}.items() if v is not ...}]}


def read(request: Any, tail: bytes | None = None) -> InferRequest:
    body = json.dumps(request).encode()
    return read_infer_request(body + (tail or b""), None if tail is None else str(len(body)))


def binary(tail: bytes, **changes: Any) -> InferRequest:
    changes = {"parameters": {"binary_data_size": len(tail)}, "data": ..., **changes}
    return read(said(**changes), tail)


def test_photos_in_json_are_base64() -> None:
    assert read(said()) == InferRequest(PHOTOS, None, ALL)
    assert read(said(shape=[2, 1])).photos == PHOTOS
    assert read(said(shape=[2, 1], data=[[text(p)] for p in PHOTOS])).photos == PHOTOS


def test_photos_behind_the_json_have_their_lengths_before_them() -> None:
    assert binary(elements(*PHOTOS)) == InferRequest(PHOTOS, None, ALL)
    assert binary(elements(*PHOTOS), shape=[2, 1]).photos == PHOTOS
    assert binary(elements(b"", b"x")).photos == (b"", b"x")


def test_as_many_photos_as_the_limit_are_read_and_no_more() -> None:
    most = [b"%d" % number for number in range(MAX_PHOTOS)]
    assert binary(elements(*most), shape=[MAX_PHOTOS]).photos == tuple(most)
    with pytest.raises(BadRequest, match=r"17 photos by its shape; a request takes 1 to 16\. Send"):
        binary(elements(*most, b"x"), shape=[MAX_PHOTOS + 1])


def test_the_header_may_be_of_all_the_body() -> None:
    body = json.dumps(said()).encode()
    assert read_infer_request(body, f" {len(body)}\t").photos == PHOTOS


def test_what_is_not_known_does_no_harm() -> None:
    request = said(parameters={"content_type": "base64", "mine": [1, 2.5e-3, None]}, more=True)
    assert read({**request, "model_name": "mine", "parameters": {"timeout": 7}}).photos == PHOTOS


def test_null_is_as_good_as_nothing() -> None:
    request = {**said(parameters=None), "id": None, "outputs": None, "parameters": None}
    assert read(request) == InferRequest(PHOTOS, None, ALL)


ASKED: list[tuple[dict[str, Any], dict[str, bool]]] = [
    ({"outputs": []}, ALL),
    ({"parameters": {"binary_data_output": True}}, dict.fromkeys(ALL, True)),
    ({"outputs": [{"name": "label"}]}, {"label": False}),
    ({"outputs": [{"name": "label", "parameters": {"binary_data": True}}]}, {"label": True}),
    (
        {
            "parameters": {"binary_data_output": True},
            "outputs": [
                {"name": "labels", "parameters": {"binary_data": False}},
                {"name": "probabilities"},
            ],
        },
        {"labels": False, "probabilities": True},
    ),
]


@pytest.mark.parametrize(("asked", "outputs"), ASKED)
def test_the_outputs_are_those_asked_for(asked: dict[str, Any], outputs: dict[str, bool]) -> None:
    found = read({**said(), **asked}).outputs
    assert found == outputs
    assert list(found) == list(outputs)


WRONG: list[tuple[Any, str]] = [
    ([], "The request is an array and not an object like"),
    (None, "The request is null and not"),
    ({}, r'has no inputs\. A request is {"inputs"'),
    ({"inputs": {}}, 'an object as "inputs": it must be an array'),
    ({"inputs": [7]}, '"inputs" has an integer in it: each must be an object'),
    ({"inputs": said()["inputs"] * 2}, r"has 2 inputs\. Put all photos into one"),
    (said(name="image"), 'no input of the name "image": it must be photo'),
    (said(name=...), "no input of the name null: it must be photo"),
    (said(name=["photo"]), 'has an array as "name": it must be a string'),
    (said(name="\ud800" * 99), r'no input of the name "\?{60}…"'),
    (said(datatype="UINT8"), 'the datatype "UINT8": it must be BYTES'),
    (said(shape=...), r"must have the shape \[n\] or \[n, 1\]"),
    (said(shape=[]), "must have the shape"),
    (said(shape=[2, 1, 1]), "must have the shape"),
    (said(shape=[True]), "must have the shape"),
    (said(shape=[2.0]), "must have the shape"),
    (said(shape=[1, 2]), "has 2 as its second size"),
    (said(shape=[0]), "has 0 photos by its shape; a request takes 1 to 16"),
    (said(shape=[-1]), "has -1 photos by its shape"),
    (said(shape=[3]), "has 2 values in its data and 3 photos by its shape"),
    (said(data=...), 'neither "data" nor "binary_data_size"'),
    (said(data="text"), 'a string as "data": it must be an array'),
    (said(data=[1, 2]), "Photo 1 of 2 is an integer: in JSON, a photo is a string, the base64"),
    (said(data=[[text(p)] for p in PHOTOS]), "Photo 1 of 2 is an array"),
    (said(data=[text(PHOTOS[0]), "a"]), "Photo 2 of 2 is not in base64"),
    (said(data=["", "data:image/jpeg;base64," + text(b"123")]), "nothing in front of it"),
    (said(data=["", "QUJD\nQUJD"]), "in one line"),
    (said(data=["", "é"]), "not in base64"),
    (said(data=["", "\ud800"]), "not in base64"),
    (said(parameters={"binary_data_size": 8}), 'has both "data" and "binary_data_size"'),
    (said(parameters={"shared_memory_region": "x"}, data=...), "which this service has not"),
    (said(parameters=[]), 'an array as "parameters"'),
    ({**said(), "id": 7}, 'an integer as "id": it must be a string'),
    ({**said(), "id": "x" * 1001}, r'"id" has 1,001 characters; the limit is 1,000'),
    ({**said(), "outputs": [{"name": "class"}]}, "must be probabilities or label or labels"),
    ({**said(), "outputs": ["label"]}, '"outputs" has a string in it'),
    ({**said(), "outputs": [{"name": "label"}] * 2}, 'the output "label" twice'),
    (
        {**said(), "outputs": [{"name": "label", "parameters": {"classification": 3}}]},
        r"no extension `classification`\. Leave class_count out",
    ),
    (
        {**said(), "outputs": [{"name": "label", "parameters": {"binary_data": 1}}]},
        'an integer as "binary_data": it must be a boolean',
    ),
    ({**said(), "parameters": {"binary_data_output": "yes"}}, "it must be a boolean"),
]


@pytest.mark.parametrize(("request_", "sentence"), WRONG)
def test_a_wrong_request_is_told(request_: Any, sentence: str) -> None:
    with pytest.raises(BadRequest, match=sentence):
        read(request_)


NO_JSON = (b"\xff\xd8\xff\xe0", b"\x89PNG\r\n", b"RIFF", b"--boundary\r\n")
BODIES: list[tuple[bytes, str]] = [
    (b"", "is no JSON, from character 0 on"),
    (b"{", "is no JSON, from character 1 on"),
    (b"\xef\xbb\xbf{}", "is no JSON"),
    (b"{}{}", "is no JSON, from character 2 on"),
    ('{"id": 1}'.encode("utf-16"), "not in UTF-8, from byte 0 on"),
    (b'{"id": "\xff"}', "not in UTF-8, from byte 8 on.*Inference-Header-Content-Length"),
    (b'{"id": NaN}', r"has NaN, which is no number of JSON's\. Leave it out"),
    (b'{"id": -Infinity}', "has -Infinity"),
    (b'{"id": "a", "id": "b"}', r'has "id" twice in one object\. Leave one'),
    (b'{"id": ' + b"1" * 5000 + b"}", "a number of 5,000 digits; the limit is 100"),
    (b'{"id": 0.' + b"1" * 5000 + b"}", "a number of 5,002 digits"),
    *[(start + b"[{" * 200 + b"\xff", "a photo or a form, and no JSON") for start in NO_JSON],
    (b'{"a":' * 5000, "nested too deep; the limit is 100 levels"),
    (b"[" * 9000, "nested too deep"),
    (b"[" * 101 + b"]" * 101, "nested too deep"),
    (b'["\\\\", "\\"", ' + b"[" * 100 + b"]" * 101, "nested too deep"),
    (b"[" * 100 + b"]" * 100, "an array and not an object"),
    (b"[" + b"[]," * 500 + b"1]", "an array and not an object"),
    (b'["' + b"[" * 500 + b'\\"", "' + b"{" * 500 + b'"]', "an array and not an object"),
    (b"[]" * 4000 + b"]" * 1_000_000 + b'"' * 1_000_000, "is no JSON, from character 2 on"),
    (b"[" * 100_000, r"more than 10,000 commas and brackets, .* A request is {"),
]


@pytest.mark.parametrize(("body", "sentence"), BODIES)
def test_what_is_no_json_is_told(body: bytes, sentence: str) -> None:
    with pytest.raises(BadRequest, match=sentence):
        read_infer_request(body)


@pytest.mark.parametrize("length", ["", "-1", "+1", "1_0", "1.0", "1e1", "٣", "0x10", "nine"])
def test_a_header_that_is_no_number_is_told(length: str) -> None:
    with pytest.raises(BadRequest, match="it must be the number of bytes that the JSON has"):
        read_infer_request(b"{}" + bytes(99), length)


@pytest.mark.parametrize("length", ["3", "9" * 99, "9" * 9999])
def test_a_header_beyond_the_body_is_told(length: str) -> None:
    with pytest.raises(
        BadRequest, match=r"says \"\d+…?\" bytes of JSON, but the body has 2\. Send"
    ):
        read_infer_request(b"{}", length)


TAILS: list[tuple[bytes, dict[str, Any], str]] = [
    (elements(*PHOTOS), {"shape": [1]}, "12 bytes are left behind the last of the photos"),
    (elements(*PHOTOS), {"shape": [3]}, "Photo 3 of 3 ends after the request's last byte"),
    (elements(*PHOTOS)[:-1], {}, "Photo 2 of 2 ends after"),
    (elements(*PHOTOS)[:10], {}, "Photo 2 of 2 ends after"),
    (b"\xff\xff\xff\xffx", {"shape": [1]}, "Photo 1 of 1 ends after .* 4 bytes, little-endian"),
    (b"", {}, "Photo 1 of 2 ends after"),
    (b"x", {"parameters": {"binary_data_size": 2}}, "1 bytes come behind the JSON, and .* has 2"),
    (b"x", {"parameters": {"binary_data_size": -1}}, "and the input .* has -1"),
    (b"x", {"parameters": {"binary_data_size": True}}, "a boolean as .* must be an integer"),
    (b"x", {"parameters": {}, "data": ["", ""]}, "1 bytes come behind the JSON, and .* has 0"),
]


@pytest.mark.parametrize(("tail", "changes", "sentence"), TAILS)
def test_what_does_not_fit_behind_the_json_is_told(
    tail: bytes, changes: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(BadRequest, match=sentence):
        binary(tail, **changes)


def test_a_large_body_made_to_do_harm_takes_little_time_and_memory() -> None:
    many = 2_000_000
    twins = ",".join(f'"{number % 4999}":0' for number in range(9998))
    bodies = [b"[]," * many, b'{"a":' * many, b'{"a":' + b"1" * many, b'{"a":1e' + b"1" * many]
    bodies += [b'{"' + b'\\"' * many, b" " * many, f"{{{twins}}}".encode()]
    tracemalloc.start()
    began = time.process_time()
    for body in bodies:
        with pytest.raises(BadRequest):
            read_infer_request(body)
    assert time.process_time() - began < 2
    assert tracemalloc.get_traced_memory()[1] < 60_000_000
    tracemalloc.stop()


def test_a_request_with_anything_changed_in_it_is_read_or_refused() -> None:
    dice = random.Random(7)
    rest = {
        "id": "ä",
        "outputs": [{"name": "label", "parameters": {"binary_data": True}}],
        "parameters": {"binary_data_output": False},
    }
    behind = said(data=..., parameters={"binary_data_size": len(elements(*PHOTOS))})
    seeds: list[tuple[bytes, str | None]] = [(json.dumps({**said(), **rest}).encode(), None)]
    for request in ({**behind, **rest}, behind):
        head = json.dumps(request).encode()
        seeds.append((head + elements(*PHOTOS), str(len(head))))
    pieces = [b"null", b"-1", b"[]", b"{}", b'"', b"1e9", b"true", b"\xff\xff\xff\xff", b"\\u12"]
    read_ones = 0
    for number in range(6000):
        body, length = seeds[number % len(seeds)]
        mutant = bytearray(body)
        for _ in range(dice.randint(1, 3)):
            at = dice.randrange(len(mutant) + 1)
            to = at + dice.choice([0, 1, 1, 4, 20])
            mutant[at:to] = dice.choice([b"", bytes([dice.randrange(256)]), dice.choice(pieces)])
        if length is not None and not dice.randrange(4):
            length = str(int(length) + dice.randint(-9, 9))
        with contextlib.suppress(BadRequest):
            found = read_infer_request(bytes(mutant), length)
            assert 1 <= len(found.photos) <= MAX_PHOTOS
            told = write_infer_response(found, [answer()] * len(found.photos))
            assert json.loads(told.body[: told.header_length])["model_name"] == "mine"
            read_ones += 1
    assert 100 < read_ones < 5000


def answer(*probabilities: float) -> Prediction:
    return predict_from(probabilities or (0.25, 0.5, 0.25), MODEL)


def test_an_answer_in_json() -> None:
    request = InferRequest(PHOTOS, "my id", ALL)
    response = write_infer_response(request, [answer(), answer(1, 0, 0)])
    assert (response.header_length, response.media_type) == (None, "application/json")
    assert json.loads(response.body) == {
        "model_name": "mine",
        "model_version": "1",
        "id": "my id",
        "outputs": [
            {
                "name": "probabilities",
                "datatype": "FP32",
                "shape": [2, 3],
                "data": [0.25, 0.5, 0.25, 1.0, 0.0, 0.0],
            },
            {"name": "label", "datatype": "BYTES", "shape": [2], "data": ["cub", "bär"]},
            {
                "name": "labels",
                "datatype": "BOOL",
                "shape": [2, 3],
                "data": [False, True, False, True, False, False],
            },
            {"name": "in_scope", "datatype": "INT8", "shape": [2], "data": [-1, -1]},
        ],
    }


def test_an_answer_in_binary_comes_behind_the_json_in_its_order() -> None:
    request = InferRequest(PHOTOS[:1], None, {"label": True, "labels": True, "probabilities": True})
    response = write_infer_response(request, [answer(0.25, 0.25, 0.5)])
    assert response.media_type == "application/octet-stream"
    assert response.header_length is not None
    head = json.loads(response.body[: response.header_length])
    assert "id" not in head
    sizes = [output["parameters"] for output in head["outputs"]]
    assert sizes == [{"binary_data_size": size} for size in (7, 3, 12)]
    assert response.body[response.header_length :] == (
        elements("熊".encode()) + b"\0\0\1" + struct.pack("<3f", 0.25, 0.25, 0.5)
    )


@pytest.mark.parametrize("binary", [False, True])
def test_whether_a_photo_is_of_what_the_model_knows_is_a_number(binary: bool) -> None:
    request = InferRequest(PHOTOS, None, {"in_scope": binary})
    told = [replace(answer(), in_scope=known) for known in (True, False, None)]
    response = write_infer_response(request, told)
    if binary:
        assert response.body.endswith(struct.pack("3b", 1, 0, -1))
    else:
        assert json.loads(response.body)["outputs"][0]["data"] == [1, 0, -1]


def test_one_output_in_binary_leaves_the_other_in_json() -> None:
    request = InferRequest(PHOTOS[:1], "ü", {"probabilities": False, "label": True})
    response = write_infer_response(request, [answer()])
    head = json.loads(response.body[: response.header_length])
    assert head["id"] == "ü"
    assert head["outputs"][0]["data"] == [0.25, 0.5, 0.25]
    assert response.body[response.header_length :] == elements(b"cub")


@pytest.mark.parametrize("binary", [False, True])
def test_no_label_is_an_empty_one(binary: bool) -> None:
    model = ModelInfo("mine", "a" * 64, "multi-label", ("a", "b"))
    request = InferRequest(PHOTOS, None, {"label": binary, "labels": binary})
    predictions = [predict_from(each, model) for each in ([0.1, 0.2], [0.7, 0.6])]
    response = write_infer_response(request, predictions)
    if binary:
        assert response.body.endswith(elements(b"", b"a") + b"\0\0\1\1")
    else:
        values = [output["data"] for output in json.loads(response.body)["outputs"]]
        assert values == [["", "a"], [False, False, True, True]]


@pytest.mark.parametrize("binary", [False, True])
def test_a_class_that_is_no_utf_8_can_be_answered(binary: bool) -> None:
    model = ModelInfo("\ud800", "a" * 64, "single-label", ("\ud800",))
    request = InferRequest(PHOTOS[:1], "\ud800", {"label": binary})
    response = write_infer_response(request, [predict_from([1.0], model)])
    response.body[: response.header_length].decode("ascii")


def test_the_metadata_names_the_classes_and_how_photos_come() -> None:
    assert server_metadata("1.2") == {
        "name": "voilearn",
        "version": "1.2",
        "extensions": ["binary_tensor_data"],
    }
    told = model_metadata(MODEL, "onnx_onnxv1")
    assert (told["name"], told["versions"], told["platform"]) == ("mine", ["1"], "onnx_onnxv1")
    assert told["inputs"] == [
        {
            "name": "photo",
            "datatype": "BYTES",
            "shape": [-1],
            "parameters": {"content_type": "base64", "max_photos": 16},
        }
    ]
    assert [(each["name"], each["datatype"], each["shape"]) for each in told["outputs"]] == [
        ("probabilities", "FP32", [-1, 3]),
        ("label", "BYTES", [-1]),
        ("labels", "BOOL", [-1, 3]),
        ("in_scope", "INT8", [-1]),
    ]
    assert told["outputs"][0]["parameters"] == {"classes": ["bär", "cub", "熊"]}
    assert told["parameters"] == {"task": "single-label", "sha256": "a" * 64}


def test_another_model_or_version_is_told() -> None:
    check_model(MODEL, "mine")
    check_model(MODEL, "mine", "1")
    with pytest.raises(BadRequest, match=r'no model "yours" here\. This service has "mine"'):
        check_model(MODEL, "yours", "1")
    with pytest.raises(BadRequest, match=r'no version "2"\. Ask for version 1, or for none'):
        check_model(MODEL, "mine", "2")


def test_an_error_of_one_photo_of_several_says_which() -> None:
    error: VoilearnError = DamagedPhoto("This picture is damaged.")
    assert of_photo(error, 0, 1) is error
    told = of_photo(error, 1, 3)
    assert type(told) is DamagedPhoto
    assert str(told) == "Photo 2 of 3: This picture is damaged."
