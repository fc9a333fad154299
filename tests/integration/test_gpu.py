"""Every task on an accelerator: its results stay there, and it ends beside other tasks as it does alone.

These tests run with `-m gpu` where there is an accelerator; MIRAGE_TEST_DEVICE=cpu runs the same code on a processor.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch
from torch import Tensor

from models.attacks.curves.curve import curve
from models.attacks.options import ATTACKS
from models.attacks.survive import parse_survive
from models.attacks.task import Adversarial, adversarial
from models.classifier import choose_device
from models.classify import classify
from models.explain import METHODS as EXPLANATIONS
from models.explain import explain
from models.features import features
from models.ideal import METHODS as IDEALS
from models.ideal import ideal
from models.pictures import decode
from models.query import Task
from models.run import run, run_all
from models.store import Model, load
from tests.integration.project import REPOSITORY

pytestmark = pytest.mark.gpu
Result = TypeVar("Result")
SHORT: dict[str, dict[str, Any]] = {
    "carlini_wagner": {"steps": 20, "searches": 2},
    "patch": {"steps": 4},
    "square": {"steps": 40},
}
"""Options of attacks that are not fast enough, or do too little, with the 10 steps of the others."""


@pytest.fixture(scope="module")
def device() -> torch.device:
    device = choose_device(os.environ.get("MIRAGE_TEST_DEVICE", "auto"))
    if device.type == "cpu" and "MIRAGE_TEST_DEVICE" not in os.environ:
        pytest.skip("there is no accelerator here; MIRAGE_TEST_DEVICE=cpu runs this on the processor")
    return device


@pytest.fixture(scope="module")
def model(device: torch.device) -> Model:
    return load("cats-dogs", device=device)


@pytest.fixture(scope="module")
def reference() -> Model:
    """The same model on the CPU, which judges the results again."""
    return load("cats-dogs")


@pytest.fixture(scope="module")
def pictures(device: torch.device) -> list[Tensor]:
    """A cat, and three parts of it of other sizes."""
    cat = decode(Path(REPOSITORY / "docs" / "pictures" / "chelsea.png").read_bytes())
    return [part.contiguous().to(device) for part in (cat, cat[:, :256, :256], cat[:, 20:, 60:400], cat[:, ::2, ::2])]


def alone_and_together(
    make: Callable[[int], Task[Result]], model: Model, count: int = 4
) -> Iterator[tuple[Result, Result]]:
    """The result of each of `count` tasks when it runs alone, and when all run in shared batches."""
    together = dict(run_all((make(number) for number in range(count)), model.classifier, at_once=count))
    for number in range(count):
        yield run(make(number), model.classifier), together[number]


def options_of(attack: str) -> dict[str, Any]:
    """Few steps: what these tests check holds after any number of them."""
    if attack in SHORT:
        return SHORT[attack]
    return {"steps": 10} if "steps" in ATTACKS[attack].defaults else {}


@pytest.mark.parametrize(
    ("attack", "norm"), [(name, norm) for name, attack in ATTACKS.items() for norm in attack.norms]
)
def test_an_attack_ends_the_same_beside_others(
    model: Model, reference: Model, pictures: list[Tensor], attack: str, norm: str
) -> None:
    """Verdicts are equal, norms to 5 %: batches round sums differently, and steps amplify that.

    Not so the number of changed pixels: steps undo thousands of pixels at once until it settles, far beyond 10 steps.
    A success that is reported is a success for the CPU too, since the goal leads by more than the rounding.
    """

    def make(number: int) -> Task[Adversarial]:
        return adversarial(pictures[number], model.spec, attack=attack, norm=norm, **options_of(attack))

    for alone, together in alone_and_together(make, model):
        assert alone.picture.device == model.classifier.device
        assert (alone.success, alone.original.index) == (together.success, together.original.index)
        if alone.success and ATTACKS[attack].minimal and norm != "l0":
            assert together.norms[norm] == pytest.approx(alone.norms[norm], rel=0.05, abs=1.5 / 255)
        (verdict,) = run(classify(alone.picture.cpu(), reference.spec, top=1), reference.classifier)
        assert verdict.index == alone.adversarial.index
        assert verdict.probability == pytest.approx(alone.adversarial.probability, abs=1e-3)


def test_classifications_agree_with_the_cpu(model: Model, reference: Model, pictures: list[Tensor]) -> None:
    """Alone and in a shared batch, to float tolerance."""
    for number, (alone, together) in enumerate(
        alone_and_together(lambda number: classify(pictures[number], model.spec), model)
    ):
        expected = run(classify(pictures[number].cpu(), reference.spec), reference.classifier)
        for prediction, beside, on_cpu in zip(alone, together, expected, strict=True):
            assert prediction.index == beside.index == on_cpu.index
            assert prediction.probability == pytest.approx(on_cpu.probability, abs=1e-4)
            assert beside.probability == pytest.approx(on_cpu.probability, abs=1e-4)


def test_an_attack_with_survival_a_mask_and_a_target(model: Model, pictures: list[Tensor]) -> None:
    """Views, masks and targets are on the device of the picture; nothing changes outside the mask."""
    cat = pictures[0]
    mask = torch.zeros(cat.shape[1:], dtype=torch.bool, device=cat.device)
    mask[60:220, 100:320] = True
    survive = parse_survive("jpeg:75,resize:0.5")
    result = run(
        adversarial(cat, model.spec, target=1, attack="pgd", epsilon=8 / 255, steps=10, mask=mask, survive=survive),
        model.classifier,
    )
    assert torch.equal(result.picture[:, ~mask], cat[:, ~mask])


def test_a_curve(model: Model, pictures: list[Tensor]) -> None:
    """One picture is enough: the attacks of a curve are tested above."""
    result = run(curve(pictures[1], model.spec, norms=("l2", "linf"), steps=10), model.classifier)
    assert result.smallest and result.points[0].epsilon == 0.0


@pytest.mark.parametrize("method", list(IDEALS))
def test_an_ideal_picture_of_every_method(model: Model, reference: Model, method: str) -> None:
    """Its score is the CPU's; with few steps it need not be good."""
    device = model.classifier.device
    result = run(ideal(0, model.spec, method=method, steps=8, device=device), model.classifier)
    picture = result.pictures[0]
    (verdict,) = run(classify(picture.picture.cpu(), reference.spec, top=1), reference.classifier)
    alone = run(classify(picture.picture, model.spec, top=1), model.classifier)
    assert verdict.index == alone[0].index
    assert verdict.probability == pytest.approx(alone[0].probability, abs=1e-3)


def test_an_ideal_picture_of_a_channel(model: Model) -> None:
    """The objective reads a layer."""
    task = ideal((model.classifier.layers[0], 0), model.spec, steps=4, device=model.classifier.device)
    assert run(task, model.classifier).pictures[0].steps == 4


@pytest.mark.parametrize("method", list(EXPLANATIONS))
def test_an_explanation_of_every_method(model: Model, reference: Model, pictures: list[Tensor], method: str) -> None:
    """The heat is the CPU's to a hundredth of its range."""
    on_device = run(explain(pictures[0], model.spec, method=method, **layer_of(model, method)), model.classifier)
    on_cpu = run(
        explain(pictures[0].cpu(), reference.spec, method=method, **layer_of(reference, method)), reference.classifier
    )
    torch.testing.assert_close(on_device.heat.cpu(), on_cpu.heat, rtol=0, atol=0.01)


def layer_of(model: Model, method: str) -> dict[str, Any]:
    """The last layer with a map, for methods that take one."""
    if not EXPLANATIONS[method].takes_layer:
        return {}
    return {"layer": model.classifier.layers.last_map}


def test_feature_maps(model: Model, reference: Model, pictures: list[Tensor]) -> None:
    """The strongest channels of a layer are those on the CPU."""
    on_device = run(features(pictures[0], model.spec, model.classifier.layers[0]), model.classifier)
    on_cpu = run(features(pictures[0].cpu(), reference.spec, reference.classifier.layers[0]), reference.classifier)
    torch.testing.assert_close(on_device.maps.cpu(), on_cpu.maps, rtol=1e-2, atol=1e-2)
