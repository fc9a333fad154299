import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

from training.report import plots


def picture(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


HISTORY = [
    {"epoch": 1, "loss": 0.7, "raw_accuracy": 0.8, "ema_accuracy": 0.7, "raw_clean": 0.9},
    {"epoch": 2, "loss": 0.5, "raw_accuracy": 0.9, "ema_accuracy": 0.95, "raw_clean": 0.9},
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


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plots.curves(HISTORY),
        lambda: plots.confusion([[5, 1], [0, 4]], ("cat", "dog")),
        lambda: plots.confusion(np.eye(200, dtype=int).tolist(), tuple(map(str, range(200)))),
        lambda: plots.reliability([(0, 0.0, 0.0), (3, 0.7, 0.6), (7, 0.9, 1.0)], 0.05),
        lambda: plots.robustness(CURVE),
        lambda: plots.robustness({**CURVE, "norm": "l2"}),
        lambda: plots.rates([1e-6, 1e-3, 1.0], [1.0, 0.5, 3.0], 1e-3),
    ],
    ids=["curves", "confusion", "confusion of 200", "reliability", "Linf", "L2", "rates"],
)
def test_every_plot_is_a_picture_with_something_on_it(draw: Callable[[], bytes]) -> None:
    pixels = picture(draw())
    assert min(pixels.shape[:2]) >= 300 and 0.005 < (pixels.min(axis=2) < 200).mean() < 0.9


def test_the_matrix_is_dark_where_photos_are() -> None:
    """All of two classes right: of the two squares on the diagonal the middle is dark blue, the others are white."""
    pixels = picture(plots.confusion([[9, 0], [0, 9]], ("a", "b")))
    dark = (pixels[..., 2] - pixels[..., 0] > 60) & (pixels[..., 0] < 60)
    rows, columns = np.nonzero(dark[:, : int(pixels.shape[1] * 0.75)])
    top, left = rows < rows.mean(), columns < columns.mean()
    assert (top == left).mean() > 0.9  # the bar of colours beside it lies on both
