"""Tests the measures of how visible a change is: computed in bands, they equal those of scikit-image."""

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


def add_noise(origin: Tensor, *, share: float = 1.0, seed: int = 0) -> Tensor:
    """Change a share of the pixels by up to 9 levels."""
    random = torch.Generator().manual_seed(seed)
    noise = torch.randint(-9, 10, origin.shape, generator=random)
    where = torch.rand(origin.shape[1:], generator=random) < share
    return (origin.int() + noise * where).clamp(0, 255).to(torch.uint8)


def expected_perception(picture: Tensor, origin: Tensor, window: int = 7) -> Perception:
    """Compute the measures with scikit-image on the whole picture."""
    after, before = (levels.permute(1, 2, 0).numpy() for levels in (picture, origin))
    ssim = structural_similarity(after, before, win_size=window, channel_axis=2, data_range=255)
    distances = deltaE_ciede2000(rgb2lab(after), rgb2lab(before))
    mean_levels = np.abs(after.astype(int) - before.astype(int)).mean()
    unchanged = float((after == before).mean())
    return Perception(
        float(ssim), float(distances.mean()), float(np.percentile(distances, 95)), float(mean_levels), unchanged
    )


def assert_same(result: Perception, expected: Perception, tolerance: float = 1e-6) -> None:
    assert vars(result) == pytest.approx(vars(expected), abs=tolerance)


@pytest.mark.parametrize("band", [1, 700, 2**19])
@pytest.mark.parametrize("share", [0.001, 0.03, 0.07, 0.5, 1.0])
def test_the_measures_agree_with_scikit_image(
    monkeypatch: pytest.MonkeyPatch, chelsea: Tensor, band: int, share: float
) -> None:
    """In bands of one row, of a few rows and of all rows, they agree to 1e-6."""
    monkeypatch.setattr(module, "BAND", band)
    origin = chelsea[:, :90, 100:211]
    picture = add_noise(origin, share=share)
    assert_same(perception(picture, origin), expected_perception(picture, origin))


@given(
    height=st.integers(3, 24),
    width=st.integers(3, 24),
    pixels=st.lists(st.tuples(st.integers(0, 23), st.integers(0, 23)), min_size=1, max_size=5),
    seed=st.integers(0, 9),
)
@settings(max_examples=40)
def test_a_few_changed_pixels_are_measured_as_by_scikit_image(
    draw: Draw, height: int, width: int, pixels: list[tuple[int, int]], seed: int
) -> None:
    """This includes corners, edges and pictures smaller than a window, which then is the largest odd one that fits."""
    origin = draw(height, width, seed)
    picture = origin.clone()
    for down, across in pixels:
        picture[:, down % height, across % width] += 40
    shorter = min(height, width)
    window = min(7, shorter if shorter % 2 else shorter - 1)
    assert_same(perception(picture, origin), expected_perception(picture, origin, window))


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 5), (5, 2), (3, 3), (40, 30)])
def test_an_unchanged_picture_has_perfect_measures(draw: Draw, height: int, width: int) -> None:
    origin = draw(height, width)
    assert perception(origin, origin.clone()) == Perception(1.0, 0.0, 0.0, 0.0, 1.0)


@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 5), (5, 2)])
def test_ssim_of_a_changed_picture_under_three_pixels_is_zero(height: int, width: int) -> None:
    """No SSIM window fits, so SSIM is 0 for any change. White to black is a CIEDE2000 distance of 100."""
    white = torch.full((3, height, width), 255, dtype=torch.uint8)
    result = perception(torch.zeros_like(white), white)
    assert vars(result) == pytest.approx(
        {"ssim": 0.0, "ciede2000_mean": 100.0, "ciede2000_p95": 100.0, "mean_levels": 255.0, "unchanged": 0.0}, rel=1e-4
    )


def test_many_changed_pixels_are_sampled_evenly(monkeypatch: pytest.MonkeyPatch, chelsea: Tensor) -> None:
    """A sample of 1000 of 16,000 changed pixels gives the mean and the percentile within 10 %."""
    picture = add_noise(chelsea, share=0.12)
    expected = expected_perception(picture, chelsea)
    monkeypatch.setattr(module, "SAMPLED", 1000)
    result = perception(picture, chelsea)
    assert result.ciede2000_mean == pytest.approx(expected.ciede2000_mean, rel=0.1)
    assert result.ciede2000_p95 == pytest.approx(expected.ciede2000_p95, rel=0.1)
    assert result.ciede2000_mean != expected.ciede2000_mean
    assert result.ssim == pytest.approx(expected.ssim, abs=1e-6)


def test_the_heat_map_shows_the_relative_change_per_pixel() -> None:
    """The largest changes of the three pixels are 0, 10 and 20, so they have the colours at 0, 1/2 and 1."""
    origin = torch.full((3, 1, 3), 100, dtype=torch.uint8)
    picture = origin.clone()
    picture[1, 0, 1] = 90
    picture[:, 0, 2] = torch.tensor([100, 120, 81], dtype=torch.uint8)
    colours = matplotlib.colormaps["inferno"](np.array([0, 128, 255]), bytes=True)[:, :3]
    assert torch.equal(heat_map(picture, origin), torch.from_numpy(colours).T.reshape(3, 1, 3))


def test_the_heat_map_of_no_change_is_dark() -> None:
    origin = torch.full((3, 4, 5), 100, dtype=torch.uint8)
    assert heat_map(origin, origin).amax() <= 4  # the darkest colour of inferno
    assert heat_map(origin, origin).shape == origin.shape
