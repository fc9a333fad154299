"""Tests how many tasks the engine admits, which it refuses, and what happens when it closes."""

import threading

import pytest

from app.engine.admission import Overloaded, ShuttingDown
from app.engine.engine import Engine
from tests.app.doubling import Doubling, asking


@pytest.fixture
def network() -> Doubling:
    return Doubling()


def test_a_full_engine_refuses_at_once_and_says_when_to_retry(network: Doubling) -> None:
    engine = Engine(max_tasks=3)
    network.may_answer.clear()
    futures = [engine.submit(asking(), network) for _ in range(3)]
    with pytest.raises(Overloaded) as error:
        engine.submit(asking(), network)
    assert error.value.retry_after_s >= 1
    assert engine.counters.refused == 1
    network.may_answer.set()
    for future in futures:
        future.result(30)
    assert engine.submit(asking(), network).result(30) == [2.0]
    engine.close(timeout_s=30)


def test_a_sequel_is_admitted_to_a_full_engine(network: Doubling) -> None:
    """A closed engine does not admit it."""
    engine = Engine(max_tasks=1, max_weight=10)
    network.may_answer.clear()
    first = engine.submit(asking(), network, weight=8)
    second = engine.submit(asking(value=3.0), network, weight=8, sequel=True)
    with pytest.raises(Overloaded):
        engine.submit(asking(), network)
    network.may_answer.set()
    assert (first.result(30), second.result(30)) == ([2.0], [6.0])
    engine.close(timeout_s=30)
    with pytest.raises(ShuttingDown):
        engine.submit(asking(), network, sequel=True)


def test_tasks_are_refused_when_their_weights_exceed_the_limit(network: Doubling) -> None:
    """Beside a task of weight 50, which was admitted alone, a task of weight 5 does not fit into 8."""
    engine = Engine(max_weight=8)
    network.may_answer.clear()
    heavy = engine.submit(asking(), network, weight=50)
    with pytest.raises(Overloaded):
        engine.submit(asking(), network, weight=5)
    network.may_answer.set()
    heavy.result(30)
    assert engine.submit(asking(), network, weight=5).result(30) == [2.0]
    engine.close(timeout_s=30)


def test_a_task_without_weight_is_always_admitted(network: Doubling) -> None:
    engine = Engine(max_weight=10)
    network.may_answer.clear()
    heavy = engine.submit(asking(), network, weight=11)
    engine.check_room()
    light = engine.submit(asking(value=3.0), network)
    for submit_weighted in (lambda: engine.submit(asking(), network, weight=1), lambda: engine.check_room(1)):
        with pytest.raises(Overloaded):
            submit_weighted()
    network.may_answer.set()
    assert (heavy.result(30), light.result(30)) == ([2.0], [6.0])
    engine.close(timeout_s=30)


def test_closing_finishes_running_tasks_and_admits_no_new_ones(network: Doubling) -> None:
    engine = Engine()
    network.may_answer.clear()
    future = engine.submit(asking(3), network)
    threading.Timer(0.05, network.may_answer.set).start()
    engine.close(timeout_s=30)
    assert future.result(0) == [2.0] * 3
    with pytest.raises(ShuttingDown):
        engine.submit(asking(), network)
