"""What is measured before training."""

from dataclasses import replace

import pytest
import torch

from models.spec import Spec
from tests.training.drawn import trained_looking
from training.finetune import Diverged, FineTuning
from training.recipe import Recipe
from training.speed import choose_precision

CPU = torch.device("cpu")
SPEC = Spec("mobilenet_v3_small", ("a", "b"), input_size=32, resize=36)


def test_what_is_measured_never_diverges() -> None:
    """Where the recipe itself would after noise; the network stays as it was."""
    recipe = replace(Recipe(), batch_size=4, head_rate=1e30, trunk_rate=1e30)
    network = trained_looking(2)
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    _, seconds = choose_precision(network, SPEC, recipe, size=32, device=CPU)
    assert set(seconds) == {"float32", "bfloat16"} and min(seconds.values()) > 0
    assert all(torch.equal(weight, before[name]) for name, weight in network.state_dict().items())
    batch = (torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8), torch.zeros(4, dtype=torch.int64))
    tuning = FineTuning(network, SPEC, recipe, steps=3, device=CPU, precision="float32")
    with pytest.raises(Diverged):
        for _ in range(3):
            tuning.train_epoch([batch])
