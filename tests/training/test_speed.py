"""What is measured before training."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torchvision.models import VisionTransformer

from models.spec import Spec
from tests.training.drawn import trained_looking
from training.cache import Cache
from training.learner import Diverged, Learner
from training.recipe import BadRecipe, Recipe
from training.speed import choose_precision, early_size

CPU = torch.device("cpu")
SPEC = Spec("mobilenet_v3_small", ("a", "b"), input_size=32, resize=36)


def test_what_is_measured_never_diverges(tmp_path: Path) -> None:
    """Where the recipe itself would after noise; the network stays as it was."""
    recipe = replace(Recipe(), batch_size=4, head_rate=100.0, backbone_rate=100.0)
    network = trained_looking(2)
    before = {name: weight.clone() for name, weight in network.state_dict().items()}
    _, seconds = choose_precision(network, SPEC, recipe, size=32, device=CPU, photos=4, cache=Cache(tmp_path))
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
    first = choose_precision(network, SPEC, recipe, size=32, device=CPU, photos=4, cache=Cache(tmp_path))

    def refuse(*_: object, **__: object) -> float:
        raise AssertionError("was measured already")

    monkeypatch.setattr("training.speed.step_seconds", refuse)
    other = replace(recipe, seed=1)
    assert choose_precision(network, SPEC, other, size=32, device=CPU, photos=4, cache=Cache(tmp_path)) == first
    for asked, expected in (({"epochs": 0}, "float32"), ({"precision": "float16"}, "float16")):
        chosen = replace(recipe, **asked)
        assert choose_precision(network, SPEC, chosen, size=32, device=CPU, photos=4, cache=Cache(tmp_path)) == (
            expected,
            {},
        )


def test_pictures_of_few_pixels_train_in_float32(tmp_path: Path) -> None:
    """A bfloat16 gradient may be no number there: the CPU's weight gradient of a strided convolution of one pixel."""
    found = choose_precision(trained_looking(2), SPEC, Recipe(), size=16, device=CPU, photos=2, cache=Cache(tmp_path))
    assert found[0] == "float32" and set(found[1]) == {"float32"}


@pytest.mark.parametrize(("size", "expected"), [(224, 160), (160, 112), (48, 32), (32, 32), (16, 16)])
def test_early_epochs_train_at_five_sevenths_in_steps_of_16_and_at_32_or_more(size: int, expected: int) -> None:
    spec = replace(SPEC, input_size=size, resize=size)
    assert early_size(trained_looking(2), spec, Recipe()) == expected


def test_a_network_of_one_size_trains_at_it() -> None:
    """A vision transformer knows the places of its patches by heart."""
    spec = replace(SPEC, architecture="vit_b_16", input_size=64, resize=64)
    network = VisionTransformer(64, 16, num_layers=1, num_heads=2, hidden_dim=16, mlp_dim=16, num_classes=2)
    assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 2)
    assert early_size(network, spec, Recipe()) == 64
    with pytest.raises(BadRecipe, match="vit_b_16 takes no pictures of 80 pixels"):
        early_size(network, replace(spec, input_size=80, resize=80), Recipe())


def test_a_precision_that_the_memory_does_not_hold_is_not_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Learner.learn

    def learn(learner: Learner, *batch: torch.Tensor) -> float:
        if learner.precision in too_large:
            raise torch.OutOfMemoryError
        return whole(learner, *batch)

    monkeypatch.setattr(Learner, "learn", learn)
    too_large = {torch.float32}
    found, seconds = choose_precision(
        trained_looking(2), SPEC, Recipe(), size=32, device=CPU, photos=2, cache=Cache(tmp_path)
    )
    assert found == "bfloat16" and seconds["float32"] == math.inf
    too_large = {torch.float32, torch.bfloat16}
    with pytest.raises(BadRecipe, match="too small for 3 photos at once: lower --batch-size"):
        choose_precision(trained_looking(2), SPEC, Recipe(), size=32, device=CPU, photos=3, cache=Cache(tmp_path))


def test_a_device_too_small_for_the_last_epochs_is_told_before_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of memory of its own a device may have enough at 32 pixels, and too little at 48."""
    tried = []

    def seconds(*_: object, size: int, **__: object) -> float:
        tried.append(size)
        return math.inf if size == too_large else 0.1 * size

    monkeypatch.setattr("training.speed.step_seconds", seconds)
    network, spec, device = trained_looking(2), replace(SPEC, input_size=48, resize=48), torch.device("meta")
    too_large = 48
    with pytest.raises(BadRecipe, match="too small for 4 photos at once"):
        choose_precision(network, spec, Recipe(), size=32, device=device, photos=4, cache=Cache(tmp_path))
    too_large = 0
    found = choose_precision(network, spec, Recipe(), size=32, device=device, photos=4, cache=Cache(tmp_path))
    assert found == ("float32", {"float32": pytest.approx(3.2)}), "the early size decides"
    assert tried == [48, 32, 48, 32]
