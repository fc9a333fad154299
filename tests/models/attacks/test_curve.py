"""The curve of one picture is what single attacks make of it."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from torch import Tensor

from models.attacks.curve import LEVELS, MULTIPLES, Curve, curve
from models.attacks.geometry import NORMS
from models.attacks.options import BadAttack
from models.attacks.task import Adversarial, AlreadyTarget, adversarial
from models.classifier import Classifier
from models.classify import classify
from models.query import DeadlineExceeded, Progress
from models.run import run
from tests.conftest import Draw
from tests.networks import Counting, LinearNetwork, unnormalised

STEPS = 5


@pytest.fixture(scope="module")
def picture(draw: Draw) -> Tensor:
    return draw(40, 44)


@pytest.fixture(scope="module")
def whole(tiny: Classifier, picture: Tensor) -> Curve:
    """All four norms, then Linf."""
    return run(curve(picture, tiny.spec, steps=STEPS, seed=3), tiny)


@pytest.fixture(scope="module")
def single(tiny: Classifier, picture: Tensor) -> Callable[..., Adversarial]:
    def attack(**options: Any) -> Adversarial:
        return run(adversarial(picture, tiny.spec, steps=STEPS, seed=3, **options), tiny)

    return attack


@pytest.mark.parametrize(("norm", "target"), [("linf", None), ("linf", 1), ("l2", None), ("l2", 1), ("l1", None)])
def test_points_are_those_of_single_attacks(
    tiny: Classifier, picture: Tensor, single: Callable[..., Adversarial], norm: str, target: int | None
) -> None:
    """PGD within each budget, with the same seed, to the last digit; before them the picture as it is."""
    result = run(curve(picture, tiny.spec, norms=[norm], norm=norm, target=target, steps=STEPS, seed=3), tiny)
    first, *others = result.points
    before = {prediction.index: prediction.probability for prediction in run(classify(picture, tiny.spec), tiny)}
    assert (first.epsilon, first.success) == (0.0, False)
    assert first.original == pytest.approx(before[result.original.index], abs=1e-6)
    assert first.goal == pytest.approx(1 - first.original if target is None else before[target], abs=1e-6)
    for point in others:
        alone = single(attack="pgd", norm=norm, epsilon=point.epsilon, target=target)
        left = alone.original_after.probability
        assert (point.original, point.success) == (left, alone.success)
        assert point.goal == (1 - left if alone.target is None else alone.target.probability)
    assert others[-1].success
    assert result.target == (None if target is None else single(attack="pgd", target=1).target_before)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_budgets_ascend_from_none(tiny: Classifier, picture: Tensor, norm: str) -> None:
    """In Linf whole levels; else multiples of the smallest change that wins."""
    result = run(curve(picture, tiny.spec, norms=[norm], norm=norm, steps=STEPS), tiny)
    budgets = [point.epsilon for point in result.points]
    assert budgets == sorted(set(budgets))
    if norm == "linf":
        assert [round(255 * budget, 6) for budget in budgets] == [0, *LEVELS]
    else:
        assert budgets == [0.0, *(multiple * result.smallest[norm].norms[norm] for multiple in MULTIPLES)]


def test_the_smallest_are_those_of_single_attacks(whole: Curve, single: Callable[..., Adversarial]) -> None:
    assert tuple(whole.smallest) == NORMS
    for norm, result in whole.smallest.items():
        alone = single(attack="auto", norm=norm)
        assert result.success and (result.picture == alone.picture).all()
        assert result.norms == alone.norms


def test_the_norm_that_is_drawn_is_looked_for_too(tiny: Classifier, picture: Tensor) -> None:
    """And a norm that is named twice once."""
    result = run(curve(picture, tiny.spec, norms=["l1", "l1"], norm="l2", steps=2), tiny)
    assert list(result.smallest) == ["l1", "l2"]
    assert result.norm == "l2"


def test_passes_are_what_the_network_counted(tiny: Classifier, picture: Tensor) -> None:
    network = Counting(tiny)
    result = run(curve(picture, tiny.spec, norms=["l1"], steps=3), network)
    assert (result.passes.forward, result.passes.backward) == (network.forward, network.backward)
    assert network.backward > 8 * 3


def test_progress_counts_attacks(tiny: Classifier, picture: Tensor) -> None:
    """Two norms and eight budgets."""
    reports: list[Progress] = []
    run(curve(picture, tiny.spec, norms=["l2"], norm="linf", steps=2), tiny, reports.append)
    assert [(report.step, report.steps) for report in reports] == [(count, 10) for count in range(1, 11)]


def test_a_model_that_is_never_fooled() -> None:
    """It sees nothing: in Linf all budgets fail and change nothing, in L2 there is no unit for budgets."""
    network = LinearNetwork(3, 16)
    network.layer.weight.data.zero_()
    blind = Classifier(network, unnormalised(3, 16))
    grey = (0 * LinearNetwork(3, 16).layer.weight[0]).reshape(3, 16, 16).byte() + 128
    for norm, count in (("linf", 9), ("l2", 1)):
        result = run(curve(grey, blind.spec, norms=["l0"], norm=norm, steps=2), blind)
        assert not any(smallest.success for smallest in result.smallest.values())
        assert len(result.points) == count
        assert {(point.original, point.success) for point in result.points} == {(result.original.probability, False)}


@pytest.fixture
def network(tiny: Classifier, monkeypatch: pytest.MonkeyPatch) -> Counting:
    """A network by whose answers time is told: one second each."""
    counting = Counting(tiny)
    monkeypatch.setattr("models.run.time", SimpleNamespace(monotonic=lambda: counting.forward))
    return counting


@pytest.mark.parametrize("share", [0.01, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 0.97])
def test_at_the_deadline_what_is_known_is_returned(
    tiny: Classifier, picture: Tensor, whole: Curve, network: Counting, share: float
) -> None:
    """Norms and points that were done are those of the whole curve; of the attack under way what wins is kept."""
    task = curve(picture, tiny.spec, steps=STEPS, seed=3, best_at_deadline=True)
    result = run(task, network, deadline_s=share * whole.passes.forward)
    assert result.stopped and not whole.stopped
    assert result.points == whole.points[: len(result.points)]
    assert list(result.smallest) == list(NORMS)[: len(result.smallest)]
    for norm, smallest in result.smallest.items():
        if smallest.stopped:
            assert smallest.success, "a search that was broken off does not say that there is nothing"
            assert norm == list(result.smallest)[-1]
        else:
            assert smallest.norms == whole.smallest[norm].norms
        again = run(classify(smallest.picture, tiny.spec), tiny)[0]
        assert again.index == smallest.adversarial.index
    assert len(result.points) == 1 or len(result.smallest) == len(NORMS)
    assert (result.passes.forward, result.passes.backward) == (network.forward, network.backward)


def test_the_win_of_a_search_that_was_broken_off_is_known(tiny: Classifier, picture: Tensor, network: Counting) -> None:
    """After DDN's ten cheap steps of the first norm."""
    task = curve(picture, tiny.spec, norms=["l2"], norm="l2", steps=100, best_at_deadline=True)
    result = run(task, network, deadline_s=15.0)
    assert result.stopped and result.smallest["l2"].success and result.smallest["l2"].stopped
    assert len(result.points) == 1


@pytest.mark.parametrize("deadline_s", [0.0, 1.0, 30.0])
def test_otherwise_the_deadline_is_an_error(
    tiny: Classifier, picture: Tensor, network: Counting, deadline_s: float
) -> None:
    with pytest.raises(DeadlineExceeded):
        run(curve(picture, tiny.spec, steps=STEPS), network, deadline_s=deadline_s)


def test_before_the_first_answer_nothing_is_known(tiny: Classifier, picture: Tensor, network: Counting) -> None:
    """A driver that stops it there gets the error; `run` lets the first look happen, whatever the deadline."""
    task = curve(picture, tiny.spec, best_at_deadline=True)
    task.send(None)
    with pytest.raises(DeadlineExceeded):
        task.throw(DeadlineExceeded("time is up"))
    assert run(curve(picture, tiny.spec, best_at_deadline=True), network, deadline_s=-1.0).stopped


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"norm": "l0"}, "drawn in one of linf, l2, l1, and"),
        ({"norm": "l7"}, "drawn in one of linf, l2, l1, and"),
        ({"norm": ""}, "drawn in one of"),
        ({"norms": ()}, "in one or more of linf, l2, l1, l0"),
        ({"norms": ("linf", "l3")}, "in one or more of linf, l2, l1, l0"),
        ({"steps": 0}, "steps must be a whole number from 1"),
        ({"seed": -1}, "seed must be a whole number from 0"),
    ],
)
def test_bad_options_are_refused_before_anything_is_asked(
    tiny: Classifier, picture: Tensor, options: dict[str, Any], reason: str
) -> None:
    network = Counting(tiny)
    with pytest.raises(BadAttack, match=reason):
        run(curve(picture, tiny.spec, **options), network)
    assert network.forward == 0


def test_a_target_that_it_is_already(tiny: Classifier, picture: Tensor, whole: Curve) -> None:
    with pytest.raises(AlreadyTarget):
        run(curve(picture, tiny.spec, target=whole.original.index), tiny)
