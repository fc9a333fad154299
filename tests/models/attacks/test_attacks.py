"""The attacks themselves, on linear models whose optimum is known in closed form."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.attacks.geometry import NORMS, Norm
from models.attacks.options import ATTACKS
from models.attacks.shared_options import DEFAULT_EPSILONS
from models.attacks.task import adversarial
from models.classifier import Classifier
from models.preprocessing import preprocessor, to_float
from models.query import Query
from models.run import run
from tests.conftest import Draw
from tests.models.attacks.bare import answers, bare
from tests.networks import LinearNetwork, Recording, unnormalised

SIDE = 16


@pytest.fixture(scope="module")
def two_classes() -> Classifier:
    """Linear: the odds of class 0 are the difference of two logits, so their gradient is the same everywhere."""
    return Classifier(LinearNetwork(2, SIDE), unnormalised(2, SIDE))


@pytest.fixture(scope="module")
def slope() -> Tensor:
    """The gradient of log odds of class 0 over class 1, [3, 16, 16]."""
    weight = LinearNetwork(2, SIDE).layer.weight.detach()
    return (weight[0] - weight[1]).reshape(3, SIDE, SIDE)


def levels(seed: int) -> Tensor:
    """A picture so far from black and white that no epsilon of the tests reaches them."""
    random = torch.Generator().manual_seed(seed)
    return torch.randint(60, 196, (3, SIDE, SIDE), dtype=torch.uint8, generator=random)


@pytest.mark.parametrize(
    ("attack", "options"),
    [
        ("fgsm", {}),
        ("bim", {}),
        ("bim", {"steps": 3}),
        ("pgd", {}),
        ("pgd", {"steps": 1}),
        ("pgd", {"restarts": 2, "steps": 10}),
    ],
)
@pytest.mark.parametrize("targeted", [False, True])
@given(seed=st.integers(0, 200), budget=st.integers(1, 40))
@settings(max_examples=25)
def test_each_pixel_ends_exactly_epsilon_away(
    two_classes: Classifier,
    slope: Tensor,
    attack: str,
    options: dict[str, int],
    targeted: bool,
    seed: int,
    budget: int,
) -> None:
    """On a linear model the best picture in the ball is its corner against the gradient: every level moves by epsilon.

    Both goals are one here: away from class a is towards the other. One step of pgd is enough, and its last counts.
    """
    picture = levels(seed)
    logits = two_classes.answer([Query(to_float(picture).unsqueeze(0))])[0].logits[0]
    present = int(logits.argmax())
    target = 1 - present if targeted else None
    task = adversarial(picture, two_classes.spec, attack=attack, target=target, epsilon=budget / 255, **options)
    found = run(task, two_classes)
    uphill = slope if present == 0 else -slope
    wanted = picture.int() - budget * uphill.sign().int()
    assert torch.equal(found.picture.int(), wanted)
    # The closed form of the optimum: the margin falls by epsilon times the gradient's L1 norm.
    margin = (logits[present] - logits[1 - present]).item() - budget / 255 * slope.abs().sum().item()
    expected = torch.sigmoid(torch.tensor(-margin)).item()
    probability = (
        found.adversarial.probability if found.adversarial.index != present else 1 - found.adversarial.probability
    )
    assert abs(probability - expected) < 1e-4
    assert found.success == (margin < -1e-3)


@pytest.mark.parametrize("attack", ["fgsm", "bim", "pgd"])
def test_black_and_white_are_not_left(two_classes: Classifier, slope: Tensor, attack: str) -> None:
    """Where the corner lies outside [0, 1] the level stops at 0 or 255."""
    picture = torch.randint(0, 256, (3, SIDE, SIDE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    found = run(adversarial(picture, two_classes.spec, attack=attack, epsilon=20 / 255), two_classes)
    uphill = slope if found.original.index == 0 else -slope
    assert torch.equal(found.picture.int(), (picture.int() - 20 * uphill.sign().int()).clamp(0, 255))


def quick(attack: str) -> dict[str, Any]:
    """Few steps, for what holds after any number of them."""
    return {"steps": 12} if "steps" in ATTACKS[attack].defaults else {}


@pytest.mark.parametrize(
    ("attack", "norm"),
    [(name, norm) for name, attack in ATTACKS.items() for norm in attack.norms if not attack.minimal],
)
def test_rows_of_a_batch_end_as_they_do_alone(
    tiny: Classifier, small_pictures: Tensor, attack: str, norm: Norm
) -> None:
    """Five pictures of several classes in one batch, and each alone: the same verdict, the same loss or norm.

    Of attacks that look for the smallest change test_minimal.py asks the same.
    """
    options = quick(attack) | ({"epsilon": DEFAULT_EPSILONS[norm] / 4} if "epsilon" in ATTACKS[attack].defaults else {})
    pictures = small_pictures[:5]
    labels = answers(tiny, pictures)
    together = bare(ATTACKS[attack], tiny, pictures, labels, norm=norm, **options)
    for row in range(5):
        alone = bare(ATTACKS[attack], tiny, pictures[row : row + 1], labels[row : row + 1], norm=norm, **options)
        assert together.won[row] == alone.won[0]
        torch.testing.assert_close(together.loss[row], alone.loss[0], rtol=0.02, atol=0.05)
        torch.testing.assert_close(together.size[row], alone.size[0], rtol=0.01, atol=1e-3)


@pytest.mark.parametrize("attack", [name for name, attack in ATTACKS.items() if attack.takes_mask])
def test_the_mask_confines_the_change(tiny: Classifier, draw: Draw, attack: str) -> None:
    """Only pixels of a box change, at the picture's own size, and some do."""
    mask = torch.zeros(50, 60, dtype=torch.bool)
    mask[12:40, 20:45] = True
    found = run(adversarial(draw(50, 60), tiny.spec, attack=attack, mask=mask, **quick(attack)), tiny)
    changed = (found.picture != found.origin).any(dim=0)
    assert not (changed & ~mask).any()
    assert changed.any() == (found.norms["l0"] > 0)


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_model_that_sees_nothing_is_not_fooled(attack: str) -> None:
    """Without a gradient nothing is better than the original, which stays, and no figure is infinite."""
    network = LinearNetwork(2, SIDE)
    network.layer.weight.data.zero_()
    blind = Classifier(network, unnormalised(2, SIDE))
    found = run(adversarial(levels(0), blind.spec, attack=attack, **quick(attack)), blind)
    assert not found.success
    assert torch.equal(found.picture, levels(0))


def test_the_registry_tells_each_attacks_norms() -> None:
    """The first is what it works in without a choice; an attack without a choice takes no norm."""
    for name, attack in ATTACKS.items():
        assert set(attack.norms) <= set(NORMS)
        assert ("norm" in attack.defaults) == (len(attack.norms) > 1)
        assert attack.defaults.get("norm", attack.norms[0]) == attack.norms[0]
        # A patch has pixels of its own choice, which it changes as it likes.
        assert ("epsilon" in attack.defaults) != (attack.minimal or name == "patch")


def test_pgd_is_stronger_than_fgsm_where_the_model_bends(tiny: Classifier) -> None:
    """Over twenty pictures of a convolutional network, the odds of the label end lower on average."""
    ends: dict[str, float] = {}
    for attack in ("fgsm", "pgd"):
        options = {"steps": 20} if attack == "pgd" else {}
        total = 0.0
        for seed in range(20):
            random = torch.Generator().manual_seed(seed)
            picture = torch.randint(0, 256, (3, 36, 36), dtype=torch.uint8, generator=random)
            found = run(adversarial(picture, tiny.spec, attack=attack, epsilon=4 / 255, **options), tiny)
            logits = tiny.logits(preprocessor(tiny.spec)(to_float(found.picture).unsqueeze(0)))[0]
            total += logits.log_softmax(dim=0)[found.original.index].item()
        ends[attack] = total / 20
    assert ends["pgd"] < ends["fgsm"]


def test_without_a_random_start_the_first_run_begins_at_the_picture(tiny: Classifier, small_pictures: Tensor) -> None:
    """The next one at a random point: the second run's first question is another than the first's."""
    network = Recording(tiny)
    labels = answers(tiny, small_pictures[:1])
    bare(ATTACKS["pgd"], network, small_pictures[:1], labels, steps=2, restarts=2, random_start=False)
    look, first, _, _, second, *_ = network.pixels
    assert torch.equal(look, first)
    assert (second - first).abs().max() > 1 / 255
