"""Reports of progress while ideal pictures are drawn."""

import gc
from dataclasses import replace

import pytest
from torch import Tensor

from models.classifier import Classifier
from models.ideal.task import ideal
from models.query import Progress
from models.run import run


def test_progress_counts_and_shows(tiny: Classifier) -> None:
    reports: list[Progress] = []
    run(ideal(0, tiny.spec, steps=4, crops=2, size=40), tiny, reports.append)
    assert [(each.step, each.steps) for each in reports] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for each in reports:
        assert each.score() is not None and 0 <= each.score() <= 1
        assert each.render() is not None and each.render().shape == (3, 40, 40)
        assert not each.render().requires_grad


def test_progress_without_its_preview_holds_no_picture(tiny: Classifier) -> None:
    """A queue of them for a slow reader would hold every step's, at full size (41 pixels here, as nothing else)."""
    reports: list[Progress] = []
    several = ideal(1, tiny.spec, count=2, size=41, steps=5, crops=1)
    run(several, tiny, lambda progress: reports.append(replace(progress, picture=None)))
    gc.collect()
    assert len(reports) == 5 and all(progress.score() is not None for progress in reports)
    assert not any(type(each) is Tensor and each.shape[-2:] == (41, 41) for each in gc.get_objects())


def test_a_preview_is_a_picture_even_where_nothing_is_clamped(linear: Classifier) -> None:
    reports: list[Progress] = []
    run(ideal(0, linear.spec, method="pixel", crops=0, clamp=False, steps=2), linear, reports.append)
    for each in reports:
        assert each.render() is not None and (each.render().min(), each.render().max()) == (0, 1)


def test_progress_goes_on_until_the_last_has_ended(tiny: Classifier) -> None:
    """Of three that end at different steps."""
    reports: list[Progress] = []
    options = {"seed": 4, "count": 3, "steps": 60, "crops": 2, "patience": 6}
    result = run(ideal(1, tiny.spec, **options), tiny, reports.append)
    steps = [each.steps for each in result.pictures]
    assert min(steps) < max(steps)
    assert [each.step for each in reports] == list(range(1, max(steps) + 1))


def test_progress_of_several_shows_all(tiny: Classifier) -> None:
    reports: list[Progress] = []
    run(ideal(0, tiny.spec, steps=3, crops=2, count=4), tiny, reports.append)
    assert [each.step for each in reports] == [1, 2, 3]
    assert all(each.render() is not None and each.render().shape == (3, 68, 68) for each in reports)


def test_progress_of_several_tells_their_mean(tiny: Classifier) -> None:
    """Of each step what pictures of seed 4 and 5 score alone."""

    def scores(**options: int) -> list[float]:
        reports: list[Progress] = []
        run(ideal(0, tiny.spec, steps=3, crops=2, **options), tiny, reports.append)
        return [each.score() for each in reports if each.score() is not None]

    alone = zip(scores(seed=4), scores(seed=5), strict=True)
    assert scores(seed=4, count=2) == pytest.approx([sum(pair) / 2 for pair in alone], abs=1e-3)
