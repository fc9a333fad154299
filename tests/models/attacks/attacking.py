"""Helpers to run the task `adversarial` in tests, to its end or to a deadline."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from models.attacks.options import ATTACKS
from models.attacks.task import Adversarial, adversarial
from models.classifier import Classifier
from models.query import GRACE, Answer, DeadlineExceeded, Query, Task
from models.run import run


def attacked(classifier: Classifier, picture: Tensor, **options: Any) -> Adversarial:
    """The result of the whole task on one picture, uint8 [3, h, w]."""
    return run(adversarial(picture, classifier.spec, **options), classifier)


def few_steps(attack: str) -> dict[str, int]:
    """Options for a quick run of the attack: few steps, searches and samples."""
    fewest = {"steps": 6, "searches": 2, "samples": 2}
    return {name: value for name, value in fewest.items() if name in ATTACKS[attack].defaults}


def stop_at(
    task: Task[Adversarial], classifier: Classifier, moment: int, known: Sequence[Answer | None] = ()
) -> Adversarial:
    """Drive the task, and at its `moment`-th yield throw DeadlineExceeded into it; `known` are the first answers."""
    answer = None
    try:
        for number in range(moment):
            request = task.send(answer)
            if number < len(known):
                answer = known[number]
            else:
                answer = classifier.answer([request])[0] if isinstance(request, Query) else None
        request = task.throw(DeadlineExceeded("time is up"))
        for _ in range(GRACE):
            assert isinstance(request, Query), "no more steps are taken"
            request = task.send(classifier.answer([request])[0])
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a task must end within GRACE queries of its deadline")
