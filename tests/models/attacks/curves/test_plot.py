"""Tests that the plot of a curve shows all of its data."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from models.attacks.curves.curve import Curve, Point, curve
from models.attacks.curves.plot import plot
from models.classifier import Classifier
from models.classify import Prediction
from models.run import run
from tests.conftest import Draw

BLUE, ORANGE = (31, 119, 180), (255, 127, 14)
"""The first two colours of matplotlib: the lines of the original class and of the goal."""


@pytest.fixture(scope="module")
def example_curve(tiny: Classifier, draw: Draw) -> Curve:
    return run(curve(draw(40, 44), tiny.spec, norms=["l2", "l0"], norm="linf", steps=4), tiny)


def rows_of(pixels: Tensor, colour: tuple[int, int, int]) -> Tensor:
    """Return the rows, counted from the top, in which the colour occurs."""
    return (pixels == torch.tensor(colour, dtype=torch.uint8)[:, None, None]).all(dim=0).nonzero()[:, 0].float()


def flat_points(original: float, goal: float) -> tuple[Point, ...]:
    return tuple(Point(levels / 255, original, goal, False, levels / 255, "pgd") for levels in (0, 1, 2, 4))


def test_a_plot_has_a_sensible_size_and_background(example_curve: Curve) -> None:
    """It is wider than high, mostly light, and has many colours."""
    pixels = plot(example_curve)
    assert pixels.dtype == torch.uint8 and pixels.is_contiguous()
    channels, height, width = pixels.shape
    assert channels == 3 and 300 <= height <= 1200 and height < width <= 1600
    assert (pixels > 230).all(dim=0).float().mean() > 0.5
    assert len(pixels.flatten(1).unique(dim=1)[0]) > 20


def test_the_same_curve_gives_the_same_picture(example_curve: Curve) -> None:
    assert torch.equal(plot(example_curve), plot(example_curve))


def test_a_high_probability_is_drawn_above_a_low_one(example_curve: Curve) -> None:
    """Swapping 0.9 and 0.1 swaps the two lines, and at 0.5 both are in the middle."""
    heights = {}
    for original in (0.9, 0.5, 0.1):
        pixels = plot(replace(example_curve, points=flat_points(original, 1 - original), smallest={}))
        heights[original] = [rows_of(pixels, colour).mode().values.item() for colour in (BLUE, ORANGE)]
    (high, below), (low, above) = heights[0.9], heights[0.1]
    assert high == pytest.approx(above, abs=2) and low == pytest.approx(below, abs=2)
    assert low - high > 300
    assert heights[0.5][1] == pytest.approx((high + low) / 2, abs=3), "the line of the goal covers that of the original"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"points": flat_points(0.7, 0.3)}, id="points"),
        pytest.param({"norm": "l2"}, id="norm"),
        pytest.param({"smallest": {}}, id="smallest"),
        pytest.param({"target": Prediction("dog", 3, 0.1)}, id="target"),
        pytest.param({"original": Prediction("wombat", 0, 0.9)}, id="original"),
    ],
)
def test_another_curve_gives_another_picture(example_curve: Curve, change: dict[str, Any]) -> None:
    assert not torch.equal(plot(replace(example_curve, **change)), plot(example_curve))


def test_every_smallest_change_is_shown(example_curve: Curve) -> None:
    """A change of one norm or of its success changes the plot; for the norm of the axis a line is drawn as well."""
    pixels = plot(example_curve)
    l0 = example_curve.smallest["l0"]
    for changed in (replace(l0, norms={**l0.norms, "l0": 9999}), replace(l0, success=False)):
        assert not torch.equal(plot(replace(example_curve, smallest={**example_curve.smallest, "l0": changed})), pixels)
    linf = example_curve.smallest["linf"]
    moved = plot(
        replace(
            example_curve,
            smallest={**example_curve.smallest, "linf": replace(linf, norms={**linf.norms, "linf": 0.05})},
        )
    )
    below_the_title = slice(60, None)
    assert not torch.equal(moved[:, below_the_title], pixels[:, below_the_title])


def test_a_curve_without_successes_is_drawn(example_curve: Curve) -> None:
    """There is no smallest change to draw; a curve that was stopped at once has a single point."""
    failed = {norm: replace(result, success=False) for norm, result in example_curve.smallest.items()}
    pixels = plot(replace(example_curve, smallest=failed, points=flat_points(1.0, 0.0)))
    assert not torch.equal(pixels, plot(replace(example_curve, smallest={}, points=flat_points(1.0, 0.0))))
    assert (
        rows_of(plot(replace(example_curve, smallest={}, points=example_curve.points[:1], stopped=True)), BLUE).numel()
        > 20
    )


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_a_targeted_curve_is_drawn_in_every_norm(tiny: Classifier, draw: Draw, norm: str) -> None:
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
def test_any_class_name_leaves_the_layout_unchanged(example_curve: Curve, label: str) -> None:
    """Some names look like formulas or special names of matplotlib; a long one is cut, and the axes keep their size."""
    prediction = Prediction(label, 0, 0.5)
    pixels = plot(replace(example_curve, original=prediction, target=prediction, points=flat_points(0.9, 0.1)))
    assert pixels.shape == plot(example_curve).shape
    heights = [rows_of(pixels, colour).mode().values.item() for colour in (BLUE, ORANGE)]
    assert heights[1] - heights[0] > 250


def test_a_name_that_no_font_has_is_replaced_by_its_number(example_curve: Curve) -> None:
    """The name is a cuneiform sign, and its plot equals that of the name `class 7`."""
    pictures = [
        plot(replace(example_curve, original=Prediction(label, 7, 0.5), target=None))
        for label in ("\U00012000", "class 7")
    ]
    assert torch.equal(*pictures)
