"""Run the service as a process: its socket, its signals, its end.

In come a model's path and who may ask; out goes a server until it is told to end. It listens at
once, is ready when the model has answered once, and leaves nobody without an answer.
"""

import asyncio
import atexit
import contextlib
import ipaddress
import logging
import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import uvicorn

from voilearn.errors import ServiceError, printable
from voilearn.machine import granted_cores
from voilearn.model import Runtime
from voilearn.service.app import make_app
from voilearn.service.connections import BoundedConnection
from voilearn.service.live_model import LiveModel
from voilearn.service.open_pages import MOST, OpenPages
from voilearn.service.page import Examples, PageFiles, ServicePage
from voilearn.service.service import DEADLINE, PLACES, SHARE, Service
from voilearn.service.shadow import Shadow
from voilearn.service.work_queue import WorkQueue

BACKLOG = 2048
KEEP_ALIVE = 30  # seconds that an idle connection is kept
DRAIN = 1.0  # seconds from a signal to the end of listening: so long others send requests here
SPARE = 64  # descriptors for what is no connection

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Options:
    """How the service is run.

    `token` is None where everybody may ask. `runtime` and `scope` are as in `model.load_classify`.
    With `idle`, the service ends after so many seconds without a photo. `shared` is False for one
    whose clients are all of one user: they have the whole line, and memory counts for more than
    speed. `drain` is seconds from a signal to the end of listening. `shadow` is a model to compare
    with, and `shadow_share` the part of the photos that it is shown.
    """

    model: Path
    host: str = "127.0.0.1"
    port: int = 8000
    token: str | None = None
    origins: Sequence[str] = ()
    trust: bool = False
    runtime: Runtime | None = None
    idle: float | None = None
    drain: float = DRAIN
    shared: bool = True
    shadow: Path | None = None
    shadow_share: float = 0.1
    scope: bool = True


def is_loopback(host: str) -> bool:
    """Say whether an address is one that only this machine reaches."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def serve(
    options: Options,
    listening: Callable[[str, LiveModel], None],
    failing: Callable[[BaseException], None] | None = None,
) -> None:
    """Run the service until SIGTERM or Ctrl+C; `listening` is told its address and its model.

    `failing` is told why the model can't be loaded, before those who wait for it are let go of.
    Raises UnusableSettings if the author's app.toml says what it can't, ServiceError if the address
    can't be had, and UnusableModel if the model can't be loaded.
    """
    files = PageFiles(options.model.parent, options.origins) if options.shared else None
    sock = _listen(options.host, options.port)
    model = LiveModel(options.model, options.trust, options.shared, options.runtime, options.scope)
    workers = granted_cores()
    places = workers * PLACES
    queue = WorkQueue(workers, places, workers * SHARE if options.shared else places)
    service = Service(model, queue, options.token, options.origins, proves=not options.shared)
    if options.shadow:
        service.shadow = Shadow(options.shadow, options.shadow_share)
        model.on_answer(service.shadow.see)
    BoundedConnection.most = _descriptors() - SPARE
    if files:
        pages = OpenPages(model, queue, min(MOST, BoundedConnection.most // 2))
        service.page = ServicePage(files, Examples(options.model.parent / "examples"), pages)
    server = _Server(service, options, failing)
    if threading.current_thread() is threading.main_thread():
        for sig in (signal.SIGINT, signal.SIGTERM):  # from the first word on
            signal.signal(sig, server.handle_exit)
    url = _url(sock)
    listening(url, model)
    log.info("listening", extra={"url": url, "workers": workers})
    server.load_model()
    try:
        server.run(sockets=[sock])
    finally:
        model.close()
        if service.shadow:
            service.shadow.close()
        queue.close()
        atexit.register(_leave)
    if server.failure:
        raise server.failure


def _leave() -> None:
    """End the process here, where a thread is still loading a model.

    At its own end Python stops such a thread wherever it is; in the middle of C++, as when numpy
    is imported, that aborts the process.
    """
    if any(thread.name in ("loader", "watcher", "shadow") for thread in threading.enumerate()):
        logging.shutdown()
        sys.stdout.flush()
        os._exit(0)


class _Server(uvicorn.Server):
    """uvicorn's server, which ends by our rules."""

    def __init__(
        self,
        service: Service,
        options: Options,
        failing: Callable[[BaseException], None] | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                make_app(service),
                http=BoundedConnection,
                forwarded_allow_ips=os.environ.get("FORWARDED_ALLOW_IPS", "127.0.0.1,::1").strip(),
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE,
                timeout_graceful_shutdown=int(DEADLINE) + 5,
            )
        )
        self.failure: BaseException | None = None
        self._service, self._options, self._failing = service, options, failing
        self._told: float | None = None  # when it was told to end

    def load_model(self) -> None:
        """Load the model in a thread of its own, and watch its file from then on."""

        def loading() -> None:
            # torch imports its compiler for GPUs: 200 MB that a CPU has no use for
            sys.modules.setdefault("triton", None)  # type: ignore[arg-type]
            try:
                self._service.model.load()
                self._service.model.watch()
                if self._service.shadow:  # after the model that is waited for
                    self._service.shadow.start()
            except BaseException as error:  # noqa: BLE001  # raised by `serve`
                self.failure = error
                try:
                    if self._failing:
                        self._failing(error)
                finally:
                    self.should_exit = True

        threading.Thread(target=loading, name="loader", daemon=True).start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Be unready from now on, and end in a while; at the second Ctrl+C, at once."""
        if self._told is not None:
            if sig == signal.SIGINT:
                self.force_exit = self.should_exit = True
            return
        self._service.draining, self._told = True, time.monotonic()

    async def on_tick(self, counter: int) -> bool:
        """Say, ten times a second, whether it is time to end."""
        now = time.monotonic()
        if self._told is not None and now - self._told >= self._options.drain:
            self.should_exit = True
        if self._service.draining and self._service.page:
            self._service.page.open.close()
        if self._options.idle is not None and self._is_idle(now - self._options.idle):
            self._service.draining = self.should_exit = True
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take what connected before the end of listening, then end."""
        log.info("ending")
        await asyncio.sleep(0)
        await super().shutdown(sockets)

    def _is_idle(self, since: float) -> bool:
        queue = self._service.queue
        return self._service.last_asked < since and not queue.depth and not queue.busy


def host_of(written: str) -> str:
    """Return an address to listen at, without brackets; raise ValueError if it is none."""
    host = re.sub(r"^\[(.*)\]$", r"\1", written.strip())
    if not host or "/" in host or host.count(":") == 1:
        raise ValueError(
            f'--host has "{printable(host, 60)}": it is an address alone, as 127.0.0.1, or 0.0.0.0 '
            "for all of this machine's; the port has its own option, --port"
        )
    return host


def check_forwarded(addresses: str) -> None:
    """Raise ValueError unless FORWARDED_ALLOW_IPS is * or addresses and networks."""
    for each in addresses.split(","):
        try:
            if addresses.strip() != "*" and each.strip():
                ipaddress.ip_network(each.strip())
        except ValueError:
            raise ValueError(
                f'FORWARDED_ALLOW_IPS has "{printable(each.strip(), 60)}": it is * alone, or '
                "addresses and networks of proxies, as 10.0.0.5,172.16.0.0/12"
            ) from None


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, OverflowError, UnicodeError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).rstrip(".")
        raise ServiceError(
            f"The service can't listen at {host}, port {port}: {reason}. "
            "Choose another port (--port), or another address."
        ) from error


def _url(sock: socket.socket) -> str:
    host, port = sock.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _descriptors() -> int:
    """Return how many descriptors this process may have, after asking for as many as it may."""
    if sys.platform == "win32":
        return 2_000
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 65_536 if hard == resource.RLIM_INFINITY else min(hard, 65_536)
    if soft < wanted:
        with contextlib.suppress(ValueError, OSError):  # the system may have a limit of its own
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
            soft = wanted
    return int(soft)
