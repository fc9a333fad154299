"""The delay of wrong keys, with a clock that only the test moves."""

import asyncio
import math

import pytest

from app.keys import wrong_keys
from app.keys.wrong_keys import TooManyWrongKeys, WrongKeys
from tests.clock import Clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("app.keys.wrong_keys.time", clock)
    return clock


def test_each_answer_takes_twice_as_long_as_the_one_before(clock: Clock) -> None:
    """0.1 s doubled up to 5 s; the client asks again as soon as it has its answer."""
    wrong, delays = WrongKeys(), []
    for _ in range(9):
        delays.append(wrong.seconds("192.0.2.1"))
        clock.now += delays[-1]
    assert delays == pytest.approx([0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5, 5, 5])


def test_asking_in_parallel_is_no_faster(clock: Clock) -> None:
    """The delays add up: 0.1, 0.1 + 0.2, ... The seventh would wait for 11.3 s, more than ten, and is refused."""
    wrong = WrongKeys()
    assert [wrong.seconds("192.0.2.1") for _ in range(6)] == pytest.approx([0.1, 0.3, 0.7, 1.5, 3.1, 6.3])
    for _ in range(20):
        with pytest.raises(TooManyWrongKeys, match="the API key is not valid, and too many others") as refused:
            wrong.seconds("192.0.2.1")
        assert refused.value.retry_after_s == pytest.approx(6.3)
    clock.now += math.ceil(refused.value.retry_after_s)
    assert wrong.seconds("192.0.2.1") == pytest.approx(5)


def test_a_client_that_was_quiet_for_a_minute_begins_anew(clock: Clock) -> None:
    wrong = WrongKeys()
    for _ in range(3):
        clock.now += wrong.seconds("192.0.2.1")
    clock.now += 59
    assert wrong.seconds("192.0.2.1") == pytest.approx(0.8)
    clock.now += 0.8 + 61
    assert wrong.seconds("192.0.2.1") == pytest.approx(0.1)


def test_other_clients_are_not_delayed_more(clock: Clock) -> None:
    wrong = WrongKeys()
    for _ in range(5):
        wrong.seconds("192.0.2.1")
    assert wrong.seconds("192.0.2.2") == pytest.approx(0.1)


def test_addresses_of_one_ipv6_network_are_one_client(clock: Clock) -> None:
    wrong = WrongKeys()
    delays = [wrong.seconds(f"2001:db8::{number:x}") for number in range(4)]
    assert delays == pytest.approx([0.1, 0.3, 0.7, 1.5])


def test_the_memory_is_bounded_and_the_quietest_client_is_forgotten(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three clients at most: the fourth replaces the one that was quiet for longest, not the first one."""
    monkeypatch.setattr(wrong_keys, "MOST_CLIENTS", 3)
    wrong = WrongKeys()
    for client in ("a", "b", "c", "a", "d"):
        wrong.seconds(client)
        clock.now += 1
    assert wrong.seconds("a") == pytest.approx(0.4)
    assert wrong.seconds("b") == pytest.approx(0.1)


def test_only_so_many_answers_wait_at_once(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of five clients two wait, and three are refused at once; when the two have their answers, there is room again."""
    monkeypatch.setattr(wrong_keys, "MOST_WAITING", 2)

    async def wait_and_count() -> list[object]:
        wrong = WrongKeys()
        first: list[object] = await asyncio.gather(*map(wrong.delay, "abcde"), return_exceptions=True)
        await wrong.delay("f")
        return first

    results = asyncio.run(wait_and_count())
    assert results[:2] == [None, None]
    assert [type(result) for result in results[2:]] == [TooManyWrongKeys] * 3
    assert all(isinstance(error, TooManyWrongKeys) and error.retry_after_s >= 1 for error in results[2:])
