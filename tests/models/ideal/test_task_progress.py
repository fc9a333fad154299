"""Tests the progress reports while ideal pictures are drawn: steps, scores and previews."""

import gc
from dataclasses import replace

import pytest
from torch import Tensor

from models.classifier import Classifier
from models.ideal.task import ideal
from models.query import Progress
from models.run import run


def test_every_step_reports_its_score_and_a_preview(tiny: Classifier) -> None:
    reports: list[Progress] = []
    run(ideal(0, tiny.spec, steps=4, crops=2, batch=1, size=40), tiny, reports.append)
    assert [(report.step, report.steps) for report in reports] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for report in reports:
        assert report.score() is not None and 0 <= report.score() <= 1
        assert report.render() is not None and report.render().shape == (3, 40, 40)
        assert not report.render().requires_grad


def test_a_report_without_its_preview_keeps_no_picture_in_memory(tiny: Classifier) -> None:
    """Reports may wait in a queue for a slow client. Only the drawn pictures have 41 pixels here."""
    reports: list[Progress] = []
    task = ideal(1, tiny.spec, count=2, size=41, steps=5, crops=1, batch=1)
    run(task, tiny, lambda progress: reports.append(replace(progress, picture=None)))
    gc.collect()
    assert len(reports) == 5 and all(progress.score() is not None for progress in reports)
    assert not any(type(candidate) is Tensor and candidate.shape[-2:] == (41, 41) for candidate in gc.get_objects())


def test_a_preview_lies_between_0_and_1_even_for_unclamped_pictures(linear: Classifier) -> None:
    reports: list[Progress] = []
    run(ideal(0, linear.spec, method="pixel", crops=0, clamp=False, steps=2), linear, reports.append)
    for report in reports:
        assert report.render() is not None and (report.render().min(), report.render().max()) == (0, 1)


def test_progress_is_reported_until_the_last_picture_has_ended(tiny: Classifier) -> None:
    """The three pictures stop at different steps."""
    reports: list[Progress] = []
    options = {"seed": 4, "count": 3, "steps": 60, "crops": 2, "patience": 6}
    result = run(ideal(1, tiny.spec, **options, batch=1), tiny, reports.append)
    steps = [picture.steps for picture in result.pictures]
    assert min(steps) < max(steps)
    assert [report.step for report in reports] == list(range(1, max(steps) + 1))


def test_the_preview_of_several_pictures_shows_all(tiny: Classifier) -> None:
    reports: list[Progress] = []
    run(ideal(0, tiny.spec, steps=3, crops=2, batch=1, count=4), tiny, reports.append)
    assert [report.step for report in reports] == [1, 2, 3]
    assert all(report.render() is not None and report.render().shape == (3, 68, 68) for report in reports)


def test_the_reported_score_of_several_pictures_is_their_mean(tiny: Classifier) -> None:
    """The expected means are those of pictures of seed 4 and seed 5 drawn alone."""

    def scores(**options: int) -> list[float]:
        reports: list[Progress] = []
        run(ideal(0, tiny.spec, steps=3, crops=2, batch=1, **options), tiny, reports.append)
        return [report.score() for report in reports if report.score() is not None]

    alone = zip(scores(seed=4), scores(seed=5), strict=True)
    assert scores(seed=4, count=2) == pytest.approx([sum(pair) / 2 for pair in alone], abs=1e-3)
