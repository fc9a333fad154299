"""The plot of a curve shows what is in it."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from models.attacks.curve import Curve, Point, curve
from models.attacks.plot import plot
from models.classifier import Classifier
from models.classify import Prediction
from models.run import run
from tests.conftest import Draw

BLUE, ORANGE = (31, 119, 180), (255, 127, 14)
"""matplotlib's first two colours: the original's line, and the goal's."""


@pytest.fixture(scope="module")
def drawn(tiny: Classifier, draw: Draw) -> Curve:
    return run(curve(draw(40, 44), tiny.spec, norms=["l2", "l0"], norm="linf", steps=4), tiny)


def rows_of(shown: Tensor, colour: tuple[int, int, int]) -> Tensor:
    """The heights, from the top, at which the colour is seen."""
    return (shown == torch.tensor(colour, dtype=torch.uint8)[:, None, None]).all(dim=0).nonzero()[:, 0].float()


def flat(original: float, goal: float) -> tuple[Point, ...]:
    return tuple(Point(levels / 255, original, goal, False) for levels in (0, 1, 2, 4))


def test_it_is_a_picture_of_sane_size(drawn: Curve) -> None:
    """Of more than one colour, on white, as wide as a page."""
    shown = plot(drawn)
    assert shown.dtype == torch.uint8 and shown.is_contiguous()
    channels, height, width = shown.shape
    assert channels == 3 and 300 <= height <= 1200 and height < width <= 1600
    assert (shown == 255).all(dim=0).float().mean() > 0.5
    assert len(shown.flatten(1).unique(dim=1)[0]) > 20


def test_the_same_curve_gives_the_same_picture(drawn: Curve) -> None:
    assert torch.equal(plot(drawn), plot(drawn))


def test_a_high_probability_is_drawn_above_a_low_one(drawn: Curve) -> None:
    """At 0.9 and 0.1, and the other way round: the lines change places, and at 0.5 both are in the middle."""
    heights = {}
    for original in (0.9, 0.5, 0.1):
        shown = plot(replace(drawn, points=flat(original, 1 - original), smallest={}))
        heights[original] = [rows_of(shown, colour).mode().values.item() for colour in (BLUE, ORANGE)]
    (high, below), (low, above) = heights[0.9], heights[0.1]
    assert high == pytest.approx(above, abs=2) and low == pytest.approx(below, abs=2)
    assert low - high > 300
    assert heights[0.5][1] == pytest.approx((high + low) / 2, abs=3), "the goal's lies over the original's"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"points": flat(0.7, 0.3)}, id="points"),
        pytest.param({"norm": "l2"}, id="norm"),
        pytest.param({"smallest": {}}, id="smallest"),
        pytest.param({"target": Prediction("dog", 3, 0.1)}, id="target"),
        pytest.param({"original": Prediction("wombat", 0, 0.9)}, id="original"),
    ],
)
def test_another_curve_gives_another_picture(drawn: Curve, change: dict[str, Any]) -> None:
    assert not torch.equal(plot(replace(drawn, **change)), plot(drawn))


def test_each_smallest_change_is_told(drawn: Curve) -> None:
    """A figure that differs in one norm alone is seen, and so is a failure; the axis' own norm has a line as well."""
    shown = plot(drawn)
    l0 = drawn.smallest["l0"]
    for other in (replace(l0, norms={**l0.norms, "l0": 9999}), replace(l0, success=False)):
        assert not torch.equal(plot(replace(drawn, smallest={**drawn.smallest, "l0": other})), shown)
    linf = drawn.smallest["linf"]
    moved = plot(replace(drawn, smallest={**drawn.smallest, "linf": replace(linf, norms={**linf.norms, "linf": 0.05})}))
    below_the_title = slice(60, None)
    assert not torch.equal(moved[:, below_the_title], shown[:, below_the_title])


def test_nothing_was_found(drawn: Curve) -> None:
    """No line at the smallest, and nothing infinite to draw; a curve that was stopped at once has one point."""
    failed = {norm: replace(result, success=False) for norm, result in drawn.smallest.items()}
    shown = plot(replace(drawn, smallest=failed, points=flat(1.0, 0.0)))
    assert not torch.equal(shown, plot(replace(drawn, smallest={}, points=flat(1.0, 0.0))))
    assert rows_of(plot(replace(drawn, smallest={}, points=drawn.points[:1], stopped=True)), BLUE).numel() > 20


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_a_targeted_curve_in_each_norm(tiny: Classifier, draw: Draw, norm: str) -> None:
    result = run(curve(draw(40, 44), tiny.spec, target=0, norms=[norm], norm=norm, steps=3), tiny)
    assert result.target is not None and result.target.label == "red fox"
    assert plot(result).shape == plot(replace(result, target=None)).shape


@pytest.mark.parametrize(
    "label",
    [
        "$a_{$",
        "$100",
        "a$b$c",
        "_hidden",
        "x" * 10_000,
        "two\nlines",
        "%s {0} \\frac",
        "",
        "猫",
        "แมว",
        "Кошка",
        "قطة",
        "🐕",
        "\udcff",
    ],
)
def test_any_class_name_is_shown_as_it_is(drawn: Curve, label: str) -> None:
    """Formulas and marks of matplotlib's own among them; a long one is cut, and the axes keep their room."""
    named = Prediction(label, 0, 0.5)
    shown = plot(replace(drawn, original=named, target=named, points=flat(0.9, 0.1)))
    assert shown.shape == plot(drawn).shape
    heights = [rows_of(shown, colour).mode().values.item() for colour in (BLUE, ORANGE)]
    assert heights[1] - heights[0] > 250


def test_a_name_that_no_font_has_is_a_number_and_no_box(drawn: Curve) -> None:
    """Of a script that nobody writes any more, and that is drawn as `class 7` is."""
    shown = [
        plot(replace(drawn, original=Prediction(label, 7, 0.5), target=None)) for label in ("\U00012000", "class 7")
    ]
    assert torch.equal(*shown)
