"""When a request is sent again: what the service and the connection said decides."""

import pytest

from mirage.errors import ConnectionLost, NotReached, Overloaded, TimedOut
from mirage.problem import Problem
from mirage.retries import Retries

FULL = Problem("urn:mirage:problem:overloaded", "", 503, "full", "")


def test_a_refusal_is_repeated_when_the_service_said() -> None:
    """3 s and 7 s are 10 s; the next second would be one too many."""
    retries = Retries(retry_s=10, repeatable=False)
    assert retries.after_refusal(Overloaded(FULL, 3)) == 3
    assert retries.after_refusal(Overloaded(FULL, 7)) == 7
    with pytest.raises(Overloaded):
        retries.after_refusal(Overloaded(FULL, 1))


def test_a_refusal_without_a_time_is_for_good() -> None:
    with pytest.raises(Overloaded):
        Retries(retry_s=10, repeatable=True).after_refusal(Overloaded(FULL, None))


def test_a_service_that_was_never_reached_is_not_waited_for() -> None:
    """It is not there, or the address is wrong: the user should hear of that at once."""
    with pytest.raises(NotReached):
        Retries(retry_s=10, repeatable=True).after_no_connection(NotReached("no"), reached=False)


def test_a_service_that_starts_again_is_waited_for_with_growing_pauses() -> None:
    retries = Retries(retry_s=10, repeatable=False)
    pauses = [retries.after_no_connection(NotReached("no"), reached=True) for _ in range(7)]
    assert pauses == [0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
    with pytest.raises(NotReached):
        for _ in range(3):
            retries.after_no_connection(NotReached("no"), reached=True)


@pytest.mark.parametrize("repeatable", [False, True])
def test_a_lost_connection_is_repeated_only_where_that_costs_nothing(repeatable: bool) -> None:
    retries = Retries(retry_s=10, repeatable=repeatable)
    if repeatable:
        assert [retries.after_loss(ConnectionLost("gone")) for _ in range(2)] == [0.1, 0.2]
        with pytest.raises(ConnectionLost):  # what ends a service three times would end it for ever
            retries.after_loss(ConnectionLost("gone"))
    else:
        with pytest.raises(ConnectionLost):
            retries.after_loss(ConnectionLost("gone"))


def test_a_silent_service_is_not_asked_again() -> None:
    """The user has waited for as long as they wanted."""
    with pytest.raises(TimedOut):
        Retries(retry_s=10, repeatable=True).after_loss(TimedOut("nothing came"))


def test_a_service_that_says_zero_is_not_asked_without_a_pause() -> None:
    retries = Retries(retry_s=2, repeatable=True)
    assert [retries.after_refusal(Overloaded(FULL, 0)) for _ in range(4)] == [0.1, 0.2, 0.4, 0.8]
    with pytest.raises(Overloaded):
        retries.after_refusal(Overloaded(FULL, 0))
