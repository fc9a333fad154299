"""Tests that the curve of a picture shows the best that is known within each budget."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from torch import Tensor

from models.attacks.curves.curve import LEVELS, MULTIPLES, Curve, curve
from models.attacks.geometry import NORMS, Norm
from models.attacks.options import BadAttack
from models.attacks.task import Adversarial, AlreadyTarget, adversarial
from models.classifier import Classifier
from models.classify import classify
from models.query import Answer, DeadlineExceeded, Progress, Query
from models.run import run
from tests.conftest import Draw
from tests.networks import Counting, LinearNetwork, unnormalised

STEPS = 5


@pytest.fixture(scope="module")
def picture(draw: Draw) -> Tensor:
    return draw(40, 44)


@pytest.fixture(scope="module")
def whole(tiny: Classifier, picture: Tensor) -> Curve:
    """Return the curve with the smallest changes in all four norms, whose points are in Linf."""
    return run(curve(picture, tiny.spec, steps=STEPS, seed=3), tiny)


@pytest.fixture(scope="module")
def single(tiny: Classifier, picture: Tensor) -> Callable[..., Adversarial]:
    def attack(**options: Any) -> Adversarial:
        return run(adversarial(picture, tiny.spec, steps=STEPS, seed=3, **options), tiny)

    return attack


@pytest.mark.parametrize(("norm", "target"), [("linf", None), ("linf", 1), ("l2", None), ("l2", 1), ("l1", None)])
def test_points_have_the_figures_of_verified_pictures(
    tiny: Classifier, picture: Tensor, single: Callable[..., Adversarial], norm: Norm, target: int | None
) -> None:
    """The first is the unchanged picture, and the last budgets are at least as successful as PGD alone."""
    result = run(curve(picture, tiny.spec, norms=[norm], norm=norm, target=target, steps=2 * STEPS, seed=3), tiny)
    first, *attacked_points = result.points
    before = {prediction.index: prediction.probability for prediction in run(classify(picture, tiny.spec), tiny)}
    assert (first.epsilon, first.success, first.size, first.attack) == (0.0, False, 0.0, None)
    assert first.original == pytest.approx(before[result.original.index], abs=1e-6)
    assert first.goal == pytest.approx(1 - first.original if target is None else before[target], abs=1e-6)
    for point in attacked_points:
        assert 0 < point.size <= point.epsilon and point.attack in ("pgd", "auto")
        if target is None:
            assert point.original + point.goal == pytest.approx(1)
    for point in attacked_points[-2:]:
        alone = single(attack="pgd", norm=norm, epsilon=point.epsilon, target=target)
        goal = 1 - alone.original_after.probability if alone.target is None else alone.target.probability
        assert point.success and point.goal > goal - 0.02
    assert result.target == (None if target is None else single(attack="pgd", target=1).target_before)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@pytest.mark.parametrize("target", [None, 1])
def test_the_curve_wins_exactly_from_the_smallest_change_on(
    tiny: Classifier, picture: Tensor, norm: Norm, target: int | None
) -> None:
    """Larger budgets are never less successful; the smallest change's own size is a point, the first that wins."""
    result = run(curve(picture, tiny.spec, norms=[norm], norm=norm, target=target, steps=15), tiny)
    smallest = result.smallest[norm]
    assert smallest.success
    for point in result.points:
        assert point.success == (point.epsilon >= smallest.norms[norm])
    (own,) = [point for point in result.points if point.epsilon == smallest.norms[norm]]
    assert own.size == own.epsilon and own.goal >= smallest.goal
    order = [(point.success, point.goal) for point in result.points]
    assert order == sorted(order)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_budgets_ascend_from_zero(tiny: Classifier, picture: Tensor, norm: Norm) -> None:
    """In Linf they are whole levels, in other norms multiples of the smallest change; its size is among them.

    PGD may find a smaller change than the one whose multiples the budgets are; these steps leave a few percent.
    """
    result = run(curve(picture, tiny.spec, norms=[norm], norm=norm, steps=STEPS), tiny)
    budgets, size = [point.epsilon for point in result.points], result.smallest[norm].norms[norm]
    assert budgets == sorted(set(budgets)) and size in budgets
    if norm == "linf":
        assert {round(255 * budget, 6) for budget in budgets} == {0, *LEVELS, round(255 * size, 6)}
    else:
        multiples = [budget / size for budget in budgets if not 1 < budget / size < 1.05]
        assert multiples == pytest.approx([0, *MULTIPLES], rel=0.05)


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_the_rows_of_a_query_do_not_change_the_curve(
    tiny: Classifier, picture: Tensor, whole: Curve, rows: int
) -> None:
    """No query has more rows, nor are there more passes with fewer."""
    sizes = []

    class Sizes(Counting):
        def answer(self, queries: list[Query]) -> list[Answer]:
            sizes.extend(len(query.pixels) for query in queries)
            return super().answer(queries)

    result = run(curve(picture, tiny.spec, steps=STEPS, seed=3, rows=rows), Sizes(tiny))
    assert max(sizes) <= rows
    assert list(result.smallest) == list(whole.smallest)
    for norm, smallest in result.smallest.items():
        assert smallest.norms[norm] == pytest.approx(whole.smallest[norm].norms[norm], rel=0.02)
    for point, other in zip(result.points, whole.points, strict=True):
        assert point.goal == pytest.approx(other.goal, abs=0.02)
    assert result.passes.backward == pytest.approx(whole.passes.backward, rel=0.1)


def test_smallest_changes_are_those_of_single_attacks(whole: Curve, single: Callable[..., Adversarial]) -> None:
    """Or smaller, where another search has found one."""
    assert tuple(whole.smallest) == NORMS
    for norm, result in whole.smallest.items():
        alone = single(attack="auto", norm=norm)
        assert result.success and result.norms[norm] <= 1.01 * alone.norms[norm]


def test_the_norm_of_the_curve_is_searched_as_well(tiny: Classifier, picture: Tensor) -> None:
    """A norm that is listed twice is searched once."""
    result = run(curve(picture, tiny.spec, norms=["l1", "l1"], norm="l2", steps=2), tiny)
    assert list(result.smallest) == ["l1", "l2"]
    assert result.norm == "l2"


def test_reported_passes_are_those_that_the_network_counted(tiny: Classifier, picture: Tensor) -> None:
    network = Counting(tiny)
    result = run(curve(picture, tiny.spec, norms=["l1"], steps=3), network)
    assert (result.passes.forward, result.passes.backward) == (network.forward, network.backward)
    assert network.backward > 5 * 3


def test_a_lower_effort_takes_fewer_passes(tiny: Classifier, picture: Tensor) -> None:
    results = [run(curve(picture, tiny.spec, norms=["l1"], effort=effort), tiny) for effort in ("quick", "standard")]
    assert [result.effort for result in results] == ["quick", "standard"]
    assert results[0].passes.backward < results[1].passes.backward


def test_progress_says_when_a_picture_that_reaches_the_goal_is_verified(tiny: Classifier, picture: Tensor) -> None:
    """At first there is none; once there is one, all later reports say so."""
    reports: list[Progress] = []
    run(curve(picture, tiny.spec, norms=["l2"], norm="l2", steps=10), tiny, reports.append)
    successes = [bool(report.success) for report in reports]
    assert successes == sorted(successes) and successes[-1]


def test_progress_is_counted_in_percent(tiny: Classifier, picture: Tensor) -> None:
    """The reports ascend, and the last one, at the end of all searches, is 100 %."""
    reports: list[Progress] = []
    run(curve(picture, tiny.spec, norms=["l2"], norm="linf", steps=4), tiny, reports.append)
    steps = [report.step for report in reports]
    assert steps == sorted(set(steps)) and len(steps) > 5
    assert steps[-1] == 100 and {report.steps for report in reports} == {100}


def test_the_curve_of_a_model_that_is_never_fooled() -> None:
    """All weights are zero: in Linf all budgets fail, and in L2 there is no smallest change to take multiples of."""
    network = LinearNetwork(3, 16)
    network.layer.weight.data.zero_()
    constant_model = Classifier(network, unnormalised(3, 16))
    grey = (0 * LinearNetwork(3, 16).layer.weight[0]).reshape(3, 16, 16).byte() + 128
    for norm, count in (("linf", 9), ("l2", 1)):
        result = run(curve(grey, constant_model.spec, norms=["l0"], norm=norm, steps=2), constant_model)
        assert not any(smallest.success for smallest in result.smallest.values())
        assert len(result.points) == count
        assert not any(point.success for point in result.points)
        assert {point.original for point in result.points} == {result.original.probability}


@pytest.fixture
def network(tiny: Classifier, monkeypatch: pytest.MonkeyPatch) -> Counting:
    """Return a network whose answers advance the clock of `run` by one second per row."""
    counting = Counting(tiny)
    monkeypatch.setattr("models.run.time", SimpleNamespace(monotonic=lambda: float(counting.forward)))
    return counting


@pytest.mark.parametrize("share", [0.01, 0.1, 0.2, 0.35, 0.5, 0.7, 0.85, 0.97])
def test_at_the_deadline_what_is_known_is_returned(
    tiny: Classifier, picture: Tensor, whole: Curve, network: Counting, share: float
) -> None:
    """All norms' successes until then are verified, and so are the budgets' results; every pass is counted."""
    task = curve(picture, tiny.spec, steps=STEPS, seed=3, best_at_deadline=True)
    result = run(task, network, deadline_s=share * whole.passes.forward)
    assert result.stopped and not whole.stopped
    for smallest in result.smallest.values():
        prediction = run(classify(smallest.picture, tiny.spec), tiny)[0]
        assert prediction.index == smallest.adversarial.index
    first, *rest = result.points
    assert first.epsilon == 0.0
    if rest:
        size = result.smallest["l2"].norms["l2"]
        assert all(point.success == (point.epsilon >= size) for point in result.points)
    assert (result.passes.forward, result.passes.backward) == (network.forward, network.backward)


def test_the_success_of_an_interrupted_search_is_reported(tiny: Classifier, picture: Tensor, network: Counting) -> None:
    """The deadline comes after the ten cheap steps of DDN, which have already succeeded."""
    task = curve(picture, tiny.spec, norms=["l2"], norm="l2", steps=100, best_at_deadline=True)
    result = run(task, network, deadline_s=15.0)
    assert result.stopped and result.smallest["l2"].success
    assert [point.success for point in result.points] == [False, True]


def test_budgets_that_a_deadline_interrupts_have_points(tiny: Classifier, picture: Tensor, network: Counting) -> None:
    """The deadline comes when the budgets have begun: their best until then is verified in one query."""
    until_smallest = run(curve(picture, tiny.spec, norms=["l2"], norm="l2", steps=10), tiny).passes
    for share in (0.87, 0.9):
        network.forward = network.backward = 0
        task = curve(picture, tiny.spec, norms=["l2"], norm="l2", steps=10, best_at_deadline=True)
        result = run(task, network, deadline_s=share * until_smallest.forward)
        assert result.stopped and len(result.points) == 1 + len(MULTIPLES)


@pytest.mark.parametrize("deadline_s", [0.0, 1.0, 30.0])
def test_without_best_at_deadline_the_deadline_is_an_error(
    tiny: Classifier, picture: Tensor, network: Counting, deadline_s: float
) -> None:
    with pytest.raises(DeadlineExceeded):
        run(curve(picture, tiny.spec, steps=STEPS), network, deadline_s=deadline_s)


def test_a_deadline_before_the_first_answer_is_an_error(tiny: Classifier, picture: Tensor, network: Counting) -> None:
    """Nothing is known yet, so the task raises; `run` itself always lets the first query be answered."""
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
def test_bad_options_are_refused_before_any_query(
    tiny: Classifier, picture: Tensor, options: dict[str, Any], reason: str
) -> None:
    network = Counting(tiny)
    with pytest.raises(BadAttack, match=reason):
        run(curve(picture, tiny.spec, **options), network)
    assert network.forward == 0


def test_the_predicted_class_is_refused_as_target(tiny: Classifier, picture: Tensor, whole: Curve) -> None:
    with pytest.raises(AlreadyTarget):
        run(curve(picture, tiny.spec, target=whole.original.index), tiny)
