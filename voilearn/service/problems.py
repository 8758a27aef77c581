"""Answer every error as a problem (RFC 9457), and tell nothing of it that is not in the tree.

In comes whatever a route raised; out goes application/problem+json with a `detail`, or, under /v2,
the JSON that clients of that protocol read.
"""

import json
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from voilearn.errors import OUR_FAULT, TokenRefused, VoilearnError
from voilearn.service.request_log import LEFT, Message, Receive, Send, exchange_of
from voilearn.service.sent_instead import SEND
from voilearn.wire import MEDIA_TYPE, problem_of, problem_of_status

CLASSIFY = "/v1/classify"


class Problem(Response):
    """A problem, which has the id of the request that it answers."""

    def __init__(
        self, told: Mapping[str, Any], status: int, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(None, status, headers)
        self._told, self._named = told, headers

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer."""
        told, kind = {**self._told, "request_id": exchange_of(scope).id}, MEDIA_TYPE
        if scope["path"].startswith("/v2"):
            told["error"], kind = told["detail"], "application/json"  # where its clients look
        answer = Response(json.dumps(told), self.status_code, self._named, kind)
        await answer(scope, receive, send)


def answer_errors(app: FastAPI) -> None:
    """Have an application answer its errors so."""
    app.add_exception_handler(VoilearnError, _ours)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _left)
    app.add_exception_handler(Exception, _bug)


async def _ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, VoilearnError)  # noqa: S101  # by registration
    exchange_of(request.scope).outcome = error.type
    headers = {}
    if error.retry_after is not None:
        headers["retry-after"] = str(error.retry_after)
    if isinstance(error, TokenRefused):
        headers["www-authenticate"] = "Bearer"
    return Problem(problem_of(error), error.status, headers)


async def _http(request: Request, error: Exception) -> Response:
    """Answer what there is no route for."""
    assert isinstance(error, HTTPException)  # noqa: S101  # by registration
    headers, status = dict(error.headers or {}), error.status_code
    taken = headers.pop("Allow", "").split(", ")
    if status == 405:
        taken += ["HEAD"] * ("GET" in taken) + ["OPTIONS"]
        headers["Allow"] = ", ".join(dict.fromkeys(taken))
        if request.method == "OPTIONS":
            return Response(status_code=204, headers=headers)
    return Problem(problem_of_status(status, _detail(request, status, taken[0])), status, headers)


def _detail(request: Request, status: int, taken: str) -> str:
    if status == 404:
        return (
            f"There is nothing at this address. A photo is sent by POST to {CLASSIFY}; /docs tells "
            "of the other addresses."
        )
    if status == 405 and request.url.path == CLASSIFY:
        return f"This address takes a photo, by POST. {SEND}"
    if status == 405:
        return f"This address takes {taken}, and not the method of this request."
    return "The service does not take this request. /docs tells what it takes."


async def _left(request: Request, _error: Exception) -> Response:
    exchange_of(request.scope).outcome = LEFT
    return Response(status_code=499)  # nobody reads it


async def _bug(request: Request, _error: Exception) -> Response:
    exchange_of(request.scope).outcome = "bug"
    return Problem(problem_of(VoilearnError(OUR_FAULT)), 500)
