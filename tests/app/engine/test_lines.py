"""Tests whose turn it is: the shares of both lines and of the owners in them, with times that the test sets."""

import math
from collections import Counter

import pytest

from app.engine.deadline import Deadline
from app.engine.lines import Line, Lines
from app.engine.pace import Pace
from app.engine.submission import Submission
from models.query import DeadlineExceeded, Task
from tests.app.doubling import Doubling, asking


def waiting(owner: str = "", *, gradients: bool = False) -> Submission:
    submission = Submission(asking(10, gradients=gradients), Doubling(), None, Deadline(math.inf), Pace("task", owner))
    submission.advance()
    return submission


def expired(owner: str = "") -> Submission:
    """A task that verifies its result after its deadline."""

    def verifying() -> Task[list[float]]:
        try:
            return (yield from asking())
        except DeadlineExceeded:
            return (yield from asking())

    submission = Submission(verifying(), Doubling(), None, math.inf, Pace("task", owner))
    submission.advance()
    submission.expire()
    return submission


@pytest.mark.parametrize(("look_s", "other_s"), [(1.0, 1.0), (0.01, 0.5), (0.3, 0.02)])
def test_both_lines_get_their_shares_of_the_time(look_s: float, other_s: float) -> None:
    """Three fifths for first looks and two for all others, whatever a batch of each takes."""
    lines, spent = Lines(), Counter[str]()
    lines.add(waiting())
    lines.add(waiting(gradients=True))
    for _ in range(5000):
        line = lines.next()
        assert line is not None
        name, seconds = ("looks", look_s) if line is lines.looks else ("others", other_s)
        line.charge({"": seconds})
        spent[name] += seconds  # type: ignore[assignment]
    assert spent["looks"] / (spent["looks"] + spent["others"]) == pytest.approx(3 / 5, abs=0.01)


@pytest.mark.parametrize("first", ["looks", "others"])
def test_a_line_where_nobody_waited_has_saved_up_no_time(first: str) -> None:
    """One kind had the network for an hour and has gone; then both come, and get their shares from the beginning."""
    lines = Lines()
    tasks = {"looks": waiting(), "others": waiting(gradients=True)}
    lines.add(tasks[first])
    for _ in range(3600):
        line = lines.next()
        assert line is not None
        line.charge({"": 1.0})
    getattr(lines, first).remove(tasks[first])
    lines.add(tasks["others" if first == "looks" else "looks"])
    lines.add(tasks[first])
    turns = Counter[bool]()
    for _ in range(30):
        line = lines.next()
        assert line is not None
        turns[line is lines.looks] += 1
        line.charge({"": 1.0})
    assert turns[True] == pytest.approx(18, abs=2)


def test_the_only_task_of_its_kind_keeps_its_share() -> None:
    """It is taken out of its line for each answer; a batch of looks takes six times as long as one of its own."""
    lines, attack, spent = Lines(), waiting(gradients=True), Counter[str]()
    lines.add(waiting())
    lines.add(attack)
    for _ in range(3000):
        line = lines.next()
        if line is lines.looks:
            line.charge({"": 0.06})
            spent["looks"] += 60
        else:
            lines.others.remove(attack)
            lines.add(attack, lines.others)
            lines.others.charge({"": 0.01})
            spent["others"] += 10
    assert spent["others"] / (spent["looks"] + spent["others"]) == pytest.approx(2 / 5, abs=0.01)


def test_an_empty_line_has_no_turn() -> None:
    lines = Lines()
    assert lines.next() is None
    attack = waiting(gradients=True)
    lines.add(attack)
    assert lines.next() is lines.others
    lines.others.remove(attack)
    assert lines.next() is None


def test_owners_get_equal_shares_however_many_tasks_they_have() -> None:
    """One owner has twenty tasks in the line, the other one; each batch answers one task and takes a second."""
    line, turns = Line(1.0), Counter[str]()
    for _ in range(20):
        line.append(waiting("many"))
    line.append(waiting("one"))
    for _ in range(100):
        first = next(iter(line.in_turn()))
        turns[first.pace.owner] += 1
        line.charge({first.pace.owner: 1.0})
        line.remove(first)
        line.append(first)
    assert turns == {"many": 50, "one": 50}


def test_a_new_owner_begins_level_with_the_others() -> None:
    line = Line(1.0)
    old = waiting("old")
    line.append(old)
    for _ in range(30):
        line.charge({"old": 1.0})
    line.append(waiting("new"))
    owners = []
    for _ in range(6):
        first = next(iter(line.in_turn()))
        owners.append(first.pace.owner)
        line.charge({first.pace.owner: 1.0})
    assert Counter(owners) == {"old": 3, "new": 3}


def test_tasks_of_one_owner_are_answered_in_the_order_in_which_they_came() -> None:
    line, tasks = Line(1.0), [waiting("a"), waiting("b"), waiting("a"), waiting("b")]
    for task in tasks:
        line.append(task)
    line.charge({"a": 1.0})
    assert list(line.in_turn()) == [tasks[1], tasks[3], tasks[0], tasks[2]]
    for task in (tasks[1], tasks[3]):
        line.remove(task)
    line.forget_owners()
    assert list(line.in_turn()) == [tasks[0], tasks[2]] and line.last is tasks[2] and len(line) == 2


def test_a_task_whose_deadline_has_passed_goes_first_in_every_second_turn() -> None:
    line, early, late = Line(1.0), waiting(), expired()
    line.append(early)
    line.append(late)
    assert [next(iter(line.in_turn())) for _ in range(4)] == [late, early, late, early]


def test_a_deadline_that_has_passed_takes_no_turn_from_another_owner() -> None:
    line, other, late = Line(1.0), waiting("behind"), expired("had more")
    line.append(late)
    line.append(other)
    line.charge({"had more": 1.0})
    assert [next(iter(line.in_turn())) for _ in range(2)] == [other, other]
