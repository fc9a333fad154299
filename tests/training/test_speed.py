"""What is measured before training."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.spec import Spec
from tests.training.drawn import trained_looking
from training.cache import Cache
from training.learner import Diverged, Learner
from training.recipe import Recipe
from training.speed import choose_precision

CPU = torch.device("cpu")
SPEC = Spec("mobilenet_v3_small", ("a", "b"), input_size=32, resize=36)


def test_what_is_measured_never_diverges(tmp_path: Path) -> None:
    """Where the recipe itself would after noise; the network stays as it was."""
    recipe = replace(Recipe(), batch_size=4, head_rate=100.0, trunk_rate=100.0)
    network = trained_looking(2)
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    _, seconds = choose_precision(network, SPEC, recipe, size=32, device=CPU, cache=Cache(tmp_path))
    assert set(seconds) == {"float32", "bfloat16"} and min(seconds.values()) > 0
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())
    batch = (torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8), torch.zeros(4, dtype=torch.int64))
    learner = Learner(network, SPEC, recipe, steps=3, precision="float32")
    with pytest.raises(Diverged):
        for _ in range(3):
            learner.learn(*batch)


def test_it_is_measured_once_per_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run takes the figures that were kept; one that does not train, or that names its precision, none."""
    network, recipe = trained_looking(2), replace(Recipe(), batch_size=4)
    first = choose_precision(network, SPEC, recipe, size=32, device=CPU, cache=Cache(tmp_path))

    def refuse(*_: object, **__: object) -> float:
        raise AssertionError("was measured already")

    monkeypatch.setattr("training.speed.step_seconds", refuse)
    other = replace(recipe, seed=1)
    assert choose_precision(network, SPEC, other, size=32, device=CPU, cache=Cache(tmp_path)) == first
    for asked, expected in (({"epochs": 0}, "float32"), ({"precision": "float16"}, "float16")):
        chosen = replace(recipe, **asked)
        assert choose_precision(network, SPEC, chosen, size=32, device=CPU, cache=Cache(tmp_path)) == (expected, {})
