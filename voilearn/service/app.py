"""The model as a web service: the routes of the contract, and their errors.

In comes a photo over HTTP; out goes the Prediction JSON, or a problem+json. Every photo waits in
one line for one of a few workers; what each route answers is told at `/docs`.
"""

import json
import time
from functools import partial
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import RedirectResponse
from fastapi_offline import FastAPIOffline

from voilearn import __version__
from voilearn.errors import DamagedPhoto, ServiceNotReady, UnsupportedPhoto
from voilearn.page.pictures import preview_of
from voilearn.prediction import Classify
from voilearn.service.addresses import Addresses
from voilearn.service.live_model import LiveModel, utc
from voilearn.service.metrics import TEXT, Metrics
from voilearn.service.openapi import describe
from voilearn.service.origins import Origins
from voilearn.service.page import data_uri
from voilearn.service.page_routes import file_routes, page_routes
from voilearn.service.problems import Problem, answer_errors
from voilearn.service.request_body import read_photo
from voilearn.service.request_log import App, Exchanges, exchange_of
from voilearn.service.sent_instead import told
from voilearn.service.service import Service, client_of
from voilearn.service.v2_routes import health_routes, inference_routes
from voilearn.wire import CHALLENGE, PROOF, problem_of, proof

FILES = "docs/files"  # of the documentation's page


def make_app(service: Service) -> App:
    """Return the ASGI application of a service."""
    page = service.page
    metrics = Metrics(service.model, service.queue, page.open if page else (), service.shadow)
    service.model.on_answer(metrics.answered)
    app = FastAPIOffline(
        docs_url=None,  # its page has absolute addresses
        redoc_url=None,
        title="Voilearn",
        version=__version__,
        summary="A photo in, what it shows out.",
        static_url=f"/{FILES}",
        redirect_slashes=False,  # to an address that the client made up, and over http
    )
    app.include_router(file_routes(page) if page else _no_page())
    app.include_router(_health(service))
    guarded = [Depends(service.check_token)]
    app.include_router(_routes(service, metrics), dependencies=guarded)
    if page:
        app.include_router(page_routes(service, page), dependencies=guarded)
    app.include_router(health_routes(service))
    app.include_router(inference_routes(service), dependencies=guarded)
    answer_errors(app)
    app.openapi = partial(describe, app, service.token is not None)  # type: ignore[method-assign]
    whole = Addresses(Origins(app, service.origins))
    return Exchanges(whole, metrics, lambda: service.draining)


def _no_page() -> APIRouter:
    """Return what is at the address of the page where there is none."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/")
    async def root() -> Response:
        return RedirectResponse("docs")

    return routes


def _health(service: Service) -> APIRouter:
    """Return the routes that need no token."""
    routes = APIRouter(tags=["health"])

    @routes.get("/docs", include_in_schema=False)
    async def documentation(request: Request) -> Response:
        """Return a page that works below whatever prefix a proxy has taken off."""
        if request.scope["raw_path"].endswith(b"/"):
            return RedirectResponse("../docs")
        return get_swagger_ui_html(
            openapi_url="openapi.json",
            title="Voilearn",
            swagger_js_url=f"{FILES}/swagger-ui-bundle.js",
            swagger_css_url=f"{FILES}/swagger-ui.css",
            swagger_favicon_url=f"{FILES}/favicon.png",
        )

    @routes.get("/healthz", summary="Is the service alive?")
    async def alive() -> dict[str, str]:
        return {"status": "alive"}

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
        return Problem({**told, "state": state}, 503, headers)

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
            try:
                shows = request.query_params.get("preview") == "1"
                work = partial(_told, service.model, photo, shows)
                return _json(await service.done(request, work))
            except (UnsupportedPhoto, DamagedPhoto) as error:
                kind = request.headers.get("content-type", "")
                raise told(error, photo, kind) from error

    @routes.get("/v1/model", tags=["model"], summary="Which model answers?")
    async def model() -> Response:
        service.check_ready()
        return _json(_model(service.model))

    @routes.get("/metrics", tags=["model"], summary="Counts and times, for Prometheus")
    async def prometheus() -> Response:
        return Response(metrics.text(), media_type=TEXT)

    return routes


def _told(model: Classify, photo: bytes, shows: bool) -> dict[str, Any]:
    """Return a photo's Prediction as it is told, with a picture for who can't show the photo."""
    prediction = model(photo).to_dict()
    return {**prediction, "preview": data_uri(preview_of(photo))} if shows else prediction


def _model(live: LiveModel) -> dict[str, Any]:
    served, refused = live.served, live.refused
    assert served is not None  # noqa: S101  # `check_ready` came first
    return {
        **served.classify.info.to_dict(),
        "runtime": served.classify.runtime,
        "agreement": served.classify.agreement,
        "scope": scope.summary() if (scope := served.classify.scope) else None,
        "version": __version__,
        "loaded": utc(served.since),
        "refused": refused
        and {"at": utc(refused.at), "type": refused.reason.type, "message": str(refused.reason)},
    }


def _json(told: dict[str, Any]) -> Response:
    return Response(json.dumps(told), media_type="application/json")
