"""Forgive what is written too much in an address, and answer HEAD wherever GET is answered.

In comes a request; out goes the same, with the path that a route has.
"""

import re

from voilearn.service.request_log import App, Message, Receive, Send

SLASHES = re.compile("/{2,}")


class Addresses:
    """The ASGI application around one whose routes have no slash at their end."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one request; uvicorn itself sends no body in answer to HEAD."""
        if scope["type"] == "http":
            scope["path"] = SLASHES.sub("/", scope["path"]).rstrip("/") or "/"
        if scope.get("method") != "HEAD":
            await self._app(scope, receive, send)
            return
        asked = {**scope, "method": "GET"}
        try:
            await self._app(asked, receive, send)
        finally:
            scope["route"] = asked.get("route")  # for the log
