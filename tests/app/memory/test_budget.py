"""Tests that memory is handed out in the order of the requests, and never more than there is."""

import math
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from app.memory.budget import MemoryBudget, MemoryIsTaken, NeedsTooMuchMemory

SOON_S = 30.0
"""Seconds after which a thread that should go on has failed to; it usually takes milliseconds."""


class Holder(threading.Thread):
    """A thread that reserves `size` bytes, appends its name to `order`, and holds them until it is told to end."""

    def __init__(self, budget: MemoryBudget, name: str, size: int, order: list[str]) -> None:
        super().__init__(name=name, daemon=True)
        self.budget, self.size, self.order = budget, size, order
        self.holding, self.may_end = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with self.budget.reserve(self.size, until=math.inf):
            self.order.append(self.name)
            self.holding.set()
            self.may_end.wait(SOON_S)

    def end(self) -> None:
        self.may_end.set()
        self.join(SOON_S)


def until_waiting(budget: MemoryBudget, count: int) -> None:
    """Wait until `count` threads stand in the budget's line."""
    with budget._changed:
        assert budget._changed.wait_for(lambda: len(budget._line) == count, SOON_S)


def test_a_small_request_waits_behind_a_large_one_that_came_first() -> None:
    budget, order = MemoryBudget(100), list[str]()
    first = Holder(budget, "first", 60, order)
    assert first.holding.wait(SOON_S)
    large = Holder(budget, "large", 50, order)
    until_waiting(budget, 1)
    small = Holder(budget, "small", 10, order)  # it has room, and would go first if the order were not kept
    until_waiting(budget, 2)
    budget.reserve_now(10).release()  # who does not wait stands in no line
    with pytest.raises(MemoryIsTaken):
        budget.reserve_now(41)
    assert order == ["first"] and budget.reserved == 60
    first.end()
    assert large.holding.wait(SOON_S) and small.holding.wait(SOON_S)
    assert order == ["first", "large", "small"] and budget.reserved == 60
    large.end()
    small.end()
    assert budget.reserved == 0


def test_what_can_never_be_free_is_refused_at_once() -> None:
    budget = MemoryBudget(1_000_000_000)
    budget.set_base(600_000_000)
    assert budget.most == 400_000_000
    for ask in (lambda size: budget.reserve(size, until=math.inf), budget.reserve_now):
        with pytest.raises(NeedsTooMuchMemory, match="needs 401 MB of memory, and this service has 400 MB"):
            ask(401_000_000)
        ask(400_000_000).release()
    assert budget.reserved == 0


def test_what_the_request_holds_already_counts() -> None:
    """It would wait for ever for what it holds itself. What others hold does not count: they give it back."""
    budget = MemoryBudget(100_000_000)
    with budget.reserve_now(60_000_000):
        for ask in (
            lambda **held: budget.reserve(41_000_000, until=0, **held),
            partial(budget.reserve_now, 41_000_000),
        ):
            with pytest.raises(NeedsTooMuchMemory, match="needs 101 MB of memory, and this service has 100 MB"):
                ask(held=60_000_000)
            with pytest.raises(NeedsTooMuchMemory, match="needs 91 MB of memory, and this service has 90 MB"):
                ask(held=50_000_000, leave=10_000_000)
            with pytest.raises(MemoryIsTaken):
                ask(held=59_000_000)


def test_who_waits_too_long_is_told_so_and_holds_nothing() -> None:
    budget = MemoryBudget(100)
    held = budget.reserve_now(60)
    with pytest.raises(MemoryIsTaken):
        budget.reserve(50, until=time.monotonic() + 0.01)
    with pytest.raises(MemoryIsTaken):
        budget.reserve_now(50)
    held.release()
    assert budget.reserved == 0
    budget.reserve_now(100).release()


def test_a_reservation_shrinks_and_is_given_back_once() -> None:
    budget = MemoryBudget(100)
    with budget.reserve_now(80) as held:
        held.shrink(30)
        assert (held.size, budget.reserved) == (30, 30)
        held.shrink(50)
        assert budget.reserved == 30, "it does not grow"
        held.release()
        held.release()
        assert budget.reserved == 0
    assert budget.reserved == 0


def test_nothing_is_given_at_once_even_where_others_wait() -> None:
    """A request without a body needs no memory for it."""
    budget, order = MemoryBudget(100), list[str]()
    first = Holder(budget, "first", 100, order)
    assert first.holding.wait(SOON_S)
    second = Holder(budget, "second", 100, order)
    until_waiting(budget, 1)
    assert budget.reserve_now(0).size == 0
    first.end()
    assert second.holding.wait(SOON_S)
    second.end()


def test_an_error_frees_the_memory() -> None:
    budget = MemoryBudget(100)
    with pytest.raises(OSError), budget.reserve_now(100):
        raise OSError
    assert budget.reserved == 0


def test_a_lower_base_lets_those_who_wait_go_on() -> None:
    budget, order = MemoryBudget(100), list[str]()
    budget.set_base(40)
    first = Holder(budget, "first", 50, order)
    assert first.holding.wait(SOON_S)
    second = Holder(budget, "second", 30, order)
    until_waiting(budget, 1)
    budget.set_base(20)
    assert second.holding.wait(SOON_S)
    first.end()
    second.end()


def test_many_threads_never_hold_more_than_there_is() -> None:
    budget, sizes, most = MemoryBudget(100), random.Random(0), list[int]()

    def hold(size: int) -> None:
        with budget.reserve(size, until=math.inf):
            most.append(budget.reserved)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(hold, [sizes.randint(1, 100) for _ in range(500)]))
    assert len(most) == 500 and max(most) <= 100
    assert budget.reserved == 0
