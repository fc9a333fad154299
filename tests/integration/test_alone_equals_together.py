"""Shared batches are sound only if a row of an answer never depends on the other rows of its batch."""

import pytest
import torch
from torch import nn

from app.engine.engine import Engine
from models import architectures
from models.attacks.options import ATTACKS
from models.attacks.survive import parse_survive
from models.attacks.task import adversarial
from models.classifier import Classifier
from models.classify import classify
from models.explain import METHODS, explain
from models.features import features
from models.ideal import ideal
from models.network_ends import Normalize
from models.preprocessing import to_float
from models.query import Answer, Query, Task
from models.run import run
from tests.app.live_service import TINY, drawn
from tests.networks import normalise_by

FEW = {"steps": 3}


class Recording:
    """A network that records every query with the answer that it got in a shared batch."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self.pairs: list[tuple[Query, Answer]] = []
        self.batches: list[int] = []

    def answer(self, queries: list[Query]) -> list[Answer]:
        answers = self.classifier.answer(queries)
        self.pairs += zip(queries, answers, strict=True)
        self.batches.append(len(queries))
        return answers


SMOOTH = {nn.ReLU: nn.Softplus, nn.Hardswish: nn.SiLU, nn.Hardsigmoid: nn.Sigmoid}


def smooth_network() -> nn.Module:
    """A network of random weights whose gradients do not jump.

    Where an activation has a kink, an input of zero up to rounding gets the derivative of either side. Which one
    depends on the batch and on the processor's instructions, and changes a gradient by percents.
    """
    torch.manual_seed(0)
    network = architectures.build(TINY.architecture, len(TINY.classes))
    for part in list(network.modules()):
        for name, layer in part.named_children():
            if type(layer) in SMOOTH:
                setattr(part, name, SMOOTH[type(layer)]())
    soft = torch.stack([to_float(drawn(TINY.input_size, TINY.input_size, seed=100 + k)) for k in range(32)])
    # Noise and flat areas, as attacks make them: on pictures unlike those of its statistics the network would explode.
    noise = torch.linspace(0, 1, 32).reshape(-1, 1, 1, 1) * torch.empty_like(soft).uniform_(-1, 1)
    flat = torch.rand(32, 3, 1, 1).round().expand_as(soft)
    normalise_by(network, Normalize(TINY)(torch.cat([soft, (soft + noise).clamp(0, 1), flat])))
    with torch.no_grad():
        features = architectures.features(network, Normalize(TINY)(soft))
    centre = features.mean(dim=0)
    weight = torch.randn(len(TINY.classes), features.shape[1])
    weight *= 2 / ((features - centre) @ weight.T).std()
    architectures.set_head(network, weight, -weight @ centre)
    return network


def test_alone_equals_together_for_every_task() -> None:
    """Tasks of all kinds, options and resolutions run in shared batches: each query gets the same answer as alone.

    Logits agree to 5e-4 of the largest, gradients to 1e-3 of their norm. Taking a sign magnifies rounding, so whole
    results are only compared in their success and in their norms to 5 %.
    """
    classifier = Classifier(smooth_network(), TINY)

    def other_class(picture: torch.Tensor) -> int:
        return (run(classify(picture, TINY), classifier)[0].index + 1) % len(TINY.classes)

    def tasks() -> list[Task[object]]:
        sizes = [(96, 128), (50, 40), (211, 97), (64, 64)]
        pictures = [drawn(*size, seed=seed) for seed, size in enumerate(sizes)]
        attacks = [
            adversarial(
                pictures[number % 4], TINY, attack=name, norm=norm, **(FEW if "steps" in attack.defaults else {})
            )
            for name, attack in ATTACKS.items()
            for number, norm in enumerate(attack.norms)
        ]
        # With a budget: the bisection of a minimal attack that survives JPEG may take another way after one bit.
        attacks += [adversarial(pictures[2], TINY, attack="pgd", norm="l2", survive=parse_survive("jpeg:75"), **FEW)]
        attacks += [adversarial(pictures[1], TINY, attack="pgd", target=other_class(pictures[1]), **FEW)]
        ideals = [ideal(1, TINY, steps=9), ideal(3, TINY, steps=6, crops=3, size=100, seed=5)]
        layer = classifier.layers.find("features.3")
        explanations = [explain(pictures[0], TINY, method="grad_cam", layer=layer)]
        explanations += [explain(pictures[0], TINY, method=method) for method in METHODS if method != "grad_cam"]
        feature_tasks = [features(pictures[1], TINY, layer), ideal((layer, 5), TINY, steps=5)]
        return [*attacks, *ideals, *explanations, *feature_tasks, *(classify(picture, TINY) for picture in pictures)]

    network, engine = Recording(classifier), Engine(max_rows=16)
    together = [future.result(60) for future in [engine.submit(task, network) for task in tasks()]]
    engine.close(timeout_s=30)
    assert max(network.batches) > 3, "several queries did share a batch"
    for query, answer in network.pairs:
        (alone,) = classifier.answer([query])
        torch.testing.assert_close(answer.logits, alone.logits, rtol=0, atol=5e-4 * float(alone.logits.abs().max()))
        if alone.gradients is not None and answer.gradients is not None:
            assert (answer.gradients - alone.gradients).norm() <= 1e-3 * alone.gradients.norm()
        assert (alone.gradients is None) == (answer.gradients is None)

    solo = Engine(max_rows=16)  # a task alone may be rounded differently
    for task, shared in zip(tasks(), together, strict=True):
        single = solo.submit(task, classifier).result(60)
        if hasattr(single, "success"):
            assert (single.attack, single.norm, single.success) == (shared.attack, shared.norm, shared.success)
            assert shared.norms[single.norm] == pytest.approx(single.norms[single.norm], rel=0.05, abs=1.01)
        elif hasattr(single, "sheet"):  # ideal pictures are never batched with other tasks: exactly the same
            assert torch.equal(single.sheet, shared.sheet)
            assert single.pictures[0].score == shared.pictures[0].score
        elif hasattr(single, "heat"):
            assert single.top.label == shared.top.label
            assert (single.attributions - shared.attributions).norm() <= 0.02 * single.attributions.norm()
        elif hasattr(single, "maps"):
            torch.testing.assert_close(single.maps, shared.maps, rtol=1e-3, atol=1e-3)
        else:
            assert [prediction.label for prediction in single] == [prediction.label for prediction in shared]
    solo.close(timeout_s=30)
