"""Tests that pictures are decoded in the order in which they came, and never with more pixels than the budget."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.web.pixel_budget import PixelBudget

SOON_S = 30.0
"""Seconds after which a thread that should go on has failed to; it usually takes milliseconds."""


class Decoder(threading.Thread):
    """A thread that takes `pixels` of a budget, appends its name to `order`, and holds them until it is told to end."""

    def __init__(self, budget: PixelBudget, name: str, pixels: int, order: list[str]) -> None:
        super().__init__(name=name, daemon=True)
        self.budget, self.pixels, self.order = budget, pixels, order
        self.decoding, self.may_end = threading.Event(), threading.Event()
        self.start()

    def run(self) -> None:
        with self.budget.lease() as lease:
            lease.take(self.pixels)
            self.order.append(self.name)
            self.decoding.set()
            self.may_end.wait(SOON_S)

    def end(self) -> None:
        self.may_end.set()
        self.join(SOON_S)


def until_waiting(budget: PixelBudget, count: int) -> None:
    """Wait until `count` threads stand in the budget's line."""
    with budget._changed:
        assert budget._changed.wait_for(lambda: len(budget._line) == count, SOON_S)


def test_a_small_picture_waits_behind_a_large_one_that_came_first() -> None:
    budget, order = PixelBudget(100), list[str]()
    first = Decoder(budget, "first", 60, order)
    assert first.decoding.wait(SOON_S)
    large = Decoder(budget, "large", 50, order)
    until_waiting(budget, 1)
    small = Decoder(budget, "small", 10, order)  # it has room, and would go first if the order were not kept
    until_waiting(budget, 2)
    assert order == ["first"] and budget.in_flight == 60
    first.end()
    assert large.decoding.wait(SOON_S) and small.decoding.wait(SOON_S)
    assert order == ["first", "large", "small"] and budget.in_flight == 60
    large.end()
    small.end()
    assert budget.in_flight == 0


def test_a_picture_larger_than_the_budget_is_decoded_alone() -> None:
    budget, order = PixelBudget(100), list[str]()
    small = Decoder(budget, "small", 1, order)
    assert small.decoding.wait(SOON_S)
    huge = Decoder(budget, "huge", 1000, order)
    until_waiting(budget, 1)
    later = Decoder(budget, "later", 1, order)
    until_waiting(budget, 2)
    small.end()
    assert huge.decoding.wait(SOON_S)
    until_waiting(budget, 1)
    assert order == ["small", "huge"] and budget.in_flight == 1000
    huge.end()
    assert later.decoding.wait(SOON_S)
    later.end()


def test_an_error_frees_the_pixels() -> None:
    budget = PixelBudget(100)
    with pytest.raises(OSError), budget.lease() as lease:
        lease.take(100)
        raise OSError
    with budget.lease() as lease:
        lease.take(100)
    with budget.lease():
        pass  # the header was broken: nothing was taken
    assert budget.in_flight == 0


def test_many_threads_never_have_more_than_the_budget() -> None:
    budget, sizes, most = PixelBudget(100), random.Random(0), list[int]()

    def decode(pixels: int) -> None:
        with budget.lease() as lease:
            lease.take(pixels)
            most.append(budget.in_flight)

    with ThreadPoolExecutor(16) as pool:
        list(pool.map(decode, [sizes.randint(1, 100) for _ in range(500)]))
    assert len(most) == 500 and max(most) <= 100
    assert budget.in_flight == 0
