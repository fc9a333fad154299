"""Attacks on large photos at the model's own size: the small problem is the large one in other words."""

import pytest
import torch
from torch import Tensor

from models.attacks.geometry import Norm, size
from models.attacks.reduced import GREY, is_reduced, reduce
from models.attacks.task import adversarial
from models.classifier import Classifier
from models.classify import classify
from models.preprocessing import preprocess, to_float
from models.run import run
from models.spec import Spec
from tests.conftest import Draw

SPEC = Spec("squeezenet1_1", ("ant", "bee", "cat"), input_size=32, resize=36)
SIZES = [(300, 400), (90, 61), (72, 72)]


def large(draw: Draw, height: int, width: int) -> Tensor:
    return to_float(draw(height, width)).unsqueeze(0)


def variable(norm: Norm) -> Tensor:
    """A small variable whose change is a few levels."""
    random = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    return GREY + 0.01 * (random.sign() if norm == "linf" else random)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_the_model_sees_the_lifted_change_as_the_small_problem_says(
    draw: Draw, norm: Norm, height: int, width: int
) -> None:
    """Where nothing meets black or white: preprocessing the changed photo gives the view of the variable."""
    photo = large(draw, height, width)
    small = reduce(photo, norm, SPEC)
    changed = photo + small.lift(variable(norm))
    torch.testing.assert_close(preprocess(changed, SPEC), small.view(variable(norm)), rtol=0, atol=2e-5)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_the_variables_norm_is_that_of_the_change(draw: Draw, norm: Norm, height: int, width: int) -> None:
    """In L2 a photo's change is as many times as long as its shorter side is than the model's 36 pixels."""
    small = reduce(large(draw, height, width), norm, SPEC)
    unit = min(height, width) / 36 if norm == "l2" else 1.0
    torch.testing.assert_close(
        size(small.lift(variable(norm)), norm), unit * size(variable(norm) - GREY, norm), rtol=1e-3, atol=1e-6
    )


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_the_model_can_be_shown_a_change_of_many_levels(draw: Draw, norm: Norm) -> None:
    """However large the photo, a variable within [0, 1] moves what the model sees by a third of the range at least."""
    small = reduce(torch.full((1, 3, 1200, 1600), 0.3), norm, SPEC)
    moved = small.view(torch.full((1, 3, 32, 32), 1.0)) - small.view(small.start)
    assert moved[..., 4:-4, 4:-4].min() > 1 / 3


def test_in_l2_no_change_that_looks_the_same_is_smaller(draw: Draw) -> None:
    """The lifted change is orthogonal to all that the model does not see: it is the pseudo-inverse's."""
    photo = large(draw, 90, 61)
    small = reduce(photo, "l2", SPEC)
    change = small.lift(variable("l2"))
    other = torch.randn(1, 3, 90, 61, generator=torch.Generator().manual_seed(2))
    # `other` less what brings its view to nothing, by a few hundred steps of gradient descent.
    unseen = other.clone()
    for _ in range(400):
        moving = unseen.clone().requires_grad_()
        (pulled,) = torch.autograd.grad(preprocess(moving, SPEC).square().sum() / 2, moving)
        unseen -= 2.0 * pulled
    cosine = torch.cosine_similarity(change.flatten(), unseen.flatten(), dim=0)
    assert abs(cosine.item()) < 0.01


def test_who_is_reduced(draw: Draw) -> None:
    """Large photos in L2 and Linf; in L1 and L0 few pixels change, which a small picture cannot say."""
    photo = torch.zeros(1, 3, 1000, 1000)
    assert is_reduced(photo, "l2", SPEC) and is_reduced(photo, "linf", SPEC)
    assert not is_reduced(photo, "l1", SPEC) and not is_reduced(photo, "l0", SPEC)
    assert not is_reduced(torch.zeros(1, 3, 999, 1000), "l2", SPEC)


@pytest.mark.parametrize(
    ("attack", "norm", "options"),
    [
        ("ddn", "l2", {}),
        ("pgd", "linf", {"epsilon": 0.1}),
        ("pgd", "l2", {"epsilon": 15.0}),
        ("pgd", "l2", {"epsilon": 15.0, "step_size": 0.5}),
        ("fmn", "linf", {}),
    ],
)
def test_a_large_photo_ends_verified_and_as_near_as_at_full_size(
    tiny: Classifier,
    draw: Draw,
    monkeypatch: pytest.MonkeyPatch,
    attack: str,
    norm: str,
    options: dict[str, float],
) -> None:
    """The same attack with and without the detour: both win in the file, and the detour's change is not much larger."""
    picture = draw(240, 330)
    results = []
    for threshold in (1, 10**9):
        monkeypatch.setattr("models.attacks.reduced.LARGE", threshold)
        result = run(adversarial(picture, tiny.spec, attack=attack, norm=norm, steps=60, **options), tiny)
        again = run(classify(result.picture, tiny.spec), tiny)[0]
        assert result.success and again.index == result.adversarial.index != result.original.index
        assert result.picture.shape == picture.shape
        results.append(result)
    reduced, full = results
    assert reduced.norms[norm] <= 1.1 * full.norms[norm]


def test_a_step_is_as_long_as_at_full_size(tiny: Classifier, draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    """One step of L2 1.5 within 1000, without a search for less: the change is 1.5 long, small variable or not."""
    sizes = []
    for threshold in (1, 10**9):
        monkeypatch.setattr("models.attacks.reduced.LARGE", threshold)
        options = {"epsilon": 1000.0, "step_size": 1.5, "steps": 1, "random_start": False}
        result = run(adversarial(draw(240, 330), tiny.spec, attack="pgd", norm="l2", **options), tiny)
        sizes.append(result.norms["l2"])
    assert sizes == [pytest.approx(1.5, rel=0.1)] * 2


def test_its_previews_are_what_the_model_sees(tiny: Classifier, draw: Draw, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.attacks.reduced.LARGE", 1)
    picture = draw(240, 330)
    previews: list[Tensor] = []
    run(
        adversarial(picture, tiny.spec, attack="ddn", steps=5),
        tiny,
        lambda report: previews.append(report.render()) if report.render() is not None else None,
    )
    model_input = preprocess(to_float(picture).unsqueeze(0), tiny.spec)[0]
    assert len(previews) == 5
    for preview in previews:
        torch.testing.assert_close(preview, model_input, rtol=0, atol=0.2)
