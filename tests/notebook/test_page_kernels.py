"""Kernels whose page is gone without a goodbye end; all others stay."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import pytest

from tests.waiting import WITHIN, returned

pytest.importorskip("jupyter_server")
from voilearn.notebook.page_kernels import BY_VOILA, PageKernels

GONE_AFTER = 0.2
OF_A_PAGE = {**os.environ, BY_VOILA: "False"}


def in_a_loop(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test in an event loop, as Jupyter has one."""

    @wraps(test)
    def run() -> None:
        returned(test())

    return run


@asynccontextmanager
async def connected(environment: dict[str, str] | None) -> AsyncIterator[tuple[PageKernels, str]]:
    """A kernel, with one connection."""
    kernels = PageKernels(gone_after=GONE_AFTER)
    kernel = await kernels.start_kernel(env=environment)
    kernels.notify_connect(kernel)
    try:
        yield kernels, kernel
    finally:
        await kernels.shutdown_all(now=True)


@in_a_loop
async def test_a_page_that_is_gone_takes_its_kernel_along() -> None:
    async with connected(OF_A_PAGE) as (kernels, kernel), asyncio.timeout(WITHIN):
        kernels.notify_disconnect(kernel)
        while kernel in kernels:
            await asyncio.sleep(0.05)


@in_a_loop
async def test_a_page_that_comes_back_finds_its_kernel() -> None:
    async with connected(OF_A_PAGE) as (kernels, kernel):
        kernels.notify_disconnect(kernel)
        kernels.notify_connect(kernel)
        await asyncio.sleep(3 * GONE_AFTER)
        assert kernel in kernels


@in_a_loop
async def test_a_second_window_keeps_the_kernel() -> None:
    async with connected(OF_A_PAGE) as (kernels, kernel):
        kernels.notify_connect(kernel)
        kernels.notify_disconnect(kernel)
        await asyncio.sleep(3 * GONE_AFTER)
        assert kernel in kernels


@in_a_loop
async def test_a_notebook_s_kernel_is_left_alone() -> None:
    async with connected(dict(os.environ)) as (kernels, kernel):
        kernels.notify_disconnect(kernel)
        await asyncio.sleep(3 * GONE_AFTER)
        assert kernel in kernels


@in_a_loop
async def test_one_that_has_ended_meanwhile_is_no_error() -> None:
    async with connected(OF_A_PAGE) as (kernels, kernel):
        kernels.notify_disconnect(kernel)
        await kernels.shutdown_kernel(kernel)
        await asyncio.sleep(3 * GONE_AFTER)
