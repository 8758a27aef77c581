"""Let the scripts of some web pages ask: which origins, and what browsers want to hear of it.

In come origins as somebody wrote them; out go those that browsers send, and the answers to their
preflights (https://fetch.spec.whatwg.org/#http-cors-protocol).
"""

import ipaddress
import re
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response

from voilearn.errors import BadRequest, printable
from voilearn.service.problems import Problem
from voilearn.service.request_log import App
from voilearn.wire import problem_of

EXPOSED = ("X-Request-Id", "Server-Timing", "Retry-After", "Inference-Header-Content-Length")
PORTS = {"http": 80, "https": 443}
HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


class Origins(CORSMiddleware):
    """An application that pages of some origins may ask, wherever they and it are."""

    def __init__(self, app: App, origins: Sequence[str]) -> None:
        super().__init__(
            app,
            allow_origins=list(origins),
            allow_methods=["GET", "HEAD", "POST"],
            allow_headers=["*"],  # none of them lets anybody in, but the token
            allow_private_network=True,
            expose_headers=EXPOSED,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a preflight; say what to change where it is refused."""
        answer = super().preflight_response(request_headers)
        if answer.status_code == 200:
            return answer
        headers = {"Vary": answer.headers["Vary"]}
        reason = "Pages ask by GET, HEAD or POST here, and not by the method that was asked for."
        if self.is_allowed_origin(request_headers["origin"]):
            headers["Access-Control-Allow-Origin"] = request_headers["origin"]
        else:
            reason = (
                "Pages of this origin may not ask this service. Whoever runs it can allow it: "
                "voilearn serve --allow-origin ORIGIN."
            )
        return Problem(problem_of(BadRequest(reason)), 400, headers)


def origin_of(written: str) -> str:
    """Return an origin as browsers send it; raise ValueError, with a sentence, if it is none."""
    origin = written.strip()
    if origin in ("*", "null"):
        return origin
    shown = printable(origin, 100)
    if re.search(r"[\s,;]", origin):
        raise ValueError(f'"{shown}" is not one origin: give --allow-origin once for each')
    try:
        at = urlsplit(origin)
        scheme, host, port = at.scheme, at.hostname or "", at.port
    except ValueError:
        scheme, host, port = "", "", None
    if "://" not in origin or not scheme or not host or port == 0:
        raise ValueError(f'"{shown}" is not an origin, which looks like https://example.org')
    if at.username is not None or at.path.strip("/") or at.query or at.fragment:
        raise ValueError(
            f'"{shown}" is more than an origin, which has no login and no path: '
            f"{scheme}://{printable(host)}"
        )
    if "*" in host:
        raise ValueError(f'"{shown}" has a *: name each origin, or allow all with * alone')
    if not host.isascii():
        raise ValueError(
            f'"{shown}" is not as browsers send it: type location.origin into the console of a '
            "page of it, and give what it says"
        )
    return f"{scheme}://{_host(host, shown)}" + (
        f":{port}" if port not in (None, PORTS.get(scheme)) else ""
    )


def _host(host: str, shown: str) -> str:
    """Return a host as browsers write it."""
    try:
        if ":" in host:
            return f"[{ipaddress.IPv6Address(host)}]"
        if host.rpartition(".")[2].isdigit():
            return str(ipaddress.IPv4Address(host))
    except ValueError:
        host = ""
    if not HOST.fullmatch(host):
        raise ValueError(f'"{shown}" has no host that a browser could send: check its spelling')
    return host
