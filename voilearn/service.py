"""The model as a web service: the routes of the contract, and their errors.

In comes a photo over HTTP; out goes the Prediction JSON, or a problem+json. Every photo waits in
one line for one of a few workers; what each route answers is told at `/docs`.
"""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect

from voilearn import __version__
from voilearn.challenge import CHALLENGE, PROOF, proof
from voilearn.classifier import Classifier
from voilearn.content_coding import unpack
from voilearn.errors import (
    OUR_FAULT,
    DeadlinePassed,
    ServiceNotReady,
    TokenRefused,
    VoilearnError,
)
from voilearn.exchange import LEFT, App, Exchanges, exchange_of
from voilearn.inference_protocol import (
    InferRequest,
    check_model,
    model_metadata,
    of_photo,
    read_infer_request,
    server_metadata,
    write_infer_response,
)
from voilearn.live_model import LiveModel, utc
from voilearn.metrics import TEXT, Metrics
from voilearn.openapi import describe
from voilearn.problem import MEDIA_TYPE, problem_of, problem_of_status
from voilearn.request_body import Memory, read_body, read_photo
from voilearn.stages import stopwatch
from voilearn.work_queue import WorkQueue

DEADLINE = 30.0  # seconds in which a photo that came is answered, or refused
PLACES = 16  # photos in line for each worker
SHARE = 8  # of these, for one client: the last one waits no more than so many turns
BODIES = 256_000_000  # bytes that all photos together may take
INFER_BYTES = 70_000_000  # a photo of 50 MB in base64

Found = TypeVar("Found")
Bearer = Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))]


@dataclass
class Service:
    """What the routes share. `token` is None where everybody may ask."""

    model: LiveModel
    queue: WorkQueue
    token: str | None = None
    origins: Sequence[str] = ()
    draining: bool = False
    last_asked: float = field(default_factory=time.monotonic)
    memory: Memory = field(default_factory=lambda: Memory(BODIES))

    @property
    def hindrance(self) -> str | None:
        """Why no photo can be answered now: "loading" or "draining", or None."""
        if self.draining:
            return "draining"
        return None if self.model.served else "loading"

    async def check_token(self, given: Bearer) -> None:
        """Raise TokenRefused unless the right token was given, in a time that tells nothing."""
        if self.token is None:
            return
        if not hmac.compare_digest(
            _digest(given.credentials if given else ""), _digest(self.token)
        ):
            raise TokenRefused(
                "This service needs its token: send the header Authorization: Bearer TOKEN."
            )

    def check_ready(self) -> None:
        """Raise ServiceNotReady until there is a model."""
        if not self.model.served:
            raise ServiceNotReady("The model is still loading. Please try again in a few seconds.")

    def check_place(self, request: Request) -> None:
        """Raise what the line does if it has no place for the client's photo."""
        self.queue.check(_client(request))

    async def done(self, request: Request, work: Callable[[], Found]) -> Found:
        """Return what `work` does in its turn, or let it be when nobody waits any longer.

        Raises ServiceBusy, TooManyRequests, DeadlinePassed, ClientDisconnect, and what `work` does.
        """
        exchange = exchange_of(request.scope)
        self.last_asked = time.monotonic()
        came = time.perf_counter()

        def timed() -> Found:
            exchange.add({"wait": time.perf_counter() - came})
            with stopwatch() as seconds:
                try:
                    return work()
                finally:
                    exchange.add(seconds)

        until = time.monotonic() + DEADLINE
        future = asyncio.wrap_future(self.queue.submit(timed, _client(request), until))
        gone = asyncio.ensure_future(_left(request))
        try:
            await asyncio.wait(
                (future, gone), timeout=DEADLINE, return_when=asyncio.FIRST_COMPLETED
            )
            if future.done():
                found: Found = future.result()
                return found
            if gone.done():
                raise ClientDisconnect
            raise DeadlinePassed("The photo waited too long. Please try again.")
        finally:
            gone.cancel()
            future.cancel()


def make_app(service: Service) -> App:
    """Return the ASGI application of a service."""
    metrics = Metrics(service.model, service.queue)
    app = FastAPIOffline(
        docs_url="/docs",
        redoc_url=None,
        title="Voilearn",
        version=__version__,
        summary="A photo in, what it shows out.",
        static_url="/docs/files",
    )
    app.include_router(_health(service))
    guarded = [Depends(service.check_token)]
    app.include_router(_routes(service, metrics), dependencies=guarded)
    app.include_router(_open_inference_health(service))
    app.include_router(_open_inference(service), dependencies=guarded)
    _answer_errors(app)
    app.openapi = partial(describe, app, service.token is not None)  # type: ignore[method-assign]
    whole: App = app
    if service.origins:
        whole = CORSMiddleware(
            whole,
            allow_origins=list(service.origins),
            allow_methods=["GET", "POST"],
            allow_headers=["Authorization", "Content-Type", "X-Request-Id"],
            expose_headers=["X-Request-Id", "Server-Timing", "Retry-After"],
        )
    return Exchanges(whole, metrics, lambda: service.draining)


def _health(service: Service) -> APIRouter:
    """Return the routes that need no token."""
    routes = APIRouter(tags=["health"])

    @routes.get("/", include_in_schema=False)
    async def root() -> Response:
        return RedirectResponse("docs")

    @routes.get("/healthz", summary="Is the service alive?")
    async def alive() -> dict[str, str]:
        return {"status": "alive"}

    @routes.get("/readyz", summary="Is it ready to answer?")
    async def ready(request: Request) -> Response:
        state = service.hindrance
        headers = {}
        if service.token and (challenge := request.headers.get(CHALLENGE)):
            headers[PROOF] = proof(service.token, challenge)
        if state is None:
            return Response(b'{"status":"ready"}', 200, headers, "application/json")
        headers["retry-after"] = "1"
        told = problem_of(ServiceNotReady(f"The service is {state}."))
        return _problem(request, {**told, "state": state}, 503, headers)

    return routes


def _routes(service: Service, metrics: Metrics) -> APIRouter:
    routes = APIRouter()

    @routes.post("/v1/classify", tags=["photos"], summary="What does a photo show?")
    async def classify(request: Request) -> Response:
        service.check_ready()
        service.check_place(request)
        exchange = exchange_of(request.scope)
        with service.memory.hold() as held:
            with exchange.stage("receive"):
                photo = await read_photo(request, held)
            exchange.size = len(photo)
            prediction = await service.done(request, partial(service.model, photo))
        return _json(prediction.to_dict())

    @routes.get("/v1/model", tags=["model"], summary="Which model answers?")
    async def model() -> Response:
        service.check_ready()
        return _json(_model(service.model))

    @routes.get("/metrics", tags=["model"], summary="Counts and times, for Prometheus")
    async def prometheus() -> Response:
        return Response(metrics.text(), media_type=TEXT)

    return routes


def _open_inference_health(service: Service) -> APIRouter:
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


def _open_inference(service: Service) -> APIRouter:
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
        return _json(server_metadata(__version__))

    @routes.get("/models/{name}", summary="What goes in and comes out?")
    @routes.get("/models/{name}/versions/{version}", include_in_schema=False)
    async def metadata(name: str, version: str | None = None) -> Response:
        classify = served(name, version)
        return _json(model_metadata(classify.info, classify.runtime.partition(" ")[0]))

    @routes.get("/models/{name}/ready", summary="Is the model ready?")
    @routes.get("/models/{name}/versions/{version}/ready", include_in_schema=False)
    async def model_ready(name: str, version: str | None = None) -> Response:
        served(name, version)
        return _json({"name": name, "ready": True})

    @routes.post("/models/{name}/infer", summary="What do photos show?")
    @routes.post("/models/{name}/versions/{version}/infer", include_in_schema=False)
    async def infer(request: Request, name: str, version: str | None = None) -> Response:
        classify = served(name, version)
        service.check_place(request)
        exchange = exchange_of(request.scope)
        with service.memory.hold() as held:
            with exchange.stage("receive"):
                body = await read_body(request, INFER_BYTES, held)
            exchange.size = len(body)
            coding = request.headers.get("content-encoding")
            held.take(INFER_BYTES if coding else 2 * len(body))  # what is made of it
            header_length = request.headers.get("inference-header-content-length")
            reading = partial(_asked, body, coding, header_length)
            asked = await service.done(request, reading)
            predictions = []
            for at, photo in enumerate(asked.photos):
                try:
                    predictions.append(await service.done(request, partial(classify, photo)))
                except VoilearnError as error:
                    raise of_photo(error, at, len(asked.photos)) from error
        told = write_infer_response(asked, predictions)
        headers = {}
        if told.header_length is not None:
            headers["inference-header-content-length"] = str(told.header_length)
        return Response(told.body, headers=headers, media_type=told.media_type)

    return routes


def _asked(body: bytes, coding: str | None, header_length: str | None) -> InferRequest:
    return read_infer_request(unpack(body, coding, INFER_BYTES), header_length)


def _model(live: LiveModel) -> dict[str, Any]:
    served, refused = live.served, live.refused
    assert served is not None  # noqa: S101  # `check_ready` came first
    return {
        **served.classify.info.to_dict(),
        "runtime": served.classify.runtime,
        "version": __version__,
        "loaded": utc(served.since),
        "refused": refused
        and {"at": utc(refused.at), "type": refused.reason.type, "message": str(refused.reason)},
    }


def _answer_errors(app: FastAPI) -> None:
    """Have every error answered as a problem, and nothing of it told that is not in the tree."""

    async def ours(request: Request, error: Exception) -> Response:
        assert isinstance(error, VoilearnError)  # noqa: S101  # by registration
        exchange_of(request.scope).outcome = error.type
        headers = {}
        if error.retry_after is not None:
            headers["retry-after"] = str(error.retry_after)
        if isinstance(error, TokenRefused):
            headers["www-authenticate"] = "Bearer"
        return _problem(request, problem_of(error), error.status, headers)

    async def http(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101  # by registration
        told = problem_of_status(error.status_code)
        return _problem(request, told, error.status_code, dict(error.headers or {}))

    async def left(request: Request, _error: Exception) -> Response:
        exchange_of(request.scope).outcome = LEFT
        return Response(status_code=499)  # nobody reads it

    async def bug(request: Request, _error: Exception) -> Response:
        exchange_of(request.scope).outcome = "bug"
        return _problem(request, problem_of(VoilearnError(OUR_FAULT)), 500, {})

    app.add_exception_handler(VoilearnError, ours)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(ClientDisconnect, left)
    app.add_exception_handler(Exception, bug)


def _problem(
    request: Request, told: dict[str, Any], status: int, headers: dict[str, str]
) -> Response:
    told["request_id"] = exchange_of(request.scope).id
    if not request.url.path.startswith("/v2"):
        return Response(json.dumps(told), status, headers, MEDIA_TYPE)
    told["error"] = told.get("detail", told["title"])  # where that protocol's clients look,
    return Response(json.dumps(told), status, headers, "application/json")  # if it is this


def _json(told: dict[str, Any]) -> Response:
    return Response(json.dumps(told), media_type="application/json")


async def _left(request: Request) -> None:
    """Return when the client has gone away."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _client(request: Request) -> str:
    return request.client.host if request.client else ""


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
