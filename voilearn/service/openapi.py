"""Describe the service's routes: what stands at `/docs` and `/openapi.json`, with examples.

In comes the application; out goes its OpenAPI document. Routes read and write their bodies by
themselves, so what these look like is told here.
"""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from voilearn.wire import MEDIA_TYPE

Schema = dict[str, Any]

ABOUT = """\
Send a photo, get what the model sees in it. A photo is looked at and forgotten: neither it, nor
its name, nor where it was taken is stored or logged.

Errors are `application/problem+json` (RFC 9457); their `detail` is a sentence for people, their
`type` does not change. Where trying again helps, `Retry-After` says when.
"""
SHA = "5f0c4d7a" * 8
MODEL = {
    "name": "export",
    "sha256": SHA,
    "task": "single-label",
    "classes": ["black", "grizzly", "teddy"],
}
PREDICTION = {
    "label": "grizzly",
    "probability": 0.9731,
    "probabilities": {"grizzly": 0.9731, "black": 0.0262, "teddy": 0.0007},
    "labels": ["grizzly"],
    "in_scope": True,
    "model": MODEL,
    "runtime": "onnxruntime 1.32.0",
    "agreement": 0.0007,
}
SERVED = {
    **MODEL,
    "runtime": "onnxruntime 1.32.0",
    "agreement": 0.0007,
    "scope": {"temperature": 0.67, "terms": ["energy"]},
    "version": "0.5.0",
    "loaded": "2026-11-22T08:00:00Z",
    "refused": None,
}
READY = {"status": "ready"}

SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
TEXT: Schema = {"type": "string"}
STRINGS: Schema = {"type": "array", "items": TEXT}
BINARY: Schema = {"type": "string", "format": "binary"}


def _object(properties: Schema, optional: tuple[str, ...] = ()) -> Schema:
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": properties, "required": required}


MODEL_INFO = {
    "name": TEXT,
    "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "of the export.pkl"},
    "task": {"type": "string", "enum": ["single-label", "multi-label"]},
    "classes": STRINGS,
}
REFUSED = {
    **_object({"at": {"type": "string", "format": "date-time"}, "type": TEXT, "message": TEXT}),
    "type": ["object", "null"],
    "description": "A newer model file that was not taken into service, and why.",
}
AGREEMENT: Schema = {
    "type": ["number", "null"],
    "minimum": 0,
    "maximum": 1,
    "description": "How far a compiled model's probabilities were from the learner's, at most, on "
    "the pictures that it was tried with; null for the learner itself.",
}
SCOPE = {
    **_object({"temperature": {"type": ["number", "null"]}, "terms": STRINGS}),
    "type": ["object", "null"],
    "description": "What the probabilities are calibrated by, and what tells that a photo is of "
    "something else, as `voilearn evaluate` found it; null where it has not been run.",
}
SCHEMAS: dict[str, Schema] = {
    "ModelInfo": _object(MODEL_INFO),
    "Model": _object(
        {
            **MODEL_INFO,
            "runtime": TEXT,
            "agreement": AGREEMENT,
            "scope": SCOPE,
            "version": {**TEXT, "description": "of Voilearn"},
            "loaded": {"type": "string", "format": "date-time"},
            "refused": REFUSED,
        }
    ),
    "Prediction": _object(
        {
            "label": {
                "type": ["string", "null"],
                "description": "The likeliest of `labels`; null if a multi-label model has none.",
            },
            "probability": SHARE,
            "probabilities": {
                "type": "object",
                "additionalProperties": SHARE,
                "description": "Of every class, highest first.",
            },
            "labels": STRINGS,
            "in_scope": {
                "type": ["boolean", "null"],
                "description": "Whether the photo is of what the model knows; null if it can't "
                "tell. Where it is false, the label is only the nearest.",
            },
            "model": {"$ref": "#/components/schemas/ModelInfo"},
            "runtime": {**TEXT, "description": "What gave the answer."},
            "agreement": AGREEMENT,
            "preview": {**TEXT, "description": "With preview=1: a small JPEG, as a data URI."},
        },
        optional=("runtime", "agreement", "preview"),
    ),
    "Problem": _object(
        {
            "type": {**TEXT, "examples": ["urn:voilearn:DamagedPhoto"]},
            "title": TEXT,
            "status": {"type": "integer"},
            "detail": {**TEXT, "description": "What is wrong and what to do, for people."},
            "request_id": TEXT,
        },
        optional=("request_id",),
    ),
}
PHOTO_BODY = {
    "required": True,
    "description": "The photo's bytes as the whole body, or a form with the file `photo`: "
    "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC, up to 50 MB.",
    "content": {
        **{kind: {"schema": BINARY} for kind in ("image/*", "application/octet-stream")},
        "multipart/form-data": {"schema": _object({"photo": BINARY})},
    },
}
PREVIEW = {
    "name": "preview",
    "in": "query",
    "description": "1: with a small JPEG of the photo, for who can't show a photo of its kind.",
    "schema": TEXT,
    "example": "1",
}
EXAMPLES = {
    "examples": {
        "type": "array",
        "items": _object(
            {"name": TEXT, "picture": {**TEXT, "description": "a thumbnail, as a data URI"}}
        ),
    }
}
EVENTS = (
    "text/event-stream, which lasts: at once `model`, whose `sha256` is null while the model is "
    "loaded, and again when another one is in service; `place`, how many photos come before the "
    "one that this page waits for, by the header X-Voilearn-Page on both requests: 16 to 64 "
    "letters, digits or dashes made up at random; a comment every 2 seconds."
)
INFER = {
    "inputs": [{"name": "photo", "datatype": "BYTES", "shape": [1], "data": ["/9j/4AAQSkZJRg=="]}]
}
INFER_BODY = {
    "required": True,
    "description": "Up to 16 photos as the input `photo`: in base64 inside the JSON, or behind it, "
    "each after its length in 4 bytes, little-endian, with the length of the JSON in the header "
    "`Inference-Header-Content-Length`.",
    "content": {
        "application/json": {
            "schema": _object({"inputs": {"type": "array", "items": {"type": "object"}}}),
            "example": INFER,
        },
        "application/octet-stream": {"schema": BINARY},
    },
}
WHY = {
    400: "The request is not one that the service knows, or of another model.",
    401: "The token is missing or wrong.",
    404: "There is no such example.",
    408: "The photo came too slowly.",
    413: "Too many bytes or pixels.",
    415: "Not a picture, or of a kind that is not read here.",
    422: "A damaged picture, or an empty one.",
    429: "This client has too many photos waiting.",
    503: "Too many photos are waiting, or the model is not loaded.",
    504: "The photo waited too long.",
}
PHOTO_ERRORS = (400, 408, 413, 415, 422, 429, 503, 504)


def describe(app: FastAPI, guarded: bool) -> Schema:
    """Return the OpenAPI document of the application, which is made once.

    `guarded` says whether it asks for a token.
    """
    if app.openapi_schema is None:
        made = get_openapi(
            title=app.title,
            version=app.version,
            summary=app.summary,
            description=ABOUT,
            routes=app.routes,
        )
        made["servers"] = [{"url": "."}]  # where this document lies, also below a proxy's prefix
        components = made.setdefault("components", {})
        components["schemas"] = SCHEMAS  # in the place of FastAPI's own, which no route uses
        if not guarded:
            del components["securitySchemes"]
        for path, methods in made["paths"].items():
            for operation in methods.values():
                if not guarded:
                    operation.pop("security", None)
                _describe_operation(path, operation)
        app.openapi_schema = made
    return app.openapi_schema


def _describe_operation(path: str, operation: Schema) -> None:
    """Fill in an operation's body and answers."""
    operation["responses"] = answers = {}
    if path == "/v1/classify":
        operation["requestBody"], operation["parameters"] = PHOTO_BODY, [PREVIEW]
        answers["200"] = _answer("The prediction.", "Prediction", PREDICTION)
        _refuse(answers, *PHOTO_ERRORS)
    elif path == "/v1/model":
        answers["200"] = _answer("The model that answers now.", "Model", SERVED)
        _refuse(answers, 503)
    elif path.startswith("/v1/ex") or path == "/v1/events":
        _describe_page(path, operation, answers)
    elif path == "/readyz":
        answers["200"] = _plain("Ready.", "application/json", {"type": "object"}, READY)
        _refuse(answers, 503)
    elif path == "/metrics":
        answers["200"] = _plain("Prometheus's text format.", "text/plain", TEXT)
    else:
        answers["200"] = _plain("Yes.", "application/json", {"type": "object"})
        if path.startswith("/v2/models") or path == "/v2/health/ready":
            _refuse(answers, *((400, 503) if "models" in path else (503,)))
        if path.endswith("/infer"):
            operation["requestBody"] = INFER_BODY
            answers["200"]["content"]["application/octet-stream"] = {"schema": BINARY}
            _refuse(answers, *PHOTO_ERRORS)
    if operation.get("security"):
        _refuse(answers, 401)
    if path.startswith("/v2"):  # where that protocol's clients read errors only as JSON
        for answer in answers.values():
            if problem := answer["content"].pop(MEDIA_TYPE, None):
                answer["content"]["application/json"] = problem


def _describe_page(path: str, operation: Schema, answers: Schema) -> None:
    """Fill in the answers of what the page asks beside photos."""
    if path == "/v1/events":
        answers["200"] = _plain(EVENTS, "text/event-stream", TEXT)
        _refuse(answers, 503)
    elif path == "/v1/examples":
        answers["200"] = _plain("The examples.", "application/json", _object(EXAMPLES))
    elif operation["operationId"].endswith("_post"):
        answers["200"] = _answer("The prediction.", "Prediction", PREDICTION)
        _refuse(answers, 404, 429, 503, 504)
    else:
        answers["200"] = _plain("The picture.", "image/jpeg", BINARY)
        _refuse(answers, 404)


def _answer(description: str, schema: str, example: Schema) -> Schema:
    link = {"$ref": f"#/components/schemas/{schema}"}
    return _plain(description, "application/json", link, example)


def _plain(description: str, kind: str, schema: Schema, example: Schema | None = None) -> Schema:
    content: Schema = {"schema": schema}
    if example is not None:
        content["example"] = example
    return {"description": description, "content": {kind: content}}


def _refuse(answers: Schema, *statuses: int) -> None:
    link = {"$ref": "#/components/schemas/Problem"}
    for status in statuses:
        answers[str(status)] = _plain(WHY[status], MEDIA_TYPE, link)
