"""The routes of the page: its files, the author's examples, and what an open page is told.

In come requests of browsers; out go files that they may keep, small pictures, Predictions of
examples, and events over a connection that stays open.
"""

import asyncio
import json
import re
from functools import partial

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from voilearn.errors import PhotoNotFound, ServiceNotReady
from voilearn.service.open_pages import OpenPages, Push
from voilearn.service.page import FOLDER, File, PageFiles, ServicePage
from voilearn.service.request_log import PUSH, Message, Receive, Send
from voilearn.service.service import Service, page_of

NO_SUCH = "There is no such example. GET /v1/examples tells which there are."


def file_routes(page: ServicePage) -> APIRouter:
    """Return the routes that need no token."""
    routes, files = APIRouter(include_in_schema=False), page.files

    @routes.get("/")
    async def index(request: Request) -> Response:
        return _sent(files.index, request, files)

    @routes.get("/embed.js")
    async def embed(request: Request) -> Response:
        answer = _sent(files.embed, request, files)
        answer.headers["access-control-allow-origin"] = "*"  # it says so where the page may not be
        return answer

    @routes.get(f"/{FOLDER}/{{name}}")
    async def file(request: Request, name: str) -> Response:
        if found := files.files.get(name):
            return _sent(found, request, files)
        raise HTTPException(404)

    return routes


def page_routes(service: Service, page: ServicePage) -> APIRouter:
    """Return the routes that are for whoever may ask."""
    routes, examples = APIRouter(tags=["page"]), page.examples

    @routes.get("/v1/examples", summary="The author's example photos")
    async def listed() -> Response:
        return Response(await asyncio.to_thread(examples.listed), media_type="application/json")

    @routes.get("/v1/examples/{number}", summary="A small picture of an example")
    async def preview(number: str) -> Response:
        picture = await asyncio.to_thread(examples.preview, _index(number))
        return Response(picture, media_type="image/jpeg")

    @routes.post("/v1/examples/{number}", summary="What does an example show?")
    async def classify(request: Request, number: str) -> Response:
        service.check_ready()
        service.check_place(request)
        photo = await asyncio.to_thread(examples.photo, _index(number))
        prediction = await service.done(request, partial(service.model, photo))
        return Response(json.dumps(prediction.to_dict()), media_type="application/json")

    @routes.get("/v1/events", summary="What an open page is told")
    async def events(request: Request) -> Response:
        if service.draining:
            raise ServiceNotReady("The service is about to end.")
        page.open.check()
        push = request.scope.get("extensions", {}).get(PUSH, {}).get("push")
        return _Events(page.open, page_of(request), push)

    return routes


class _Events(Response):
    """Events for as long as the page listens; where its server can't push, the first one alone."""

    media_type = "text/event-stream"

    def __init__(self, pages: OpenPages, name: str, push: Push | None) -> None:
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(pages.greeting(), 200, headers)
        self._pages, self._name, self._push = pages, name, push
        del self.headers["content-length"]

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer, and stay."""
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        lasts = self._push is not None
        await send({"type": "http.response.body", "body": self.body, "more_body": lasts})
        if self._push is None:
            return
        with self._pages.listening(self._name, self._push):
            while (await receive())["type"] != "http.disconnect":
                pass


def _index(number: str) -> int:
    if not re.fullmatch(r"[0-9]{1,4}", number):
        raise PhotoNotFound(NO_SUCH)
    return int(number)


def _sent(file: File, request: Request, files: PageFiles) -> Response:
    """Return a file as this browser takes it, or that it has it already."""
    headers = {
        "cache-control": file.kept,
        "etag": f'W/"{file.etag}"',  # packed or not
        "vary": "Accept-Encoding",
        "content-security-policy": files.policy,
        "referrer-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }
    if f'"{file.etag}"' in request.headers.get("if-none-match", ""):
        return Response(None, 304, headers)
    body = file.body
    if file.packed and _takes_gzip(request.headers.get("accept-encoding", "")):
        headers["content-encoding"], body = "gzip", file.packed
    return Response(body, 200, headers, file.kind)


def _takes_gzip(accepted: str) -> bool:
    for each in accepted.lower().split(","):
        name, _, quality = each.partition(";")
        if name.strip() in ("gzip", "x-gzip"):
            return not re.fullmatch(r"\s*q=0(\.0*)?\s*", quality)
    return False
