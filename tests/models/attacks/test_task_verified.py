"""Tests that every success is verified in the file: the file is written, decoded, and the model is asked again."""

from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from models.attacks.geometry import NORMS
from models.attacks.options import ATTACKS
from models.attacks.task import Adversarial, adversarial
from models.classifier import Classifier
from models.classify import classify
from models.effort import Effort
from models.pictures import decode, encode
from models.query import Progress
from models.run import run
from tests.conftest import Draw
from tests.models.attacks.attacking import few_steps, run_attack

STOPPING = [name for name, attack in ATTACKS.items() if "stop" in attack.options]


def assert_verified(result: Adversarial, classifier: Classifier, picture: Tensor) -> None:
    """Check that the decoded file is the reported picture, and that the model says of it what the report says."""
    before = run(classify(picture, classifier.spec), classifier)[0]
    decoded = decode(encode(result.to_encode))
    assert torch.equal(decoded, result.picture)
    after = run(classify(decoded, classifier.spec), classifier)[0]
    assert (after.index, after.label) == (result.adversarial.index, result.adversarial.label)
    assert result.success == (after.index != before.index)


@pytest.mark.parametrize("rows", [pytest.param(1, marks=pytest.mark.slow), 4])
@pytest.mark.parametrize(
    ("norm", "effort"),
    [
        pytest.param(norm, effort, marks=pytest.mark.slow if effort == "thorough" and norm != "linf" else [])
        for norm in NORMS
        for effort in get_args(Effort)
    ],
)
def test_every_effort_is_verified_in_the_file(
    tiny: Classifier, draw: Draw, norm: str, effort: Effort, rows: int
) -> None:
    for seed in range(2):
        picture = draw(40, 44, seed)
        result = run_attack(tiny, picture, attack="auto", norm=norm, effort=effort, rows=rows)
        assert result.success and result.options["effort"] == effort
        assert_verified(result, tiny, picture)


@pytest.mark.parametrize("stop", ["first", "strongest"])
@pytest.mark.parametrize("attack", STOPPING)
def test_both_ways_to_stop_are_verified_in_the_file(tiny: Classifier, draw: Draw, attack: str, stop: str) -> None:
    """Within every norm of the attack, `first` succeeds where `strongest` does."""
    for norm in ATTACKS[attack].norms:
        for seed in range(2):
            picture = draw(40, 44, seed)
            options: dict[str, Any] = {"attack": attack, "norm": norm, **few_steps(attack)}
            strongest = run_attack(tiny, picture, **options)
            result = run_attack(tiny, picture, stop=stop, **options)
            assert_verified(result, tiny, picture)
            assert result.success >= strongest.success
            assert result.passes.forward <= strongest.passes.forward + 1


def test_with_stop_first_no_step_follows_a_success(tiny: Classifier, draw: Draw) -> None:
    """PGD within a large budget wins after a few of its 40 steps, and each step is one report."""
    reports: list[Progress] = []
    task = adversarial(draw(40, 44), tiny.spec, attack="pgd", epsilon=64 / 255, stop="first")
    assert run(task, tiny, reports.append).success
    assert len(reports) < 40
    assert [report.success for report in reports] == [False] * (len(reports) - 1) + [True]


@pytest.mark.parametrize("norm", NORMS)
def test_a_success_is_reported_as_soon_as_it_is_verified(tiny: Classifier, draw: Draw, norm: str) -> None:
    """Reports say false until a rounded picture has won, and true from then on; in L2 within the first half."""
    reports: list[Progress] = []
    run(adversarial(draw(40, 44), tiny.spec, attack="auto", norm=norm), tiny, reports.append)
    told = [report.success for report in reports]
    assert told == sorted(told, key=bool), "once verified, a success stays"
    assert told[-1] is True
    if norm == "l2":
        assert told[len(told) // 2] is True


def test_a_jpeg_is_verified_as_it_is_read(tiny: Classifier, draw: Draw) -> None:
    """The success of the first picture that wins is that of the encoded JPEG."""
    picture = draw(40, 44)
    result = run_attack(tiny, picture, attack="pgd", epsilon=32 / 255, stop="first", jpeg=80)
    decoded = decode(encode(result.to_encode, format="jpeg", quality=80))
    after = run(classify(decoded, tiny.spec), tiny)[0]
    before = run(classify(picture, tiny.spec), tiny)[0]
    assert result.success == (after.index != before.index)
    assert torch.equal(decoded, result.picture)
