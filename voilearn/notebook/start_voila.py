"""Start Voilà on a notebook, and say in one line where its page is: `make page`.

In come the options of `voila`; out go the address, and whatever goes wrong. What Voilà and its
libraries tell of their own workings stays out, and is there with `--Voila.log_level=INFO`.
"""

import logging
import webbrowser
from typing import Any

import tornado.ioloop
import traitlets
from voila.app import Voila

from voilearn.notebook.page_kernels import PageKernels
from voilearn.notebook.server_log import name_cause


class Voilearn(Voila):  # type: ignore[misc]  # Voilà has no types
    """Voilà, which tells of its page and of errors, and of nothing else."""

    @traitlets.default("log_level")
    def _tell_what_goes_wrong(self) -> int:
        return logging.WARNING

    def initialize(self, argv: list[str] | None = None) -> None:
        """Read options and settings."""
        for log in (self.log, logging.getLogger("tornado.general")):
            log.addFilter(_is_news)
        self.log.addFilter(name_cause)
        super().initialize(argv)
        self.voila_configuration.multi_kernel_manager_class = PageKernels
        self._asked_for = self.port

    def listen(self) -> None:
        """Listen until the end, and say where as soon as it does."""
        tornado.ioloop.IOLoop.current().add_callback(self._say_address)
        super().listen()

    def _say_address(self) -> None:
        moved = self.port != self._asked_for
        taken = f" (port {self._asked_for} is taken)" if moved else ""
        print(f"The page is at {self.display_url}{taken}", flush=True)

    def launch_browser(self) -> None:
        """Open the page, if there is a browser; where there is none, its address is told anyway."""
        if self.browser or _has_browser():
            super().launch_browser()


def _is_news(record: logging.LogRecord) -> bool:
    """Leave out what is of no account, and nobody can change.

    Voilà makes a notebook's outputs anew, trusted or not; and Jupyter counts the pings of its
    websockets in milliseconds, which Tornado takes for seconds and makes fewer.
    """
    told = str(record.msg)
    return told != "Notebook %s is not trusted" and not told.startswith(
        "The websocket_ping_timeout"
    )


def _has_browser() -> bool:
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True


def main(arguments: Any = None) -> None:
    """Run until it is interrupted."""
    Voilearn.launch_instance(arguments)


if __name__ == "__main__":
    main()
