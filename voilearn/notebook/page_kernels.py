"""End a page's kernel when its page is gone without a goodbye, long before it would be culled.

In come the connections that the server notices; out goes the end of a kernel that a page was
connected to and none is any more. Not every browser lets a page say goodbye (Firefox does not
always, as a tab is closed), and none does whose machine or network is gone.
"""

import asyncio
from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from traitlets import Float

BY_VOILA = "VOILA_PREHEAT"  # in the environment of each kernel that Voilà starts, and of no other


class PageKernels(AsyncMappingKernelManager):
    """Jupyter's kernels, of which those that Voilà started for a page end with it."""

    gone_after = Float(
        120, config=True, help="seconds without a connection, after which a page's kernel is ended"
    )

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)  # type: ignore[no-untyped-call]
        self._of_pages: set[str] = set()
        self._leaving: dict[str, asyncio.Task[None]] = {}  # by the kernel that waits for its page

    async def start_kernel(self, **options: Any) -> str:  # type: ignore[override]  # an attribute
        """Start a kernel; return its id."""
        kernel_id: str = await super().start_kernel(**options)
        if BY_VOILA in (options.get("env") or {}):
            self._of_pages.add(kernel_id)
        return kernel_id

    def remove_kernel(self, kernel_id: str) -> Any:
        """Forget a kernel that has ended."""
        self._of_pages.discard(kernel_id)
        return super().remove_kernel(kernel_id)

    def notify_connect(self, kernel_id: str) -> None:
        """Notice a connection."""
        super().notify_connect(kernel_id)  # type: ignore[no-untyped-call]
        if waiting := self._leaving.pop(kernel_id, None):
            waiting.cancel()

    def notify_disconnect(self, kernel_id: str) -> None:
        """Notice that a connection is gone."""
        super().notify_disconnect(kernel_id)  # type: ignore[no-untyped-call]
        alone = not self._kernel_connections.get(kernel_id)
        if alone and kernel_id in self._of_pages and kernel_id not in self._leaving:
            self._leaving[kernel_id] = asyncio.ensure_future(self._end(kernel_id))

    async def _end(self, kernel_id: str) -> None:
        await asyncio.sleep(self.gone_after)
        self._leaving.pop(kernel_id, None)
        if kernel_id in self:
            self.log.info("The page of kernel %s is gone.", kernel_id)
            await self.shutdown_kernel(kernel_id)  # type: ignore[no-untyped-call]
