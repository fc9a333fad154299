"""Rules for every attack: rows are independent, masks and confidence hold, and the registry describes it truthfully."""

from typing import Any

import pytest
import torch
from torch import Tensor

from models.attacks.geometry import NORMS, Norm
from models.attacks.options import ATTACKS
from models.attacks.shared_options import DEFAULT_EPSILONS
from models.attacks.task import adversarial
from models.classifier import Classifier
from models.run import run
from tests.conftest import Draw
from tests.models.attacks.fallible import BASELINES
from tests.models.attacks.float_attack import predicted_classes, run_float_attack
from tests.models.attacks.minimal import assert_the_mask_confines
from tests.models.attacks.small_pictures import draw_small_pictures
from tests.networks import LinearNetwork, unnormalised

SIDE = 16
MINIMAL = [(name, norm) for name, attack in ATTACKS.items() if attack.minimal for norm in attack.norms]
"""Attacks that look for the smallest perturbation, with each of their norms."""
SHORT: dict[str, dict[str, Any]] = {
    "auto": {"steps": 30},
    "ddn": {"steps": 40},
    "fmn": {"steps": 60},
    "carlini_wagner": {"steps": 50},
    "sigma_zero": {"steps": 60},
}
"""Options for a quick run of minimal attacks."""


@pytest.fixture(scope="module")
def small_pictures() -> Tensor:
    return draw_small_pictures()


def picture() -> Tensor:
    """Random levels, uint8 [3, 16, 16]."""
    random = torch.Generator().manual_seed(0)
    return torch.randint(60, 196, (3, SIDE, SIDE), dtype=torch.uint8, generator=random)


def quick(attack: str) -> dict[str, Any]:
    """Options with few steps: what these tests check holds after any number of steps."""
    return {"steps": 12} if "steps" in ATTACKS[attack].defaults else {}


@pytest.mark.parametrize(
    ("attack", "norm"),
    [(name, norm) for name, attack in ATTACKS.items() for norm in attack.norms if not attack.minimal],
)
def test_a_row_of_a_batch_ends_as_it_does_alone(
    tiny: Classifier, small_pictures: Tensor, attack: str, norm: Norm
) -> None:
    """Five pictures of several classes are attacked in one batch and one by one: success, loss and norm agree."""
    options = quick(attack) | ({"epsilon": DEFAULT_EPSILONS[norm] / 4} if "epsilon" in ATTACKS[attack].defaults else {})
    pictures = small_pictures[:5]
    labels = predicted_classes(tiny, pictures)
    together = run_float_attack(ATTACKS[attack], tiny, pictures, labels, norm=norm, **options)
    for row in range(5):
        alone = run_float_attack(
            ATTACKS[attack], tiny, pictures[row : row + 1], labels[row : row + 1], norm=norm, **options
        )
        assert together.won[row] == alone.won[0]
        torch.testing.assert_close(together.loss[row], alone.loss[0], rtol=0.02, atol=0.05)
        torch.testing.assert_close(together.size[row], alone.size[0], rtol=0.01, atol=1e-3)


@pytest.mark.parametrize(("attack", "norm"), MINIMAL)
@pytest.mark.parametrize("targeted", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_row_of_a_batch_of_a_minimal_attack_ends_as_it_does_alone(
    tiny: Classifier, small_pictures: Tensor, attack: str, norm: Norm, targeted: bool
) -> None:
    """Although some rows succeed before others: success agrees, and so does the norm to 1 % (in L0 to a pixel)."""
    pictures = small_pictures[:3]
    labels = (predicted_classes(tiny, pictures) + int(targeted)) % 4
    run = {"targeted": targeted, "norm": norm, **SHORT.get(attack, {})}
    together = run_float_attack(ATTACKS[attack], tiny, pictures, labels, **run)
    alone = [
        run_float_attack(ATTACKS[attack], tiny, pictures[row : row + 1], labels[row : row + 1], **run)
        for row in range(3)
    ]
    assert together.won.any() or attack in BASELINES, "no picture fools the network"
    assert torch.equal(together.won, torch.cat([best.won for best in alone]))
    tolerance = {"rtol": 0.0, "atol": 1.0} if norm == "l0" else {"rtol": 0.01, "atol": 1e-5}
    torch.testing.assert_close(together.size, torch.cat([best.size for best in alone]), **tolerance)


@pytest.mark.parametrize("attack", [name for name, attack in ATTACKS.items() if attack.takes_mask])
def test_the_mask_confines_the_change(tiny: Classifier, draw: Draw, attack: str) -> None:
    """Only pixels inside the box change, at the picture's own size, and some do."""
    mask = torch.zeros(50, 60, dtype=torch.bool)
    mask[12:40, 20:45] = True
    result = run(adversarial(draw(50, 60), tiny.spec, attack=attack, mask=mask, **quick(attack)), tiny)
    changed = (result.picture != result.origin).any(dim=0)
    assert not (changed & ~mask).any()
    assert changed.any() == (result.norms["l0"] > 0)


@pytest.mark.parametrize(("attack", "norm"), MINIMAL)
def test_the_mask_confines_the_float_change(tiny: Classifier, small_pictures: Tensor, attack: str, norm: Norm) -> None:
    assert_the_mask_confines(attack, norm, tiny, small_pictures[:8], **SHORT.get(attack, {}))


@pytest.mark.parametrize("attack", [name for name, attack in ATTACKS.items() if attack.minimal])
def test_the_result_leads_by_the_confidence(tiny: Classifier, small_pictures: Tensor, attack: str) -> None:
    """Every row leads by the two logits asked for and, since the perturbation is minimal, not by much more."""
    pictures, norm = small_pictures[:8], ATTACKS[attack].norms[0]
    labels = predicted_classes(tiny, pictures)
    best = run_float_attack(ATTACKS[attack], tiny, pictures, labels, norm=norm, confidence=2.0, **SHORT.get(attack, {}))
    logits = tiny.logits(best.pictures)
    label = logits.gather(1, labels[:, None])[:, 0]
    lead = logits.scatter(1, labels[:, None], -torch.inf).amax(dim=1) - label
    assert (lead[best.won] > 2.0 - 1e-3).all()
    if attack not in BASELINES:
        assert best.won.all()
        assert lead.median() < 1.2 * 2.0


@pytest.mark.parametrize("attack", ATTACKS)
def test_a_model_with_constant_logits_is_not_fooled(attack: str) -> None:
    """With weights of zero there is no gradient: the result is the original picture, and no figure is infinite."""
    network = LinearNetwork(2, SIDE)
    network.layer.weight.data.zero_()
    blind = Classifier(network, unnormalised(2, SIDE))
    result = run(adversarial(picture(), blind.spec, attack=attack, **quick(attack)), blind)
    assert not result.success
    assert torch.equal(result.picture, picture())


@pytest.mark.parametrize("attack", ATTACKS)
def test_the_registry_has_the_norms_of_every_attack(attack: str) -> None:
    """The first norm is the default of the option `norm`; an attack with a single norm has no such option."""
    entry = ATTACKS[attack]
    assert set(entry.norms) <= set(NORMS)
    assert ("norm" in entry.defaults) == (len(entry.norms) > 1), "`norm` is a parameter if there are several norms"
    assert entry.defaults.get("norm", entry.norms[0]) == entry.norms[0]
    # A patch is limited by its area, not by a budget.
    assert ("epsilon" in entry.defaults) != (entry.minimal or attack == "patch"), "`epsilon`, or minimal=True"
