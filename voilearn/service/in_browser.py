"""The page in this machine's own browser: `voilearn page`.

In come a model and a port; out goes a service at an address that only this machine reaches, which
a browser opens as soon as it listens. What goes wrong is told in lines of text.
"""

import os
import sys
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path

from voilearn.model import Runtime
from voilearn.service.json_log import log_as_text
from voilearn.service.live_model import LiveModel
from voilearn.service.serve import Options, serve


def show_page(
    model: Path,
    port: int,
    browser: bool,
    say: Callable[[str], None],
    runtime: Runtime | None = None,
    scope: bool = True,
) -> None:
    """Show a model's page until Ctrl+C; `say` is told its address.

    `port` 0 is any that is free; `runtime` and `scope` are as in `load_classify`. Raises what
    `serve` does.
    """
    log_as_text()

    def listening(url: str, _model: LiveModel) -> None:
        say(f"The page is at {url} (Ctrl+C ends it)")
        if browser and _has_windows():
            # in a thread, for some browsers are there only once they are closed
            threading.Thread(target=webbrowser.open, args=[url], daemon=True).start()

    serve(Options(model, port=port, runtime=runtime, drain=0.0, scope=scope), listening)


def _has_windows() -> bool:
    """Say whether a browser can open here that is not one of the terminal, which is in use."""
    named = any(os.environ.get(name) for name in ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY"))
    return named or sys.platform in ("win32", "darwin")
