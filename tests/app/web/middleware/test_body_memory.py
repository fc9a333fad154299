"""Tests that memory is reserved for bodies as they arrive, and given back."""

import asyncio
from collections.abc import Iterator

import pytest
from starlette.types import Message, Receive, Scope, Send

from app.memory.budget import MemoryBudget, MemoryIsTaken, NeedsTooMuchMemory
from app.memory.costs import BODY
from app.web.middleware.body_memory import PIECE, BodyMemory


async def ignore(message: Message) -> None:
    """Take no notice of what the application sends."""


def messages(sizes: list[int]) -> Receive:
    rest: Iterator[int] = iter(sizes)

    async def receive() -> Message:
        return {"type": "http.request", "body": bytes(next(rest)), "more_body": True}

    return receive


def reserved_after_each(budget: MemoryBudget, sizes: list[int]) -> list[int]:
    """The bytes that are reserved before the first message and after each of them."""
    reserved: list[int] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        reserved.append(budget.reserved)
        for _ in sizes:
            await receive()
            reserved.append(budget.reserved)

    asyncio.run(BodyMemory(app, budget)({"type": "http"}, messages(sizes), ignore))
    return reserved


def test_memory_is_held_for_what_has_arrived_and_given_back() -> None:
    budget = MemoryBudget(100 * BODY * PIECE)
    reserved = reserved_after_each(budget, [0, 1, PIECE - 1, 1, 3 * PIECE])
    assert [size // (BODY * PIECE) for size in reserved] == [0, 0, 1, 1, 2, 5]
    assert budget.reserved == 0


def test_bodies_have_half_of_the_memory() -> None:
    """A third piece would take more than half of five: if others hold the first two, it may be free later."""
    budget = MemoryBudget(5 * BODY * PIECE)
    assert reserved_after_each(budget, [2 * PIECE])[-1] == 2 * BODY * PIECE
    with budget.reserve_now(2 * BODY * PIECE), pytest.raises(MemoryIsTaken):
        reserved_after_each(budget, [PIECE])
    with pytest.raises(NeedsTooMuchMemory):
        reserved_after_each(budget, [PIECE, PIECE, PIECE])
    assert budget.reserved == 0
