from collections.abc import Iterable, Iterator

import pytest
import torch

from models.attacks.options import BadAttack
from models.attacks.task import Adversarial
from tests.training.reds import red_levels, red_model
from training.metrics import wilson
from training.transfer import Transfer, transfer, transfer_text

FIRST, SECOND = red_model(100.5).classifier, red_model(110.5).classifier
ATTACK = {"attack": "apgd", "norm": "linf", "epsilon": 16 / 255, "steps": 5}


def photos(*levels: int) -> Iterator[tuple[torch.Tensor, int]]:
    """Photos of these levels of red, which are bright from 111 on."""
    for level in levels:
        yield torch.from_numpy(red_levels(level)).permute(2, 0, 1), int(level > 110)


def test_transfer_between_two_thresholds_is_known() -> None:
    """All red values can change by 16 levels, and the strongest attack changes them by 16.

    Across the threshold 100.5 that leads 92 to 108, 96 to 112 and 112 to 96: the threshold 110.5 lies between for the
    last two only. Across 110.5 it leads 96 to 112 and 112 to 96, which is across 100.5 too, and 92 is too far away.
    """
    levels = (60, 92, 96, 112, 180)
    result = transfer(FIRST, SECOND, photos(*levels), **ATTACK)
    assert result == Transfer("apgd", "linf", 16 / 255, photos=5, successful=3, transferred=2)
    reverse = transfer(SECOND, FIRST, photos(*levels), **ATTACK)
    assert (reverse.successful, reverse.transferred) == (2, 2)


def test_the_share_is_that_of_the_successful_attacks() -> None:
    result = Transfer("pgd", "l2", 0.5, photos=40, successful=20, transferred=5)
    assert result.share == 0.25 and result.interval == wilson(5, 20)
    assert result.to_json()["share"] == 0.25 and result.to_json()["interval"] == list(wilson(5, 20))
    text = transfer_text("a", "b", result)
    assert text.startswith("pgd within 0.5 (l2) fools a on 20 of 40 photos that both classify correctly; 5 of these")
    assert "25.00% (11.19% to 46.87%), fool b too" in text


def test_attacks_on_a_classifier_fool_the_same_classifier() -> None:
    result = transfer(FIRST, FIRST, photos(85, 92, 96, 116), **ATTACK)
    assert (result.photos, result.successful, result.share) == (4, 4, 1.0)


def test_without_a_success_there_is_no_share() -> None:
    result = transfer(FIRST, SECOND, photos(10, 240), **ATTACK)
    assert result.photos == 2 and result.successful == 0 and result.share is None and result.interval is None
    assert "no attack on a succeeds" in transfer_text("a", "b", result)
    assert transfer(FIRST, SECOND, iter(()), **ATTACK).photos == 0


def test_results_can_be_tracked_and_wrong_options_are_refused() -> None:
    numbers = []

    def track(results: Iterable[tuple[int, Adversarial]]) -> Iterator[tuple[int, Adversarial]]:
        for number, result in results:
            numbers.append(number)
            yield number, result

    transfer(FIRST, SECOND, photos(92, 96, 112), track=track, **ATTACK)
    assert sorted(numbers) == [0, 1, 2]
    with pytest.raises(BadAttack):
        transfer(FIRST, SECOND, photos(92), **{**ATTACK, "attack": "deepfool"})
