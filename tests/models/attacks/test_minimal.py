"""What every attack that looks for the smallest change keeps: rows apart, pixels behind a mask, its lead."""

from typing import Any

import pytest
import torch
from torch import Tensor

from models.attacks.geometry import Norm
from models.attacks.options import ATTACKS
from models.classifier import Classifier
from tests.models.attacks.bare import answers, bare
from tests.models.attacks.minimal import assert_the_mask_confines

EACH = [(name, norm) for name, attack in ATTACKS.items() if attack.minimal for norm in attack.norms]
SHORT: dict[str, dict[str, Any]] = {
    "auto": {"steps": 30},
    "ddn": {"steps": 40},
    "fmn": {"steps": 60},
    "carlini_wagner": {"steps": 50, "searches": 3, "initial_constant": 1.0},
    "sigma_zero": {"steps": 60},
}


@pytest.mark.parametrize(("attack", "norm"), EACH)
@pytest.mark.parametrize("targeted", [False, True])
def test_rows_of_a_batch_end_as_they_do_alone(
    tiny: Classifier, small_pictures: Tensor, attack: str, norm: Norm, targeted: bool
) -> None:
    """Also those that have won before others: the same verdict, and the same norm to 1 % (in L0 to a pixel)."""
    pictures = small_pictures[:5]
    labels = (answers(tiny, pictures) + int(targeted)) % 4
    run = {"targeted": targeted, "norm": norm, **SHORT.get(attack, {})}
    together = bare(ATTACKS[attack], tiny, pictures, labels, **run)
    alone = [bare(ATTACKS[attack], tiny, pictures[row : row + 1], labels[row : row + 1], **run) for row in range(5)]
    assert together.won.any()
    assert torch.equal(together.won, torch.cat([each.won for each in alone]))
    tolerance = {"rtol": 0.0, "atol": 1.0} if norm == "l0" else {"rtol": 0.01, "atol": 1e-5}
    torch.testing.assert_close(together.size, torch.cat([each.size for each in alone]), **tolerance)


@pytest.mark.parametrize(("attack", "norm"), EACH)
def test_the_mask_confines_the_change(tiny: Classifier, small_pictures: Tensor, attack: str, norm: Norm) -> None:
    assert_the_mask_confines(attack, norm, tiny, small_pictures[:8], **SHORT.get(attack, {}))


@pytest.mark.parametrize("attack", [name for name, attack in ATTACKS.items() if attack.minimal])
def test_it_leads_by_the_confidence(tiny: Classifier, small_pictures: Tensor, attack: str) -> None:
    """Every row wins, by more than two logits and, since the change is the smallest, not by much more."""
    pictures, norm = small_pictures[:8], ATTACKS[attack].norms[0]
    labels = answers(tiny, pictures)
    best = bare(ATTACKS[attack], tiny, pictures, labels, norm=norm, confidence=2.0, **SHORT.get(attack, {}))
    logits = tiny.logits(best.pictures)
    label = logits.gather(1, labels[:, None])[:, 0]
    lead = logits.scatter(1, labels[:, None], -torch.inf).amax(dim=1) - label
    assert (lead > 2.0 - 1e-3).all()
    assert lead.median() < 1.2 * 2.0
