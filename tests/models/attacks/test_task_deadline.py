"""Tests the task that POST /adversarial runs at a deadline: it returns a verified result, or raises the error."""

import contextlib

import pytest

from models.attacks.options import ATTACKS
from models.attacks.task import adversarial
from models.classifier import Classifier
from models.classify import classify
from models.query import Answer, DeadlineExceeded, Query
from models.run import run
from tests.conftest import Draw
from tests.models.attacks.attacking import few_steps, run_attack, stop_at


@pytest.mark.parametrize("attack", ATTACKS)
def test_at_the_deadline_the_best_verified_result_is_returned(tiny: Classifier, draw: Draw, attack: str) -> None:
    """Whenever the deadline comes, the report is complete, verified, and no worse than the original.

    The deadline is raised at every yield of the task (or at 40 of them), including those of the last search.
    """
    picture = draw(60, 50)
    before = run(classify(picture, tiny.spec), tiny)[0]
    known_answers: list[Answer | None] = []
    full_task = adversarial(picture, tiny.spec, attack=attack, best_at_deadline=True, **few_steps(attack))
    with contextlib.suppress(StopIteration):
        message = next(full_task)
        while True:
            known_answers.append(tiny.answer([message])[0] if isinstance(message, Query) else None)
            message = full_task.send(known_answers[-1])
    yield_counts = range(2, len(known_answers) + 1)
    for yields in yield_counts if len(yield_counts) < 40 else yield_counts[:: len(yield_counts) // 40]:
        task = adversarial(picture, tiny.spec, attack=attack, best_at_deadline=True, **few_steps(attack))
        result = stop_at(task, tiny, yields, known_answers[: yields - 1])
        assert result.stopped
        assert (result.patch is not None) == (attack == "patch")
        prediction = run(classify(result.picture, tiny.spec), tiny)[0]
        assert (prediction.index, prediction.label) == (result.adversarial.index, result.adversarial.label)
        assert result.success == (prediction.index != before.index)
        assert result.original_after.probability <= before.probability + 1e-5


@pytest.mark.parametrize("yields", range(1, 15))
def test_without_best_at_deadline_the_deadline_is_an_error(tiny: Classifier, draw: Draw, yields: int) -> None:
    with pytest.raises(DeadlineExceeded, match="time is up"):
        stop_at(adversarial(draw(60, 50), tiny.spec, attack="pgd", steps=6), tiny, yields)


def test_an_unfinished_patch_raises_the_deadline_without_best_at_deadline(tiny: Classifier, draw: Draw) -> None:
    """The attack still evaluates its unfinished square, and then raises the error that was thrown into it."""
    task = adversarial(draw(60, 50), tiny.spec, attack="patch", **few_steps("patch"))
    with pytest.raises(DeadlineExceeded, match="time is up"):
        stop_at(task, tiny, 5)


def test_a_deadline_before_the_first_answer_is_an_error(tiny: Classifier, draw: Draw) -> None:
    """Nothing is known of the picture yet, so nothing can be reported."""
    with pytest.raises(DeadlineExceeded):
        stop_at(adversarial(draw(60, 50), tiny.spec, best_at_deadline=True), tiny, 1)


def test_a_task_that_ends_in_time_is_not_stopped(tiny: Classifier, draw: Draw) -> None:
    assert not run_attack(tiny, draw(60, 50), steps=2, best_at_deadline=True).stopped
