"""Tests the transformed views of a picture: against Pillow, SciPy, NumPy and known values."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor

from models.ideal import views
from models.ideal.views import FAMILIES
from models.preprocessing import preprocess, to_float
from tests.conftest import Draw
from tests.networks import unnormalised

SPEC = unnormalised(2, 32)
ROWS = {"crops": 24, "shifts": 8, "blur": 3, "jpeg": 3, "noise": 2, "half": 1}


def preprocessed(picture: Tensor) -> Tensor:
    return preprocess(to_float(picture).unsqueeze(0), SPEC)


@pytest.mark.parametrize("size", [17, 28, 32, 100])
@pytest.mark.parametrize("name", FAMILIES)
def test_every_family_has_a_fixed_number_of_views_at_the_input_size(draw: Draw, name: str, size: int) -> None:
    """Views lie between 0 and 1 for pictures of any size and depend only on the picture."""
    pixels = FAMILIES[name](draw(size, size), SPEC)
    assert pixels.shape == (ROWS[name], 3, 32, 32)
    assert pixels.min() >= 0 and pixels.max() <= 1
    assert torch.equal(pixels, FAMILIES[name](draw(size, size), SPEC))
    assert not torch.equal(pixels, FAMILIES[name](draw(size, size, seed=1), SPEC))


@pytest.mark.parametrize("name", sorted(FAMILIES.keys() - {"crops", "shifts"}))
def test_views_correlate_with_the_picture(draw: Draw, name: str) -> None:
    """Crops and shifts move the pixels and are left out here."""
    picture = draw(64, 64)
    for view in FAMILIES[name](picture, SPEC):
        assert torch.corrcoef(torch.stack([view.flatten(), preprocessed(picture).flatten()]))[0, 1] > 0.9


def test_jpeg_views_are_those_of_pillow(draw: Draw) -> None:
    picture = draw(48, 48)
    for row, quality in zip(views.jpegs(picture, SPEC), (75, 50, 25), strict=True):
        buffer = io.BytesIO()
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=quality)
        again = torch.from_numpy(np.array(Image.open(buffer))).permute(2, 0, 1)
        torch.testing.assert_close(row, preprocessed(again)[0])


@pytest.mark.parametrize("size", [224, 112])
def test_blurred_views_agree_with_scipy(draw: Draw, size: int) -> None:
    """Sigma is 1, 1.5 and 2 at 224 pixels and half of that at 112; edges are not compared."""
    spec = unnormalised(2, size)
    picture = draw(size, size)
    values = to_float(picture).double().numpy()
    for row, sigma in zip(views.blurs(picture, spec), (1.0, 1.5, 2.0), strict=True):
        expected = torch.from_numpy(gaussian_filter(values, [0, sigma * size / 224, sigma * size / 224], truncate=3))
        inner = (slice(None), slice(20, -20), slice(20, -20))
        torch.testing.assert_close(row[inner].double(), expected[inner], rtol=0, atol=2e-3)


def test_shifts_move_the_picture_in_eight_directions() -> None:
    """On a horizontal ramp of one level per pixel, a shift by 24 pixels changes the level by 24, a vertical one not."""
    ramp = torch.arange(16, 240, dtype=torch.uint8).expand(3, 224, 224).contiguous()
    pixels = views.shifts(ramp, unnormalised(2, 224)) * 255
    middle = pixels[:, 0, 112, 112] - 16 - 112
    expected = [24, 17, 0, -17, -24, -17, 0, 17]
    torch.testing.assert_close(middle, torch.tensor(expected, dtype=torch.float32), rtol=0, atol=0.01)


def test_edges_of_shifts_and_crops_are_filled_by_reflection() -> None:
    """So a picture of one colour has no other colour in its views."""
    for name in ("shifts", "crops"):
        pixels = FAMILIES[name](torch.full((3, 40, 40), 77, dtype=torch.uint8), SPEC)
        torch.testing.assert_close(pixels, torch.full_like(pixels, 77 / 255))


def test_noise_has_the_standard_deviations_0_05_and_0_1() -> None:
    noisy = views.noises(torch.full((3, 224, 224), 128, dtype=torch.uint8), unnormalised(2, 224))
    assert noisy.std(dim=(1, 2, 3)).tolist() == pytest.approx([0.05, 0.1], rel=0.02)


def test_halving_averages_a_chequerboard_to_grey() -> None:
    """The squares of the board are single pixels, black and white, so their mean is 0.5."""
    board = (torch.arange(64).reshape(-1, 1) + torch.arange(64)) % 2 * 255
    halved = views.halves(board.to(torch.uint8).expand(3, 64, 64).contiguous(), unnormalised(2, 64))
    assert (halved[..., 8:-8, 8:-8] - 0.5).abs().max() < 0.1


@pytest.mark.parametrize(("size", "far", "slanted"), [(224, 24, 17), (56, 6, 4)])
def test_shifts_agree_with_windows_of_the_picture_padded_by_numpy(size: int, far: int, slanted: int) -> None:
    """24 pixels of 224 are 6 of 56, and diagonal shifts go round(far / sqrt 2) in both directions."""
    picture = np.random.default_rng(0).integers(0, 256, (3, size, size), dtype=np.uint8)
    wide = np.pad(picture, [(0, 0), (far, far), (far, far)], mode="reflect")
    directions = [
        (0, far), (slanted, slanted), (far, 0), (slanted, -slanted),
        (0, -far), (-slanted, -slanted), (-far, 0), (-slanted, slanted),
    ]  # fmt: skip
    pixels = views.shifts(torch.from_numpy(picture), unnormalised(2, size))
    for row, (down, across) in zip(pixels, directions, strict=True):
        expected = wide[:, far + down : far + down + size, far + across : far + across + size]
        torch.testing.assert_close(row, torch.from_numpy(expected / 255).float(), rtol=0, atol=1e-5)


def test_halving_agrees_with_pillow(draw: Draw) -> None:
    """Pillow's antialiased bilinear filter rounds to levels four times, so the difference may be two levels."""
    picture = draw(64, 64)
    image = Image.fromarray(picture.permute(1, 2, 0).numpy())
    again = image.resize((32, 32), Image.Resampling.BILINEAR).resize((64, 64), Image.Resampling.BILINEAR)
    expected = torch.from_numpy(np.array(again)).permute(2, 0, 1)
    halved = views.halves(picture, unnormalised(2, 64))[0]
    torch.testing.assert_close(halved, to_float(expected), rtol=0, atol=2 / 255)


def test_crops_are_wide_and_half_of_them_mirrored() -> None:
    """Measured on horizontal and vertical ramps, sides are 0.6 to 1 and rotations at most 15 degrees."""
    line = torch.arange(240)
    ramp = torch.stack([line.expand(240, 240), line.reshape(-1, 1).expand(240, 240), line.expand(240, 240)])
    pixels = views.crops(ramp.to(torch.uint8), unnormalised(2, 240))[..., 100:140, 100:140] * 255
    across = (pixels[..., 1:] - pixels[..., :-1]).mean(dim=(2, 3))
    side = across[:, :2].norm(dim=1)
    assert 0.59 <= side.min() < 0.7 and 0.9 < side.max() <= 1.01
    turn = torch.atan2(across[:, 1], across[:, 0].abs()).rad2deg().abs()
    assert 10 < turn.max() <= 15.1
    assert 4 <= (across[:, 0] < 0).sum() <= 20
