"""Tests attacks on large photos that are reduced to an equivalent small problem at the model's input size."""

import pytest
import torch
from torch import Tensor

from models.attacks.geometry import Norm, size
from models.attacks.reduced import GREY, is_reduced, reduce
from models.attacks.task import adversarial
from models.classifier import Classifier
from models.classify import classify
from models.preprocessing import preprocess, to_float
from models.query import Progress
from models.run import run
from models.spec import Spec
from tests.conftest import Draw

SPEC = Spec("squeezenet1_1", ("ant", "bee", "cat"), input_size=32, resize=36)
SIZES = [(300, 400), (90, 61), (72, 72)]


def large_photo(draw: Draw, height: int, width: int) -> Tensor:
    return to_float(draw(height, width)).unsqueeze(0)


def small_variable(norm: Norm) -> Tensor:
    """Return a variable of the small problem whose change is a few levels."""
    random = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    return GREY + 0.01 * (random.sign() if norm == "linf" else random)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_preprocessing_the_lifted_change_gives_the_view_of_the_variable(
    draw: Draw, norm: Norm, height: int, width: int
) -> None:
    """This holds where no pixel reaches black or white."""
    photo = large_photo(draw, height, width)
    small = reduce(photo, norm, SPEC)
    changed = photo + small.lift(small_variable(norm))
    torch.testing.assert_close(preprocess(changed, SPEC), small.view(small_variable(norm)), rtol=0, atol=2e-5)


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_the_norm_of_the_variable_is_proportional_to_that_of_the_change(
    draw: Draw, norm: Norm, height: int, width: int
) -> None:
    """In L2 the factor is the shorter side of the photo over 36 pixels, in Linf it is 1."""
    small = reduce(large_photo(draw, height, width), norm, SPEC)
    unit = min(height, width) / 36 if norm == "l2" else 1.0
    torch.testing.assert_close(
        size(small.lift(small_variable(norm)), norm),
        unit * size(small_variable(norm) - GREY, norm),
        rtol=1e-3,
        atol=1e-6,
    )


@pytest.mark.parametrize(("height", "width"), SIZES)
@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_lowering_undoes_lifting(draw: Draw, norm: Norm, height: int, width: int) -> None:
    small = reduce(large_photo(draw, height, width), norm, SPEC)
    lowered = small.lower(small.lift(small_variable(norm)))
    torch.testing.assert_close(lowered, small_variable(norm), rtol=0, atol=1e-4)


@pytest.mark.parametrize("norm", ["l2", "linf"])
def test_the_variable_allows_large_changes(draw: Draw, norm: Norm) -> None:
    """For a photo of any size, a variable in [0, 1] can change the preprocessed pixels by at least 1/3."""
    small = reduce(torch.full((1, 3, 1200, 1600), 0.3), norm, SPEC)
    difference = small.view(torch.full((1, 3, 32, 32), 1.0)) - small.view(small.start)
    assert difference[..., 4:-4, 4:-4].min() > 1 / 3


def test_the_lifted_l2_change_is_the_smallest_with_its_view(draw: Draw) -> None:
    """It is orthogonal to every change that preprocessing maps to zero, as the pseudo-inverse is."""
    photo = large_photo(draw, 90, 61)
    small = reduce(photo, "l2", SPEC)
    change = small.lift(small_variable("l2"))
    random_change = torch.randn(1, 3, 90, 61, generator=torch.Generator().manual_seed(2))
    # Gradient descent removes from a random change all that preprocessing does not map to zero.
    invisible = random_change.clone()
    for _ in range(400):
        leaf = invisible.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(preprocess(leaf, SPEC).square().sum() / 2, leaf)
        invisible -= 2.0 * gradient
    cosine = torch.cosine_similarity(change.flatten(), invisible.flatten(), dim=0)
    assert abs(cosine.item()) < 0.01


def test_only_large_photos_in_l2_and_linf_are_reduced(draw: Draw) -> None:
    """In L1 and L0 few pixels change, which a small picture cannot express."""
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
def test_the_reduced_attack_succeeds_with_a_change_as_small_as_at_full_size(
    tiny: Classifier,
    draw: Draw,
    monkeypatch: pytest.MonkeyPatch,
    attack: str,
    norm: str,
    options: dict[str, float],
) -> None:
    """With and without reduction the file is adversarial, and the reduced attack's change is at most 10 % larger."""
    picture = draw(240, 330)
    results = []
    for threshold in (1, 10**9):
        monkeypatch.setattr("models.attacks.reduced.LARGE", threshold)
        result = run(adversarial(picture, tiny.spec, attack=attack, norm=norm, steps=60, **options), tiny)
        prediction = run(classify(result.picture, tiny.spec), tiny)[0]
        assert result.success and prediction.index == result.adversarial.index != result.original.index
        assert result.picture.shape == picture.shape
        results.append(result)
    reduced, full = results
    assert reduced.norms[norm] <= 1.1 * full.norms[norm]


def test_a_step_of_a_reduced_attack_is_as_long_as_at_full_size(
    tiny: Classifier, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One step of size 1.5 in L2 changes the photo by 1.5, whether or not the attack is reduced."""
    sizes = []
    for threshold in (1, 10**9):
        monkeypatch.setattr("models.attacks.reduced.LARGE", threshold)
        options = {"epsilon": 1000.0, "step_size": 1.5, "steps": 1, "random_start": False}
        result = run(adversarial(draw(240, 330), tiny.spec, attack="pgd", norm="l2", **options), tiny)
        sizes.append(result.norms["l2"])
    assert sizes == [pytest.approx(1.5, rel=0.1)] * 2


def test_previews_of_a_reduced_attack_are_preprocessed_pictures(
    tiny: Classifier, draw: Draw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And so is the start, from which the change is computed: both are what the model sees."""
    monkeypatch.setattr("models.attacks.reduced.LARGE", 1)
    picture = draw(240, 330)
    previews: list[Tensor] = []
    starts: list[Tensor] = []

    def listen(report: Progress) -> None:
        preview, start = report.render(), report.render_start()
        assert preview is not None and start is not None
        previews.append(preview)
        starts.append(start)

    run(adversarial(picture, tiny.spec, attack="ddn", steps=5), tiny, listen)
    model_input = preprocess(to_float(picture).unsqueeze(0), tiny.spec)[0]
    assert len(previews) == 5
    for preview, start in zip(previews, starts, strict=True):
        torch.testing.assert_close(preview, model_input, rtol=0, atol=0.2)
        torch.testing.assert_close(start, model_input, rtol=0, atol=2e-6)
    assert not torch.equal(previews[-1], starts[-1])
