"""The task behind /adversarial at a deadline: a verified result if there is one, or an error."""

import contextlib

import pytest

from models.attacks.options import ATTACKS
from models.attacks.task import adversarial
from models.classifier import Classifier
from models.classify import classify
from models.query import Answer, DeadlineExceeded, Query
from models.run import run
from tests.conftest import Draw
from tests.models.attacks.attacking import attacked, few_steps, stop_at


@pytest.mark.parametrize("attack", ATTACKS)
def test_at_the_deadline_the_best_so_far_is_returned(tiny: Classifier, draw: Draw, attack: str) -> None:
    """At whatever moment it comes: a whole report, no worse than the original, verified like any other.

    A picture that had won stays one that wins; each moment is a yield of the task, queries of the last search included.
    """
    picture = draw(60, 50)
    before = run(classify(picture, tiny.spec), tiny)[0]
    known: list[Answer | None] = []
    undisturbed = adversarial(picture, tiny.spec, attack=attack, best_at_deadline=True, **few_steps(attack))
    with contextlib.suppress(StopIteration):
        request = next(undisturbed)
        while True:
            known.append(tiny.answer([request])[0] if isinstance(request, Query) else None)
            request = undisturbed.send(known[-1])
    moments = range(2, len(known) + 1)
    for moment in moments if len(moments) < 40 else moments[:: len(moments) // 40]:
        task = adversarial(picture, tiny.spec, attack=attack, best_at_deadline=True, **few_steps(attack))
        result = stop_at(task, tiny, moment, known[: moment - 1])
        assert result.stopped
        assert (result.patch is not None) == (attack == "patch")
        again = run(classify(result.picture, tiny.spec), tiny)[0]
        assert (again.index, again.label) == (result.adversarial.index, result.adversarial.label)
        assert result.success == (again.index != before.index)
        assert result.original_after.probability <= before.probability + 1e-5


@pytest.mark.parametrize("moment", range(1, 15))
def test_otherwise_the_deadline_is_an_error(tiny: Classifier, draw: Draw, moment: int) -> None:
    with pytest.raises(DeadlineExceeded, match="time is up"):
        stop_at(adversarial(draw(60, 50), tiny.spec, attack="pgd", steps=6), tiny, moment)


def test_a_patch_that_is_not_wanted_incomplete_raises_the_deadlines_own_error(tiny: Classifier, draw: Draw) -> None:
    """The attack still looks at its unfinished square, and then lets the very error pass that was thrown in."""
    task = adversarial(draw(60, 50), tiny.spec, attack="patch", **few_steps("patch"))
    with pytest.raises(DeadlineExceeded, match="time is up"):
        stop_at(task, tiny, 5)


def test_before_the_first_answer_there_is_no_best(tiny: Classifier, draw: Draw) -> None:
    """Nothing is known of the picture yet, so nothing can be reported."""
    with pytest.raises(DeadlineExceeded):
        stop_at(adversarial(draw(60, 50), tiny.spec, best_at_deadline=True), tiny, 1)


def test_a_task_that_ends_in_time_is_not_stopped(tiny: Classifier, draw: Draw) -> None:
    assert not attacked(tiny, draw(60, 50), steps=2, best_at_deadline=True).stopped
