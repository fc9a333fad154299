"""What a person sees of a change: scikit-image's figures of the whole picture, computed in parts."""

import matplotlib
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.color import deltaE_ciede2000, rgb2lab
from skimage.metrics import structural_similarity
from torch import Tensor

from models.attacks import perception as module
from models.attacks.perception import Perception, heat_map, perception
from tests.conftest import Draw


def noisy(origin: Tensor, *, share: float = 1.0, seed: int = 0) -> Tensor:
    """A share of the pixels moved by up to 9 levels."""
    random = torch.Generator().manual_seed(seed)
    noise = torch.randint(-9, 10, origin.shape, generator=random)
    where = torch.rand(origin.shape[1:], generator=random) < share
    return (origin.int() + noise * where).clamp(0, 255).to(torch.uint8)


def of_the_whole(picture: Tensor, origin: Tensor, window: int = 7) -> Perception:
    """scikit-image on all pixels at once."""
    after, before = (levels.permute(1, 2, 0).numpy() for levels in (picture, origin))
    ssim = structural_similarity(after, before, win_size=window, channel_axis=2, data_range=255)
    distances = deltaE_ciede2000(rgb2lab(after), rgb2lab(before))
    mean_levels = np.abs(after.astype(int) - before.astype(int)).mean()
    return Perception(float(ssim), float(distances.mean()), float(np.percentile(distances, 95)), float(mean_levels))


def assert_same(result: Perception, expected: Perception, tolerance: float = 1e-6) -> None:
    assert vars(result) == pytest.approx(vars(expected), abs=tolerance)


@pytest.mark.parametrize("band", [1, 700, 2**19])
@pytest.mark.parametrize("share", [0.001, 0.03, 0.07, 0.5, 1.0])
def test_the_figures_are_scikit_images(
    monkeypatch: pytest.MonkeyPatch, chelsea: Tensor, band: int, share: float
) -> None:
    """In bands of one row, of a few and of all: to a millionth the figures of the whole picture."""
    monkeypatch.setattr(module, "BAND", band)
    origin = chelsea[:, :90, 100:211]
    picture = noisy(origin, share=share)
    assert_same(perception(picture, origin), of_the_whole(picture, origin))


@given(
    height=st.integers(3, 24),
    width=st.integers(3, 24),
    pixels=st.lists(st.tuples(st.integers(0, 23), st.integers(0, 23)), min_size=1, max_size=5),
    seed=st.integers(0, 9),
)
@settings(max_examples=40)
def test_a_few_pixels_anywhere_count_as_in_the_whole(
    draw: Draw, height: int, width: int, pixels: list[tuple[int, int]], seed: int
) -> None:
    """At corners and edges and in pictures hardly larger than a window, which has the largest odd side that fits."""
    origin = draw(height, width, seed)
    picture = origin.clone()
    for down, across in pixels:
        picture[:, down % height, across % width] += 40
    shorter = min(height, width)
    window = min(7, shorter if shorter % 2 else shorter - 1)
    assert_same(perception(picture, origin), of_the_whole(picture, origin, window))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 5), (5, 2), (3, 3), (40, 30)])
def test_nothing_is_seen_where_nothing_changed(draw: Draw, height: int, width: int) -> None:
    origin = draw(height, width)
    assert perception(origin, origin.clone()) == Perception(1.0, 0.0, 0.0, 0.0)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 5), (5, 2)])
def test_under_three_pixels_across_there_is_no_structure(height: int, width: int) -> None:
    """No window fits: SSIM is 0 as soon as anything changed. White to black is 100 in lightness, and in CIEDE2000."""
    white = torch.full((3, height, width), 255, dtype=torch.uint8)
    result = perception(torch.zeros_like(white), white)
    assert vars(result) == pytest.approx(
        {"ssim": 0.0, "ciede2000_mean": 100.0, "ciede2000_p95": 100.0, "mean_levels": 255.0}, rel=1e-4
    )


def test_of_many_changed_pixels_an_even_share_stands_for_all(monkeypatch: pytest.MonkeyPatch, chelsea: Tensor) -> None:
    """A thousand of 16,000 changed pixels give the mean and the percentile within a tenth."""
    picture = noisy(chelsea, share=0.12)
    expected = of_the_whole(picture, chelsea)
    monkeypatch.setattr(module, "SAMPLED", 1000)
    result = perception(picture, chelsea)
    assert result.ciede2000_mean == pytest.approx(expected.ciede2000_mean, rel=0.1)
    assert result.ciede2000_p95 == pytest.approx(expected.ciede2000_p95, rel=0.1)
    assert result.ciede2000_mean != expected.ciede2000_mean
    assert result.ssim == pytest.approx(expected.ssim, abs=1e-6)


def test_the_heat_map_shows_where() -> None:
    """The largest change of a pixel's channels over the largest of all: 0, half and whole along the colour map."""
    origin = torch.full((3, 1, 3), 100, dtype=torch.uint8)
    picture = origin.clone()
    picture[1, 0, 1] = 90
    picture[:, 0, 2] = torch.tensor([100, 120, 81], dtype=torch.uint8)
    colours = matplotlib.colormaps["inferno"](np.array([0, 128, 255]), bytes=True)[:, :3]
    assert torch.equal(heat_map(picture, origin), torch.from_numpy(colours).T.reshape(3, 1, 3))


def test_no_change_is_no_heat() -> None:
    origin = torch.full((3, 4, 5), 100, dtype=torch.uint8)
    assert heat_map(origin, origin).amax() <= 4  # inferno's darkest
    assert heat_map(origin, origin).shape == origin.shape
