"""Ways to look at a picture: by Pillow, SciPy and by hand."""

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


def seen(picture: Tensor) -> Tensor:
    return preprocess(to_float(picture).unsqueeze(0), SPEC)


@pytest.mark.parametrize("size", [17, 28, 32, 100])
@pytest.mark.parametrize("name", FAMILIES)
def test_so_many_at_the_networks_size(draw: Draw, name: str, size: int) -> None:
    """In [0, 1], whatever the picture's size; the same picture has the same views, another one others."""
    found = FAMILIES[name](draw(size, size), SPEC)
    assert found.shape == (ROWS[name], 3, 32, 32)
    assert found.min() >= 0 and found.max() <= 1
    assert torch.equal(found, FAMILIES[name](draw(size, size), SPEC))
    assert not torch.equal(found, FAMILIES[name](draw(size, size, seed=1), SPEC))


@pytest.mark.parametrize("name", sorted(FAMILIES.keys() - {"crops", "shifts"}))
def test_they_still_show_the_picture(draw: Draw, name: str) -> None:
    """Each correlates with it; crops and shifts move it, so there pixels do not lie where they lay."""
    picture = draw(64, 64)
    for view in FAMILIES[name](picture, SPEC):
        assert torch.corrcoef(torch.stack([view.flatten(), seen(picture).flatten()]))[0, 1] > 0.9


def test_jpegs_are_pillows(draw: Draw) -> None:
    picture = draw(48, 48)
    for row, quality in zip(views.jpegs(picture, SPEC), (75, 50, 25), strict=True):
        buffer = io.BytesIO()
        Image.fromarray(picture.permute(1, 2, 0).numpy()).save(buffer, "JPEG", quality=quality)
        again = torch.from_numpy(np.array(Image.open(buffer))).permute(2, 0, 1)
        torch.testing.assert_close(row, seen(again)[0])


@pytest.mark.parametrize("size", [224, 112])
def test_blurs_are_scipys(draw: Draw, size: int) -> None:
    """Sigma 1, 1.5 and 2 at 224 pixels, half of that at 112; away from the edges."""
    spec = unnormalised(2, size)
    picture = draw(size, size)
    values = to_float(picture).double().numpy()
    for row, sigma in zip(views.blurs(picture, spec), (1.0, 1.5, 2.0), strict=True):
        expected = torch.from_numpy(gaussian_filter(values, [0, sigma * size / 224, sigma * size / 224], truncate=3))
        inner = (slice(None), slice(20, -20), slice(20, -20))
        torch.testing.assert_close(row[inner].double(), expected[inner], rtol=0, atol=2e-3)


def test_shifts_by_hand() -> None:
    """A ramp across 224 pixels, of one level a pixel: moved right by 24 it falls by 24, downwards it stays."""
    ramp = torch.arange(16, 240, dtype=torch.uint8).expand(3, 224, 224).contiguous()
    found = views.shifts(ramp, unnormalised(2, 224)) * 255
    middle = found[:, 0, 112, 112] - 16 - 112
    expected = [24, 17, 0, -17, -24, -17, 0, 17]
    torch.testing.assert_close(middle, torch.tensor(expected, dtype=torch.float32), rtol=0, atol=0.01)


def test_the_edge_that_comes_in_is_reflected() -> None:
    """One colour stays one colour."""
    for name in ("shifts", "crops"):
        found = FAMILIES[name](torch.full((3, 40, 40), 77, dtype=torch.uint8), SPEC)
        torch.testing.assert_close(found, torch.full_like(found, 77 / 255))


def test_noise_has_its_deviation() -> None:
    found = views.noises(torch.full((3, 224, 224), 128, dtype=torch.uint8), unnormalised(2, 224))
    assert found.std(dim=(1, 2, 3)).tolist() == pytest.approx([0.05, 0.1], rel=0.02)


def test_half_is_half() -> None:
    """A chequered board of single pixels becomes grey."""
    board = (torch.arange(64).reshape(-1, 1) + torch.arange(64)) % 2 * 255
    found = views.halves(board.to(torch.uint8).expand(3, 64, 64).contiguous(), unnormalised(2, 64))
    assert (found[..., 8:-8, 8:-8] - 0.5).abs().max() < 0.1


@pytest.mark.parametrize(("size", "far", "slanted"), [(224, 24, 17), (56, 6, 4)])
def test_shifts_are_numpys_windows_of_the_reflected_picture(size: int, far: int, slanted: int) -> None:
    """Whole pictures; 24 pixels of 224 are 6 of 56, and slanted ones go round(far / sqrt 2) both ways."""
    picture = np.random.default_rng(0).integers(0, 256, (3, size, size), dtype=np.uint8)
    wide = np.pad(picture, [(0, 0), (far, far), (far, far)], mode="reflect")
    directions = [
        (0, far), (slanted, slanted), (far, 0), (slanted, -slanted),
        (0, -far), (-slanted, -slanted), (-far, 0), (-slanted, slanted),
    ]  # fmt: skip
    found = views.shifts(torch.from_numpy(picture), unnormalised(2, size))
    for row, (down, across) in zip(found, directions, strict=True):
        expected = wide[:, far + down : far + down + size, far + across : far + across + size]
        torch.testing.assert_close(row, torch.from_numpy(expected / 255).float(), rtol=0, atol=1e-5)


def test_half_is_pillows(draw: Draw) -> None:
    """By its own antialiased bilinear filter, which rounds to levels four times: down and up, each across and down."""
    picture = draw(64, 64)
    image = Image.fromarray(picture.permute(1, 2, 0).numpy())
    again = image.resize((32, 32), Image.Resampling.BILINEAR).resize((64, 64), Image.Resampling.BILINEAR)
    expected = torch.from_numpy(np.array(again)).permute(2, 0, 1)
    found = views.halves(picture, unnormalised(2, 64))[0]
    torch.testing.assert_close(found, to_float(expected), rtol=0, atol=2 / 255)


def test_crops_are_wide_and_half_of_them_mirrored() -> None:
    """On a ramp of levels across and one down: sides of 0.6 to 1, turned by no more than 15 degrees."""
    line = torch.arange(240)
    ramp = torch.stack([line.expand(240, 240), line.reshape(-1, 1).expand(240, 240), line.expand(240, 240)])
    found = views.crops(ramp.to(torch.uint8), unnormalised(2, 240))[..., 100:140, 100:140] * 255
    across = (found[..., 1:] - found[..., :-1]).mean(dim=(2, 3))
    side = across[:, :2].norm(dim=1)
    assert 0.59 <= side.min() < 0.7 and 0.9 < side.max() <= 1.01
    turn = torch.atan2(across[:, 1], across[:, 0].abs()).rad2deg().abs()
    assert 10 < turn.max() <= 15.1
    assert 4 <= (across[:, 0] < 0).sum() <= 20
