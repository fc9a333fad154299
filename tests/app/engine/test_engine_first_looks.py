"""Tests when the first looks of new tasks, such as classifications, are answered."""

import time
from concurrent.futures import Future
from itertools import pairwise

import pytest
import torch

from app.engine.engine import Engine
from app.engine.pace import Pace
from models.pass_times import BatchTimes, PassTimes
from models.query import Query
from tests.app.doubling import Doubling, asking, hold, rows
from tests.app.live_service import eventually
from tests.clock import Ticking


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


def test_first_looks_that_keep_coming_do_not_hold_up_others(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """During each batch of first looks another one comes; every fourth batch at the latest is the attack's."""
    monkeypatch.setattr("app.engine.driver.time", Ticking())
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
    steps = [number for number, kind in enumerate(kinds) if kind == "gradients"]
    assert len(steps) == 5 and max(after - before for before, after in pairwise(steps)) <= 4
    assert "logits" in kinds[steps[0] : steps[-1]]


class Slow(Doubling):
    """A network of which a second per row is expected."""

    def __init__(self) -> None:
        super().__init__()
        self.pass_times = PassTimes(torch.device("cpu"))
        self.pass_times.forward.measure(lambda rows: float(rows), 1)


class Known(BatchTimes):
    """Times that are known for good: so many rows pay off, and a row takes so long."""

    row_seconds = 0.0
    knee = fill = 0

    def __init__(self, rows: int, row_seconds: float) -> None:
        super().__init__()
        self.knee = self.fill = rows
        self.row_seconds = row_seconds


def paying_off(rows: int, row_seconds: float) -> Doubling:
    network = Slow()
    network.pass_times.forward = Known(rows, row_seconds)
    return network


@pytest.mark.parametrize("arrivals", [[4, 4], [6, 4, 2]])
def test_clients_that_come_back_share_a_batch_again(
    engine: Engine, arrivals: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """They come back one after the other, yet no batch begins before as many are there as pay off."""
    monkeypatch.setattr("app.engine.driver.MOST_WAIT_S", 30.0)
    network = paying_off(4, 30.0)
    hold(engine, network)
    futures = [engine.submit(asking(), network) for _ in range(arrivals[0])]
    network.may_answer.set()
    for wave, more in enumerate(arrivals[1:], 1):
        assert [future.result(30) for future in futures[: 4 * wave]] == [[2.0]] * 4 * wave
        for _ in range(more):
            time.sleep(0.02)
            futures.append(engine.submit(asking(), network))
    assert [future.result(30) for future in futures] == [[2.0]] * sum(arrivals)
    assert [rows(batch) for batch in network.batches] == [1] + [4] * (sum(arrivals) // 4)


def test_eight_do_not_wait_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve were answered together; when eight are back, the others' pictures are decoded during their pass."""
    monkeypatch.setattr("app.engine.driver.MOST_WAIT_S", 30.0)
    engine, network = Engine(max_rows=32), paying_off(32, 30.0)
    hold(engine, network)
    first_time = [engine.submit(asking(), network) for _ in range(12)]
    network.may_answer.set()
    assert [future.result(30) for future in first_time] == [[2.0]] * 12
    second_time = []
    for _ in range(8):
        time.sleep(0.01)
        second_time.append(engine.submit(asking(), network))
    assert [future.result(20) for future in second_time] == [[2.0]] * 8
    engine.close()
    assert [rows(batch) for batch in network.batches] == [1, 12, 8]


def being_decoded(engine: Engine) -> Pace:
    """The place of a classification that was admitted, and whose picture has not been decoded yet."""
    place = Pace("classify", quick=True)
    engine.admission.admit(place)
    return place


def test_pictures_that_are_being_decoded_share_the_batch(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.engine.driver.MOST_WAIT_S", 30.0)
    network = paying_off(4, 30.0)
    places = [being_decoded(engine) for _ in range(3)]
    futures = []
    for place in places:
        futures.append(engine.submit(asking(), network, place=place))
        time.sleep(0.02)
    assert [future.result(20) for future in futures] == [[2.0]] * 3
    assert [rows(batch) for batch in network.batches] == [3]


def test_a_picture_that_takes_long_to_decode_is_waited_for_once(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It comes in the end; with a wait of a minute for it, none of the others would be answered in time."""
    network = paying_off(4, 0.01)
    slow = being_decoded(engine)
    assert engine.submit(asking(), network, place=being_decoded(engine)).result(30) == [2.0]
    monkeypatch.setattr("app.engine.driver.MOST_WAIT_S", 60.0)
    network.pass_times.forward.row_seconds = 60.0  # type: ignore[misc]
    for _ in range(3):
        assert engine.submit(asking(), network, place=being_decoded(engine)).result(30) == [2.0]
    assert engine.submit(asking(), network, place=slow).result(30) == [2.0]
    assert [rows(batch) for batch in network.batches] == [1] * 5


def test_one_that_does_not_come_back_is_not_waited_for_long(engine: Engine) -> None:
    network = paying_off(4, 0.01)
    hold(engine, network)
    for future in [engine.submit(asking(), network) for _ in range(3)]:
        network.may_answer.set()
        future.result(30)
    assert engine.submit(asking(), network).result(30) == [2.0]
    assert engine.submit(asking(), network).result(30) == [2.0]
    assert [rows(batch) for batch in network.batches] == [1, 3, 1, 1]


def test_nobody_is_waited_for_beside_other_tasks(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour would be waited for each; the attack goes on all the same, and the classification with it."""
    monkeypatch.setattr("app.engine.driver.MOST_WAIT_S", 3600.0)
    network = paying_off(4, 3600.0)
    hold(engine, network)
    looks = [engine.submit(asking(), network) for _ in range(3)]
    attack = engine.submit(asking(1000, gradients=True), network)
    network.may_answer.set()
    assert [look.result(30) for look in looks] == [[2.0]] * 3
    assert engine.submit(asking(), network).result(30) == [2.0]
    attack.cancel()


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
