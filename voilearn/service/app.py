"""The model as a web service: the routes of the contract, and their errors.

In comes a photo over HTTP; out goes the Prediction JSON, or a problem+json. Every photo waits in
one line for one of a few workers; what each route answers is told at `/docs`.
"""

import json
import time
from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect

from voilearn import __version__
from voilearn.errors import OUR_FAULT, ServiceNotReady, TokenRefused, VoilearnError
from voilearn.service.live_model import LiveModel, utc
from voilearn.service.metrics import TEXT, Metrics
from voilearn.service.openapi import describe
from voilearn.service.request_body import read_photo
from voilearn.service.request_log import LEFT, App, Exchanges, exchange_of
from voilearn.service.service import Service, client_of
from voilearn.service.v2_routes import health_routes, inference_routes
from voilearn.wire import CHALLENGE, MEDIA_TYPE, PROOF, problem_of, problem_of_status, proof

INFER, ID = "Inference-Header-Content-Length", "X-Request-Id"


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
        redirect_slashes=False,  # to an address that the client made up, and over http
    )
    app.include_router(_health(service))
    guarded = [Depends(service.check_token)]
    app.include_router(_routes(service, metrics), dependencies=guarded)
    app.include_router(health_routes(service))
    app.include_router(inference_routes(service), dependencies=guarded)
    _answer_errors(app)
    app.openapi = partial(describe, app, service.token is not None)  # type: ignore[method-assign]
    whole: App = app
    if service.origins:
        whole = CORSMiddleware(
            whole,
            allow_origins=list(service.origins),
            allow_methods=["GET", "POST"],
            allow_headers=[
                "Authorization",
                "Content-Encoding",
                "Content-Type",
                "X-Request-Id",
                INFER,
            ],
            expose_headers=["X-Request-Id", "Server-Timing", "Retry-After", INFER],
        )
    return Exchanges(whole, metrics, lambda: service.draining)


def _health(service: Service) -> APIRouter:
    """Return the routes that need no token."""
    routes = APIRouter(tags=["health"])

    @routes.get("/", include_in_schema=False)
    async def root() -> Response:
        return RedirectResponse("docs")

    @routes.head("/healthz", include_in_schema=False)
    @routes.get("/healthz", summary="Is the service alive?")
    async def alive() -> dict[str, str]:
        return {"status": "alive"}

    @routes.head("/readyz", include_in_schema=False)
    @routes.get("/readyz", summary="Is it ready to answer?")
    async def ready(request: Request) -> Response:
        state = service.hindrance
        headers = {}
        if service.token and service.proves and (challenge := request.headers.get(CHALLENGE)):
            headers[PROOF] = proof(service.token, challenge)
            service.last_asked = time.monotonic()  # a page has come
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
        with service.memory.hold(client_of(request)) as held:
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
