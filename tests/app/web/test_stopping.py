"""Tests waiting for a body when the service stops."""

import asyncio
import time

import pytest

from app.web.stopping import Stopping


@pytest.mark.anyio
async def test_refusing_bodies_ends_all_waits() -> None:
    """Those under way and those that begin later, long before their own time is up."""
    stopping, begun = Stopping(), time.monotonic()

    async def wait() -> None:
        async with stopping.waiting_for_body(1000):
            await asyncio.sleep(1000)

    waits = [asyncio.create_task(wait()) for _ in range(2)]
    await asyncio.sleep(0.01)
    stopping.refuse_bodies()
    assert stopping.is_draining
    waits.append(asyncio.create_task(wait()))
    for outcome in await asyncio.gather(*waits, return_exceptions=True):
        assert isinstance(outcome, TimeoutError)
    assert time.monotonic() - begun < 500


@pytest.mark.anyio
async def test_a_body_that_has_arrived_is_received_all_the_same() -> None:
    stopping = Stopping()
    stopping.refuse_bodies()
    async with stopping.waiting_for_body(1000):
        received = "all of it"
    assert received == "all of it"
