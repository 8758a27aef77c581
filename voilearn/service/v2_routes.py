"""Answer clients of the Open Inference Protocol: the routes under `/v2`.

In comes an infer request over HTTP; out go the answers to its photos, which wait in the same line
as all others.
"""

import json
from functools import partial

from fastapi import APIRouter, Request, Response

from voilearn import __version__
from voilearn.classifier import Classifier
from voilearn.errors import ServiceNotReady, VoilearnError
from voilearn.service.content_coding import NONE, coding_of, unpack
from voilearn.service.request_body import read_body
from voilearn.service.request_log import exchange_of
from voilearn.service.service import Service, client_of, deadline
from voilearn.service.v2_protocol import (
    InferRequest,
    check_model,
    model_metadata,
    of_photo,
    read_infer_request,
    server_metadata,
    write_infer_response,
)

INFER_BYTES = 70_000_000  # a photo of 50 MB in base64
UNPACKED_BYTES = 20_000_000  # of what came packed, which photos never gain from


def health_routes(service: Service) -> APIRouter:
    """Return the routes that need no token."""
    routes = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])

    @routes.get("/health/live", summary="Is the service alive?")
    async def live() -> dict[str, bool]:
        return {"live": True}

    @routes.get("/health/ready", summary="Is it ready to answer?")
    async def ready() -> dict[str, bool]:
        if service.hindrance:
            raise ServiceNotReady(f"The service is {service.hindrance}.")
        return {"ready": True}

    return routes


def inference_routes(service: Service) -> APIRouter:
    """Return the routes of the Open Inference Protocol, each with and without a version."""
    routes = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])

    def served(name: str, version: str | None) -> Classifier:
        service.check_ready()
        assert service.model.served is not None  # noqa: S101  # just checked
        classify = service.model.served.classify
        check_model(classify.info, name, version)
        return classify

    @routes.get("", summary="What answers?")
    async def server() -> Response:
        return _answer(server_metadata(__version__))

    @routes.get("/models/{name}", summary="What goes in and comes out?")
    @routes.get("/models/{name}/versions/{version}", include_in_schema=False)
    async def metadata(name: str, version: str | None = None) -> Response:
        classify = served(name, version)
        return _answer(model_metadata(classify.info, classify.runtime.partition(" ")[0]))

    @routes.get("/models/{name}/ready", summary="Is the model ready?")
    @routes.get("/models/{name}/versions/{version}/ready", include_in_schema=False)
    async def model_ready(name: str, version: str | None = None) -> Response:
        served(name, version)
        return _answer({"name": name, "ready": True})

    @routes.post("/models/{name}/infer", summary="What do photos show?")
    @routes.post("/models/{name}/versions/{version}/infer", include_in_schema=False)
    async def infer(request: Request, name: str, version: str | None = None) -> Response:
        classify = served(name, version)
        service.check_place(request)
        exchange = exchange_of(request.scope)
        until = deadline()
        with service.memory.hold(client_of(request)) as held:
            with exchange.stage("receive"):
                body = await read_body(request, INFER_BYTES, held)
            exchange.size = len(body)
            coding = coding_of(request.headers.getlist("content-encoding"))
            held.take(2 * len(body) if coding == NONE else 3 * UNPACKED_BYTES)  # what is made of it
            header_length = request.headers.get("inference-header-content-length")
            reading = partial(_asked, body, coding, header_length)
            asked = await service.done(request, reading, until)
            predictions = []
            for at, photo in enumerate(asked.photos):
                try:
                    work = partial(classify, photo)
                    predictions.append(await service.done(request, work, until))
                except VoilearnError as error:
                    raise of_photo(error, at, len(asked.photos)) from error
        told = write_infer_response(asked, predictions)
        headers = {}
        if told.header_length is not None:
            headers["inference-header-content-length"] = str(told.header_length)
        return Response(told.body, headers=headers, media_type=told.media_type)

    return routes


def _asked(body: bytes, coding: str, header_length: str | None) -> InferRequest:
    limit = INFER_BYTES if coding == NONE else UNPACKED_BYTES
    return read_infer_request(unpack(body, coding, limit), header_length)


def _answer(told: object) -> Response:
    return Response(json.dumps(told), media_type="application/json")
