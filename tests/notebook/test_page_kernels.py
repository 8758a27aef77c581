"""Kernels whose page is gone without a goodbye end; all others stay."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.waiting import WITHIN

pytest.importorskip("jupyter_server")
from voilearn.notebook.page_kernels import BY_VOILA, PageKernels

GONE_AFTER = 0.2
OF_A_PAGE = {**os.environ, BY_VOILA: "False"}
pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    """Jupyter's event loop."""
    return "asyncio"


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


async def test_a_page_that_is_gone_takes_its_kernel_along() -> None:
    async with connected(OF_A_PAGE) as (kernels, kernel), asyncio.timeout(WITHIN):
        kernels.notify_disconnect(kernel)
        while kernel in kernels:
            await asyncio.sleep(0.05)


async def test_a_page_that_comes_back_finds_its_kernel() -> None:
    async with connected(OF_A_PAGE) as (kernels, kernel):
        kernels.notify_disconnect(kernel)
        kernels.notify_connect(kernel)
        await asyncio.sleep(3 * GONE_AFTER)
        assert kernel in kernels


async def test_a_second_window_keeps_the_kernel() -> None:
    async with connected(OF_A_PAGE) as (kernels, kernel):
        kernels.notify_connect(kernel)
        kernels.notify_disconnect(kernel)
        await asyncio.sleep(3 * GONE_AFTER)
        assert kernel in kernels


async def test_a_notebook_s_kernel_is_left_alone() -> None:
    async with connected(dict(os.environ)) as (kernels, kernel):
        kernels.notify_disconnect(kernel)
        await asyncio.sleep(3 * GONE_AFTER)
        assert kernel in kernels


async def test_one_that_has_ended_meanwhile_is_no_error() -> None:
    async with connected(OF_A_PAGE) as (kernels, kernel):
        kernels.notify_disconnect(kernel)
        await kernels.shutdown_kernel(kernel)
        await asyncio.sleep(3 * GONE_AFTER)
