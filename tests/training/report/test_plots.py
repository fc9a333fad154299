import io
from collections.abc import Callable

import numpy as np
import pytest
import torch
from PIL import Image

from training.metrics import measure
from training.report import plots
from training.report.folder import class_table


def picture(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


HISTORY = [
    {"epoch": 1, "loss": 0.7, "raw_accuracy": 0.8, "ema_accuracy": 0.7, "raw_clean": 0.9},
    {"epoch": 2, "loss": 0.5, "raw_accuracy": 0.9, "ema_accuracy": 0.95, "raw_clean": 0.9},
    {"epoch": 3, "loss": 0.4, "raw_accuracy": 0.9, "raw_balanced_accuracy": 0.6, "ema_accuracy": 1.0, "raw_clean": 0.9},
]
CURVE = {
    "attack": "apgd",
    "norm": "linf",
    "photos": 10,
    "curve": [
        {"epsilon": 0.0, "accuracy": 0.9, "interval": [0.6, 0.98]},
        {"epsilon": 4 / 255, "accuracy": 0.2, "interval": [0.06, 0.51]},
    ],
}
METRICS = measure(torch.tensor([[3.0, 0.0], [0.0, 1.0], [0.5, 0.0]]), torch.tensor([0, 1, 1]), ("cat", "dog"))
BLUE, ORANGE = (31, 119, 180), (255, 127, 14)
"""The colours of the first and of the second model in a plot."""


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.curves(HISTORY),
        lambda: plots.confusion([[5, 1], [0, 4]], ("cat", "dog")),
        lambda: plots.confusion(np.eye(200, dtype=int).tolist(), tuple(map(str, range(200)))),
        lambda: plots.reliability([(0, 0.0, 0.0), (3, 0.7, 0.6), (7, 0.9, 1.0)], 0.05),
        lambda: plots.robustness(CURVE),
        lambda: plots.robustness({**CURVE, "norm": "l2"}),
        lambda: plots.robustness_of_models({"a": {**CURVE, "options": {}}, "b": {**CURVE, "options": {"steps": 2}}}),
        lambda: plots.reliability_of_models({"a": METRICS, "b": METRICS}),
        lambda: plots.rates([1e-6, 1e-3, 1.0], [1.0, 0.5, 3.0], 1e-3),
    ],
    ids=[
        "curves",
        "confusion",
        "confusion of 200",
        "reliability",
        "Linf",
        "L2",
        "two models",
        "reliability of two",
        "rates",
    ],
)
def test_every_plot_is_a_picture_that_is_not_blank(draw: Callable[[], bytes]) -> None:
    pixels = picture(draw())
    assert min(pixels.shape[:2]) >= 300 and 0.005 < (pixels.min(axis=2) < 200).mean() < 0.9


def test_the_confusion_matrix_is_dark_where_photos_are() -> None:
    """All photos of two classes are right: the two squares of the diagonal are dark blue, the others white."""
    pixels = picture(plots.confusion([[9, 0], [0, 9]], ("a", "b")))
    dark = (pixels[..., 2] - pixels[..., 0] > 60) & (pixels[..., 0] < 60)
    rows, columns = np.nonzero(dark[:, : int(pixels.shape[1] * 0.75)])
    top, left = rows < rows.mean(), columns < columns.mean()
    assert (top == left).mean() > 0.9  # the bar of colours beside it lies on both


def test_the_balanced_accuracy_has_its_own_line() -> None:
    """The line is dashed; if an early epoch has no such figure, it begins later."""
    rows = [{"epoch": epoch, "loss": 0.5, "raw_accuracy": 0.9} for epoch in (1, 2, 3)]
    both = [{**row, "raw_balanced_accuracy": 0.5} for row in rows]

    def second(history: list[dict[str, float]]) -> int:
        return int((picture(plots.curves(history)) == [ORANGE]).all(axis=2).sum())

    assert second(rows) == 0 and second([rows[0], *both[1:]]) < second(both)
    assert second(both) > 300


def rows_of(pixels: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """The rows of the picture that have this colour, below the legend."""
    rows = np.nonzero((pixels == [colour]).all(axis=2))[0]
    return rows[rows > 0.25 * len(pixels)]


def test_the_more_robust_of_two_models_is_above() -> None:
    """The first falls from 90 % to 20 %, the second stays at 90 %; both begin at the same height, side by side."""
    firm = {**CURVE, "options": {}, "curve": [CURVE["curve"][0], {**CURVE["curve"][0], "epsilon": 4 / 255}]}
    pixels = picture(plots.robustness_of_models({"weak": {**CURVE, "options": {}}, "firm": firm}))
    blue, orange = rows_of(pixels, BLUE), rows_of(pixels, ORANGE)
    assert blue.max() > orange.max() + 50 and abs(int(blue.min()) - int(orange.min())) < 5


def test_the_reliability_of_two_models_is_in_one_plot() -> None:
    """The first is right about all photos, of which it is half certain; the second is certain, and always wrong."""
    labels, classes = torch.tensor([0, 0, 0, 0]), ("cat", "dog")
    modest = measure(torch.tensor([[0.0, -0.01]] * 4), labels, classes)
    wrong = measure(torch.tensor([[0.0, 9.0]] * 4), labels, classes)
    pixels = picture(plots.reliability_of_models({"modest": modest, "wrong": wrong}))
    above = pixels[int(0.25 * len(pixels)) : int(0.68 * len(pixels))]
    blue, orange = ((above == [colour]).all(axis=2).nonzero() for colour in (BLUE, ORANGE))
    assert blue[1].mean() < orange[1].mean() and blue[0].mean() < orange[0].mean()


NAMES = ("$a_{$", "猫", "Кошка", "قطة", "แมว\nb", "_hidden", "\udcff", "x" * 300)


@pytest.mark.parametrize("place", range(len(NAMES)))
def test_any_name_can_be_at_the_axes_of_a_confusion_matrix(place: int) -> None:
    """The matrix is about as large as with short names, and there is no warning, which would be an error here."""
    names = (NAMES[place], "dog")
    plot = picture(plots.confusion([[9, 1], [0, 4]], names))
    plain_plot = picture(plots.confusion([[9, 1], [0, 4]], ("cat", "dog")))
    dark, expected = (
        int(((pixels[..., 2] - pixels[..., 0] > 60) & (pixels[..., 0] < 60)).sum()) for pixels in (plot, plain_plot)
    )
    assert dark > 0.7 * expected > 5000 and max(plot.shape) < 2 * max(plain_plot.shape)


def test_a_name_that_no_font_can_draw_is_replaced_by_its_number() -> None:
    """Cuneiform is drawn as `class 1`; the axis and the table of classes explain the number."""
    matrix, names = [[9, 1], [0, 4]], ("dog", "\U00012000")
    numbered, plain = plots.confusion(matrix, names), plots.confusion(matrix, ("dog", "class 1"))
    assert (picture(numbered) != picture(plain)).any(), "the axis says where the names are"
    table = class_table(measure(torch.eye(2), torch.tensor([0, 1]), names))
    assert "<td>1</td><td>\U00012000</td><td>1</td><td>100.00%</td><td>1</td>" in table
