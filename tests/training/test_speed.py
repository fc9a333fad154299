"""The measurements before training that choose its precision and the size of the early epochs."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torchvision.models import VisionTransformer

from models.spec import Spec
from tests.training.drawn import trained_looking
from training import speed
from training.cache import Cache
from training.learner import Diverged, Learner
from training.recipe import BadRecipe, Recipe
from training.speed import choose_precision, early_size, step_seconds

CPU = torch.device("cpu")
SPEC = Spec("mobilenet_v3_small", ("a", "b"), input_size=32, resize=36)


def refuse(*_: object, **__: object) -> float:
    raise AssertionError("nothing may be measured")


def test_the_measurement_never_diverges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Training on noise at the rates of this recipe diverges, but the measurement does not change the network."""
    monkeypatch.setattr(speed, "multiplies_bfloat16", lambda: True)
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


def test_the_precision_is_measured_once_per_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another run uses the cached figures; one that does not train or names its precision needs none."""
    monkeypatch.setattr(speed, "multiplies_bfloat16", lambda: True)
    network, recipe = trained_looking(2), replace(Recipe(), batch_size=4)
    first = choose_precision(network, SPEC, recipe, size=32, device=CPU, photos=4, cache=Cache(tmp_path))
    monkeypatch.setattr(speed, "step_seconds", refuse)
    other = replace(recipe, seed=1)
    assert choose_precision(network, SPEC, other, size=32, device=CPU, photos=4, cache=Cache(tmp_path)) == first
    for changes, expected in (({"epochs": 0}, "float32"), ({"precision": "float16"}, "float16")):
        chosen = replace(recipe, **changes)
        assert choose_precision(network, SPEC, chosen, size=32, device=CPU, photos=4, cache=Cache(tmp_path)) == (
            expected,
            {},
        )


def test_pictures_of_few_pixels_train_in_float32(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In bfloat16 the CPU's weight gradient of a strided convolution of one pixel may be NaN."""
    monkeypatch.setattr(speed, "multiplies_bfloat16", lambda: True)
    choice = choose_precision(trained_looking(2), SPEC, Recipe(), size=16, device=CPU, photos=2, cache=Cache(tmp_path))
    assert choice == ("float32", {})


def test_a_processor_without_bfloat16_trains_in_float32_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speed, "multiplies_bfloat16", lambda: False)
    monkeypatch.setattr(speed, "step_seconds", refuse)
    choice = choose_precision(trained_looking(2), SPEC, Recipe(), size=32, device=CPU, photos=2, cache=Cache(tmp_path))
    assert choice == ("float32", {})


def test_an_emulated_precision_is_given_up_in_its_first_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit has passed when the first layer ends, so that the loss is never reached."""
    monkeypatch.setattr("training.learner.training_loss", refuse)
    arguments = {"size": 32, "device": CPU, "precision": "float32", "photos": 2}
    assert step_seconds(trained_looking(2), SPEC, Recipe(), limit_s=0.0, **arguments) == math.inf


def test_the_limit_is_twice_the_time_of_the_fastest_precision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three steps of 0.5 s each, twice, and the second that is always allowed."""
    limits = {}

    def seconds(*_: object, precision: str, limit_s: float, **__: object) -> float:
        limits[precision] = limit_s
        return 0.5 if precision == "float32" else math.inf

    monkeypatch.setattr(speed, "multiplies_bfloat16", lambda: True)
    monkeypatch.setattr(speed, "step_seconds", seconds)
    choice = choose_precision(trained_looking(2), SPEC, Recipe(), size=32, device=CPU, photos=2, cache=Cache(tmp_path))
    assert choice[0] == "float32" and limits == {"float32": math.inf, "bfloat16": 4.0}


@pytest.mark.parametrize(("size", "expected"), [(224, 160), (160, 112), (48, 32), (32, 32), (16, 16)])
def test_early_epochs_train_at_five_sevenths_in_steps_of_16_and_at_32_or_more(size: int, expected: int) -> None:
    spec = replace(SPEC, input_size=size, resize=size)
    assert early_size(trained_looking(2), spec, Recipe()) == expected


def test_a_network_with_a_fixed_input_size_trains_at_that_size() -> None:
    """The position embeddings of a vision transformer fix its input size."""
    spec = replace(SPEC, architecture="vit_b_16", input_size=64, resize=64)
    network = VisionTransformer(64, 16, num_layers=1, num_heads=2, hidden_dim=16, mlp_dim=16, num_classes=2)
    assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 2)
    assert early_size(network, spec, Recipe()) == 64
    with pytest.raises(BadRecipe, match="vit_b_16 takes no pictures of 80 pixels"):
        early_size(network, replace(spec, input_size=80, resize=80), Recipe())


def test_a_precision_that_needs_too_much_memory_is_not_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole_learn = Learner.learn

    def learn(learner: Learner, *batch: torch.Tensor) -> float:
        if learner.precision in too_large:
            raise torch.OutOfMemoryError
        return whole_learn(learner, *batch)

    monkeypatch.setattr(speed, "multiplies_bfloat16", lambda: True)
    monkeypatch.setattr(Learner, "learn", learn)
    too_large = {torch.float32}
    precision, seconds = choose_precision(
        trained_looking(2), SPEC, Recipe(), size=32, device=CPU, photos=2, cache=Cache(tmp_path)
    )
    assert precision == "bfloat16" and seconds["float32"] == math.inf
    too_large = {torch.float32, torch.bfloat16}
    with pytest.raises(BadRecipe, match="too small for 3 photos at once: lower --batch-size"):
        choose_precision(trained_looking(2), SPEC, Recipe(), size=32, device=CPU, photos=3, cache=Cache(tmp_path))


def test_too_little_memory_for_the_last_epochs_is_an_error_before_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The memory of a device may be enough for 32 pixels, but not for 48."""
    sizes = []

    def seconds(*_: object, size: int, **__: object) -> float:
        sizes.append(size)
        return math.inf if size == too_large else 0.1 * size

    monkeypatch.setattr("training.speed.step_seconds", seconds)
    network, spec, device = trained_looking(2), replace(SPEC, input_size=48, resize=48), torch.device("meta")
    too_large = 48
    with pytest.raises(BadRecipe, match="too small for 4 photos at once"):
        choose_precision(network, spec, Recipe(), size=32, device=device, photos=4, cache=Cache(tmp_path))
    too_large = 0
    choice = choose_precision(network, spec, Recipe(), size=32, device=device, photos=4, cache=Cache(tmp_path))
    assert choice == ("float32", {"float32": pytest.approx(3.2)}), "the early size decides"
    assert sizes == [48, 32, 48, 32]
