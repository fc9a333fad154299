"""Tests when the first looks of new tasks, such as classifications, are answered."""

from concurrent.futures import Future

import pytest
import torch

from app.engine.engine import Engine
from models.pass_times import PassTimes
from models.query import Query
from tests.app.doubling import Doubling, asking, hold, rows
from tests.app.live_service import eventually


@pytest.fixture
def network() -> Doubling:
    return Doubling()


def test_a_first_look_goes_before_the_later_looks_of_others(engine: Engine, network: Doubling) -> None:
    """Thirty searches ask for logits again and again; a classification is in the batch after the one that runs."""
    hold(engine, network)
    searches = [engine.submit(asking(40, rows=8), network) for _ in range(30)]
    network.may_answer.set()
    eventually(lambda: len(network.batches) > 60)
    network.may_answer.clear()
    running = len(network.batches)
    future = engine.submit(asking(value=7.0), network)
    network.may_answer.set()
    assert future.result(30) == [14.0]
    (number,) = (number for number, batch in enumerate(network.batches) if batch[0].pixels.max() == 7)
    assert number <= running + 1
    for search in searches:
        search.cancel()


def test_first_looks_that_come_meanwhile_fill_up_the_last_batch(engine: Engine) -> None:
    """Ten wait, and five more come during the batch of the first eight: these share the batch of the other two."""
    futures: list[Future[list[float]]] = []

    def submit_more(queries: list[Query]) -> None:
        if rows(queries) == 8:
            futures.extend(engine.submit(asking(), network) for _ in range(5))

    network = Doubling(fails=submit_more)
    hold(engine, network)
    futures.extend(engine.submit(asking(), network) for _ in range(10))
    network.may_answer.set()
    eventually(lambda: len(futures) == 15)
    assert [future.result(30) for future in futures] == [[2.0]] * 15
    assert [rows(batch) for batch in network.batches[1:]] == [8, 7]


def test_first_looks_that_keep_coming_do_not_hold_up_others(engine: Engine) -> None:
    """During each batch of first looks another one comes; an attack has its step after each of them all the same."""
    looks: list[Future[list[float]]] = []

    def submit_another(queries: list[Query]) -> None:
        if queries[0].objective is None and not attack.done():
            looks.append(engine.submit(asking(), network))

    network = Doubling(fails=submit_another)
    network.may_answer.clear()
    attack = engine.submit(asking(5, gradients=True), network)
    looks.append(engine.submit(asking(), network))
    network.may_answer.set()
    assert attack.result(30) == [2.0] * 5
    for look in looks:
        look.result(30)
    kinds = ["gradients" if batch[0].objective else "logits" for batch in network.batches]
    assert kinds[kinds.index("gradients") :][:9] == ["gradients", "logits"] * 4 + ["gradients"]


class Slow(Doubling):
    """A network of which a second per row is expected."""

    def __init__(self) -> None:
        super().__init__()
        self.pass_times = PassTimes(torch.device("cpu"))
        self.pass_times.forward.measure(lambda rows: float(rows), 1)


def test_first_looks_that_leave_are_not_waited_for_any_more(engine: Engine) -> None:
    """Otherwise an engine without tasks would refuse new ones whose deadline is sooner than the work ahead."""
    network = Slow()
    hold(engine, network)
    looks = [engine.submit(asking(), network) for _ in range(20)]
    for look in looks:
        look.cancel()
    network.may_answer.set()
    eventually(lambda: engine.alive == 0)
    eventually(lambda: engine.admission.ahead_s == 0)
    assert engine.submit(asking(), network, deadline_s=5.0).result(30) == [2.0]
