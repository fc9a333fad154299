"""Tests of which threads compute in parallel: the engine's, and none beside it."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

from app.engine.engine import Engine
from app.engine.threads import compute_alone, compute_in_parallel
from models.query import Answer, Query, Task
from tests.app.live_service import serve


@pytest.fixture
def three_threads() -> Iterator[None]:
    """PyTorch as on a machine of three cores; other tests compute on one."""
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


def on_another_thread(work: Callable[[], object]) -> int:
    """The number of CPU threads that a new thread computes on after `work`."""
    counts: list[int] = []

    def run() -> None:
        work()
        counts.append(torch.get_num_threads())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return counts[0]


class Threads:
    """A network of which only the number of CPU threads is of interest."""

    def answer(self, queries: list[Query]) -> list[Answer]:
        """That number in the place of logits."""
        return [Answer(torch.tensor([[float(torch.get_num_threads())]])) for _ in queries]


def look() -> Task[float]:
    """One look at the network."""
    answer = yield Query(torch.zeros(1, 3, 2, 2))
    assert isinstance(answer, Answer)
    return float(answer.logits)


@pytest.mark.usefixtures("three_threads")
def test_one_thread_computes_in_parallel_and_later_ones_alone() -> None:
    assert on_another_thread(lambda: None) == 3
    assert on_another_thread(lambda: compute_in_parallel(2)) == 2
    assert on_another_thread(lambda: None) == 1
    assert torch.get_num_threads() == 3, "a thread that has computed before keeps its number"


@pytest.mark.usefixtures("three_threads")
def test_a_thread_can_compute_alone() -> None:
    assert on_another_thread(compute_alone) == 1
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_an_engine_computes_on_the_threads_that_it_is_given() -> None:
    for threads, expected in ((2, 2), (None, 3)):
        engine = Engine(threads=threads)
        assert engine.submit(look(), Threads()).result(10) == expected
        engine.close()


@pytest.mark.usefixtures("three_threads")
def test_in_a_service_only_the_engine_computes_in_parallel(checkpoints: Path) -> None:
    with serve(checkpoints=checkpoints) as live:
        assert live.service.engine.submit(look(), Threads()).result(10) == 3
        assert on_another_thread(lambda: None) == 1
    assert on_another_thread(lambda: None) == 3, "a service that has ended leaves no trace"
