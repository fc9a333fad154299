"""The law that makes shared batches sound: a row of an answer never depends on the other rows."""

import pytest
import torch

from app.engine import Engine
from models.attacks.report import adversarial
from models.classifier import Classifier
from models.classify import classify
from models.ideal.task import ideal
from models.query import Answer, Query, Task
from tests.app.conftest import TINY, drawn, lively_network


class Recording:
    """A network that remembers every query with the answer that it got among strangers."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self.pairs: list[tuple[Query, Answer]] = []
        self.batches: list[int] = []

    def answer(self, queries: list[Query]) -> list[Answer]:
        answers = self.classifier.answer(queries)
        self.pairs += zip(queries, answers, strict=True)
        self.batches.append(len(queries))
        return answers


def test_alone_equals_together_for_every_task() -> None:
    """Tasks of all kinds, options and resolutions in shared batches: each query's answer is what it gets alone.

    Logits and gradients to 1e-4 of their largest; whole results in verdict, and norms to 2 %.
    """
    classifier = Classifier(lively_network(), TINY)

    def tasks() -> list[Task[object]]:
        sizes = [(96, 128), (50, 40), (211, 97), (64, 64)]
        pictures = [drawn(*size, seed=seed) for seed, size in enumerate(sizes)]
        attacks = [
            adversarial(pictures[0], TINY),
            adversarial(pictures[1], TINY, attack="fgsm", epsilon=2 / 255),
            adversarial(pictures[2], TINY, steps=10, seed=3, epsilon=0.02),
            adversarial(pictures[3], TINY, steps=17, epsilon=1 / 255),
        ]
        ideals = [ideal(1, TINY, steps=9), ideal(3, TINY, steps=6, crops=3, size=100, seed=5)]
        return [*attacks, *ideals, *(classify(picture, TINY) for picture in pictures)]

    network, engine = Recording(classifier), Engine(max_rows=16)
    together = [future.result(60) for future in [engine.submit(task, network) for task in tasks()]]
    engine.close(timeout_s=30)
    assert max(network.batches) > 3, "they did meet"
    for query, answer in network.pairs:
        (alone,) = classifier.answer([query])
        torch.testing.assert_close(answer.logits, alone.logits, rtol=0, atol=1e-4 * float(alone.logits.abs().max()))
        if alone.gradients is not None and answer.gradients is not None:
            bound = 1e-4 * float(alone.gradients.abs().max())
            torch.testing.assert_close(answer.gradients, alone.gradients, rtol=0, atol=bound)
        assert (alone.gradients is None) == (answer.gradients is None)

    solo = Engine()
    for task, shared in zip(tasks(), together, strict=True):
        single = solo.submit(task, classifier).result(60)
        if hasattr(single, "success"):
            assert (single.success, single.adversarial.label) == (shared.success, shared.adversarial.label)
            assert shared.norms["linf"] == single.norms["linf"]
            assert shared.norms["l2"] == pytest.approx(single.norms["l2"], rel=0.02)
        elif hasattr(single, "rank"):
            assert single.rank == shared.rank
            assert single.prediction.probability == pytest.approx(shared.prediction.probability, abs=0.01)
        else:
            assert [each.label for each in single] == [each.label for each in shared]
    solo.close(timeout_s=30)
