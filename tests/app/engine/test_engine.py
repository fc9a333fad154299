"""Tests continuous batching: which queries share a batch, and that every caller gets its result or error."""

import threading
from concurrent.futures import CancelledError

import pytest
import torch

from app.engine.driver import Driver
from app.engine.engine import Engine
from models.pass_times import PassTimes
from models.query import Answer, Progress, Query, Task
from tests.app.doubling import Doubling, asking, hold, rows
from tests.app.live_service import eventually


class Timed(Doubling):
    """A network that carries its pass times, and lets another one answer."""

    def __init__(self, network: Doubling) -> None:
        self.network = network
        self.pass_times = PassTimes(torch.device("cuda"))  # of whose batches so few are timed that none is here

    def answer(self, queries: list[Query]) -> list[Answer]:
        return self.network.answer(queries)


@pytest.fixture
def network() -> Doubling:
    return Doubling()


def test_every_task_gets_its_own_answers(engine: Engine, network: Doubling) -> None:
    """Each of 20 tasks gets twice its own value for all three queries."""
    futures = [engine.submit(asking(3, value=float(value)), network) for value in range(20)]
    assert [future.result(30) for future in futures] == [[2.0 * value] * 3 for value in range(20)]


def test_tasks_share_batches_up_to_the_cap(engine: Engine, network: Doubling) -> None:
    """16 waiting tasks of 5 steps are 80 rows, so with 8 rows per batch there are 10 batches."""
    hold(engine, network)
    futures = [engine.submit(asking(5, gradients=True), network) for _ in range(16)]
    network.may_answer.set()
    for future in futures:
        future.result(30)
    assert [rows(batch) for batch in network.batches[1:]] == [8] * 10
    assert (engine.counters.gradient_batches, engine.counters.gradient_rows) == (10, 80)


def test_batches_are_filled_to_the_knee_and_not_beyond(engine: Engine, network: Doubling) -> None:
    """16 tasks of three steps; up to four rows a batch takes as long as one row, and then no more is gained."""
    timed = Timed(network)
    timed.pass_times.gradients.measure(lambda rows: 0.001 * -(-rows // 4), 8)
    hold(engine, network)
    futures = [engine.submit(asking(3, gradients=True), timed) for _ in range(16)]
    network.may_answer.set()
    for future in futures:
        future.result(30)
    assert [rows(batch) for batch in network.batches[1:]] == [4] * 12


def test_others_are_answered_between_the_parts_of_a_large_query(engine: Engine, network: Doubling) -> None:
    """A query of nine rows is asked in three parts; a classification and another attack come in between."""
    network.may_answer.clear()
    large = engine.submit(asking(rows=9, gradients=True, apart=True), network)
    eventually(lambda: network.batches)
    others = [engine.submit(asking(gradients=True, value=5.0), network), engine.submit(asking(value=7.0), network)]
    network.may_answer.set()
    assert [future.result(30) for future in (large, *others)] == [[2.0], [10.0], [14.0]]
    kinds = [(rows(batch), batch[0].objective is not None) for batch in network.batches]
    assert kinds == [(3, True), (1, False), (3, True), (1, True), (3, True)]


def test_progress_has_an_estimate_of_the_seconds_left(engine: Engine, network: Doubling) -> None:
    """None after the first turns and at the last step; no test asks how many seconds they are."""
    estimates: list[float | None] = []
    engine.submit(asking(8), network, on_progress=lambda progress: estimates.append(progress.eta_s())).result(30)
    assert [estimate is None for estimate in estimates] == [True, True, *[False] * 5, True]


def test_a_query_larger_than_the_cap_is_answered_alone_in_parts(engine: Engine, network: Doubling) -> None:
    hold(engine, network)
    futures = [engine.submit(asking(rows=count), network) for count in (3, 12, 2)]
    network.may_answer.set()
    for future in futures:
        future.result(30)
    assert [[len(query.pixels) for query in batch] for batch in network.batches[1:]] == [[3, 2], [6], [6]]


def test_a_query_for_logits_waits_for_one_gradient_step_at_most(engine: Engine, network: Doubling) -> None:
    """A query submitted during a gradient step is in the next batch, before the 30 attacks that came earlier."""
    network.may_answer.clear()
    attacks = [engine.submit(asking(4, gradients=True), network) for _ in range(30)]
    eventually(lambda: network.batches)
    future = engine.submit(asking(value=7.0), network)
    network.may_answer.set()
    assert future.result(30) == [14.0]
    kinds = ["gradients" if batch[0].objective else "logits" for batch in network.batches]
    assert kinds.index("logits") == 1
    for attack in attacks:
        attack.result(30)


def test_all_tasks_are_answered_once_before_any_is_answered_twice(engine: Engine, network: Doubling) -> None:
    """24 tasks with 8 rows per batch: the first three batches contain every task once."""
    hold(engine, network)
    futures = [engine.submit(asking(2, value=float(value), gradients=True), network) for value in range(1, 25)]
    network.may_answer.set()
    for future in futures:
        future.result(30)
    values = [query.pixels[0, 0, 0, 0].item() for batch in network.batches[1:4] for query in batch]
    assert sorted(values) == [float(value) for value in range(1, 25)]


def test_a_query_marked_apart_is_alone_in_its_batch(engine: Engine, network: Doubling) -> None:
    """Of ten tasks of two steps every third is marked `apart`; it is never with others, and does not wait longer."""
    hold(engine, network)
    tasks = [asking(2, value=float(value), gradients=True, apart=value % 3 == 0) for value in range(10)]
    futures = [engine.submit(task, network) for task in tasks]
    network.may_answer.set()
    assert [future.result(30) for future in futures] == [[2.0 * value] * 2 for value in range(10)]
    batches = [[int(query.pixels[0, 0, 0, 0]) for query in batch] for batch in network.batches[1:]]
    assert sorted(batch for batch in batches if batch[0] % 3 == 0) == [[0], [0], [3], [3], [6], [6], [9], [9]]
    assert not any(value % 3 == 0 for batch in batches if len(batch) > 1 for value in batch)
    first = {value: next(n for n, batch in enumerate(batches) if value in batch) for value in range(10)}
    assert max(first.values()) <= 4, "every task has been answered once before any is answered twice"


def test_queries_to_different_networks_do_not_share_a_batch(engine: Engine, network: Doubling) -> None:
    other_network = Doubling()
    hold(engine, network)
    futures = [engine.submit(asking(value=float(k)), (network, other_network)[k % 2]) for k in range(6)]
    network.may_answer.set()
    assert [future.result(30) for future in futures] == [[2.0 * k] for k in range(6)]
    assert [rows(batch) for batch in other_network.batches] == [3]


def test_a_cancelled_task_ends_within_two_steps(engine: Engine, network: Doubling) -> None:
    """A task cancelled during a step has no further queries answered, and its generator is closed."""
    closed = threading.Event()

    def task() -> Task[None]:
        try:
            yield from asking(1000, value=5.0)
        finally:
            closed.set()

    network.may_answer.clear()
    future = engine.submit(task(), network)
    eventually(lambda: network.batches)
    future.cancel()
    other_future = engine.submit(asking(5), network)
    network.may_answer.set()
    other_future.result(30)
    assert closed.wait(30)
    queries_of_task = [query for batch in network.batches for query in batch if query.pixels[0, 0, 0, 0] == 5.0]
    assert len(queries_of_task) == 1
    assert engine.counters.left == 1
    with pytest.raises(CancelledError):
        future.result()


def test_progress_reaches_the_listener_in_order(engine: Engine, network: Doubling) -> None:
    steps: list[int] = []
    engine.submit(asking(5), network, on_progress=lambda progress: steps.append(progress.step)).result(30)
    assert steps == [1, 2, 3, 4, 5]


def test_a_failing_listener_does_not_affect_its_task(engine: Engine, network: Doubling) -> None:
    def listener(progress: Progress) -> None:
        raise RuntimeError("gone")

    assert engine.submit(asking(3), network, on_progress=listener).result(30) == [2.0] * 3


def test_a_task_that_raises_fails_alone(engine: Engine, network: Doubling) -> None:
    def task() -> Task[None]:
        yield from asking(1)
        raise KeyError("its own fault")

    good = engine.submit(asking(4), network)
    with pytest.raises(KeyError):
        engine.submit(task(), network).result(30)
    assert good.result(30) == [2.0] * 4


def test_a_task_that_yields_something_else_fails_alone(engine: Engine, network: Doubling) -> None:
    """A task that yields None breaks its contract; the task beside it goes on."""

    def broken() -> Task[None]:
        yield from asking(1)
        yield None  # type: ignore[misc]

    hold(engine, network)
    futures = engine.submit(broken(), network), engine.submit(asking(5), network)
    network.may_answer.set()
    with pytest.raises(TypeError, match="not NoneType"):
        futures[0].result(30)
    assert futures[1].result(30) == [2.0] * 5


def test_the_error_of_a_task_out_of_memory_says_what_to_do(engine: Engine, network: Doubling) -> None:
    def task() -> Task[None]:
        yield from asking(1)
        raise torch.OutOfMemoryError("full")

    with pytest.raises(MemoryError, match="send a smaller one"):
        engine.submit(task(), network).result(30)


def test_an_error_while_a_task_is_closed_affects_no_other_task(engine: Engine, network: Doubling) -> None:
    def task() -> Task[None]:
        try:
            yield from asking(10**9)
        finally:
            raise ValueError("at closing")

    future = engine.submit(task(), network)
    other_future = engine.submit(asking(5), network)
    future.cancel()
    assert other_future.result(30) == [2.0] * 5
    eventually(lambda: engine.alive == 0)


def test_an_idle_engine_sleeps(engine: Engine, network: Doubling, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without tasks the loop of the engine does not run at all."""
    engine.submit(asking(), network).result(30)
    eventually(lambda: engine.alive == 0)
    turns: list[bool] = []
    monkeypatch.setattr(Driver, "_drop_cancelled", lambda self, line: turns.append(True))
    threading.Event().wait(0.2)  # a running turn may end first
    turns.clear()
    threading.Event().wait(0.5)
    assert turns == []


def test_nothing_is_left_when_an_engine_has_closed(network: Doubling) -> None:
    """Its thread has ended, and so has the one that watches it."""
    before = set(threading.enumerate())
    engine = Engine()
    assert engine.submit(asking(), network).result(30) == [2.0]
    engine.close(timeout_s=30)
    eventually(lambda: set(threading.enumerate()) <= before)
