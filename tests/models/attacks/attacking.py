"""Runs the task `adversarial` in tests, to its end or to a deadline."""

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from models.attacks.options import ATTACKS
from models.attacks.task import Adversarial, adversarial
from models.classifier import Classifier
from models.query import GRACE, Answer, DeadlineExceeded, Query, Task
from models.run import run


def run_attack(classifier: Classifier, picture: Tensor, **options: Any) -> Adversarial:
    """Run the whole task on one picture, uint8 [3, h, w], and return its result."""
    return run(adversarial(picture, classifier.spec, **options), classifier)


def few_steps(attack: str) -> dict[str, int]:
    """Return options for a quick run of the attack: few steps, searches and samples."""
    fewest = {"steps": 6, "searches": 2, "samples": 2}
    return {name: value for name, value in fewest.items() if name in ATTACKS[attack].defaults}


def stop_at(
    task: Task[Adversarial], classifier: Classifier, yields: int, known_answers: Sequence[Answer | None] = ()
) -> Adversarial:
    """Run the task and throw DeadlineExceeded into it after so many yields; `known_answers` are its first answers."""
    answer = None
    try:
        for number in range(yields):
            message = task.send(answer)
            if number < len(known_answers):
                answer = known_answers[number]
            else:
                answer = classifier.answer([message])[0] if isinstance(message, Query) else None
        message = task.throw(DeadlineExceeded("time is up"))
        for _ in range(GRACE):
            assert isinstance(message, Query), "after the deadline a task may only send queries"
            message = task.send(classifier.answer([message])[0])
    except StopIteration as stop:
        return stop.value
    raise AssertionError("a task must end within GRACE queries of its deadline")
