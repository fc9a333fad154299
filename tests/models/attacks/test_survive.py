"""Tests the transformations that an adversarial file has to survive: their names, their pixels, and attacks on them."""

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

from models.attacks.survive import BadSurvival, Resized, ResizedFile, parse_survive, views
from models.attacks.task import Adversarial, adversarial
from models.classify import classify
from models.pictures import MAX_PIXELS, decode, encode
from models.preprocessing import to_float
from models.run import run
from models.store import Model
from tests.conftest import Draw

KERNELS = ["bilinear", "bicubic", "lanczos"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("png", []),
        ("none", []),
        ("none,png", []),
        ("jpeg:75", ["jpeg:75"]),
        ("png,jpeg:75,resize:0.5", ["jpeg:75", "resize:0.5"]),
        (" PNG , Jpeg:1 ", ["jpeg:1"]),
        ("jpeg:100,jpeg:75,jpeg:075,jpeg:100", ["jpeg:100", "jpeg:75"]),
        ("resize:.5,resize:0.50", ["resize:0.5"]),
        ("resize:0.1,resize:4,resize:2", ["resize:0.1", "resize:4", "resize:2"]),
    ],
)
def test_names_are_parsed_without_repetitions(text: str, names: list[str]) -> None:
    """The order is that of the text; the file itself is always verified, so "png" and "none" add nothing."""
    assert [survival.name for survival in parse_survive(text)] == names
    assert parse_survive(text) == parse_survive(text)


HOSTILE = [
    *["", ",", "png,", "gif", "jpeg", "jpeg:", "jpeg:0", "jpeg:101", "jpeg:-5", "jpeg:7.5", "jpeg:7_5", "jpeg:٧٥"],
    *["resize", "resize:", "resize:0.09", "resize:4.1", "resize:nan", "resize:inf", "resize:1e0", "resize:-1"],
    *["resize:.", "resize:1.", "resize:0", "resize:99999999999", "jpeg:75;rm", "jpeg:75\npng:1", "png jpeg:75", "\x00"],
]


@pytest.mark.parametrize("text", HOSTILE, ids=ascii)
def test_other_names_are_refused(text: str) -> None:
    with pytest.raises(BadSurvival, match="png, none, jpeg:Q"):
        parse_survive(text)


@given(st.text(max_size=50))
@example("x" * 1_000_000)
@example("png," * 100_000)
@example("\U000e0001" * 1000)
def test_any_text_is_parsed_or_refused_with_a_short_message(text: str) -> None:
    try:
        parse_survive(text)
    except BadSurvival as error:
        assert text[:100] in str(error) or repr(text[:100]) in str(error)
        assert text[:101] not in str(error) or len(text) <= 100


def test_more_than_five_transformations_are_refused() -> None:
    """Every transformation costs a pass per step; "png" costs nothing and is not counted."""
    five = ",".join(f"jpeg:{quality}" for quality in range(50, 55))
    assert len(parse_survive(f"png,none,{five}")) == 5
    with pytest.raises(BadSurvival, match="at most 5 at once, not 6"):
        parse_survive(f"{five},resize:0.5")


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("scale", [0.1, 0.37, 1.0, 2.5])
def test_a_real_resize_has_the_values_of_pillow(draw: Draw, kernel: str, scale: float) -> None:
    """They equal exactly those of the rounded picture, with and without gradients; sides are at least one pixel."""
    levels = draw(4, 61)
    image = Image.fromarray(levels.permute(1, 2, 0).numpy())
    size = (round(61 * scale), max(1, round(4 * scale)))
    array = np.array(image.resize(size, Image.Resampling[kernel.upper()]))
    expected = to_float(torch.from_numpy(array).permute(2, 0, 1)).unsqueeze(0)
    pixels = (to_float(levels).unsqueeze(0) + 0.3 / 255).requires_grad_()
    assert torch.equal(ResizedFile(scale, kernel)(pixels.detach()), expected)
    assert torch.equal(ResizedFile(scale, kernel)(pixels).detach(), expected)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("scale", [0.3, 1.7])
def test_a_soft_resize_is_close_to_the_real_one_and_gives_its_gradient(draw: Draw, kernel: str, scale: float) -> None:
    """They differ by less than two levels, and Lanczos by more, since its gradient is that of the bicubic resize."""
    pictures = to_float(draw(40, 61)).unsqueeze(0).requires_grad_()
    soft = Resized(scale, "bicubic" if kernel == "lanczos" else kernel)(pictures)
    real = ResizedFile(scale, kernel)(pictures)
    assert (soft - real).abs().max() * 255 < (12 if kernel == "lanczos" else 2)
    weight = torch.randn(soft.shape, generator=torch.Generator().manual_seed(0))
    gradients = [torch.autograd.grad((resized * weight).sum(), pictures)[0] for resized in (soft, real)]
    assert torch.equal(*gradients)
    assert (gradients[0] != 0).any()


def test_soft_views_stay_between_0_and_1() -> None:
    """Bicubic interpolation overshoots at an edge of black and white and is clamped."""
    edge = torch.zeros(1, 3, 20, 20)
    edge[..., 10:] = 1
    for view in views(parse_survive("resize:2,jpeg:10"), real=False):
        viewed = view(edge)
        assert viewed.min() >= 0
        assert viewed.max() <= 1


def test_a_resize_to_too_many_pixels_is_refused() -> None:
    """6000 x 4000 pixels, four times as wide and as high, are 384 million."""
    large = torch.zeros(1).expand(1, 3, 4000, 6000)
    (survival,) = parse_survive("resize:4")
    for view in (*survival.soft, *survival.real):
        with pytest.raises(BadSurvival, match=f"24000 x 16000 pixels; the limit is {MAX_PIXELS:,}"):
            view(large)


def test_the_unchanged_picture_is_always_the_first_view(draw: Draw) -> None:
    """It comes first, as it is, whatever transformations follow."""
    picture = to_float(draw(20, 30)).unsqueeze(0) + 0.3 / 255
    survive = parse_survive("jpeg:75,resize:0.5")
    assert views((), real=True) == ()
    assert torch.equal(views(survive, real=False)[0](picture), picture)
    assert [len(views(survive, real=real)) for real in (False, True)] == [1 + 1 + 2, 1 + 1 + 3]


def run_attack(model: Model, picture: Tensor, **options: object) -> Adversarial:
    return run(adversarial(picture, model.spec, **options), model.classifier)


def predicted_by(model: Model, data: bytes) -> int:
    return run(classify(decode(data), model.spec), model.classifier)[0].index


def test_an_attack_survives_jpeg_compression(imagenet: Model, chelsea: Tensor) -> None:
    """Both the JPEG of quality 75 and the PNG are no longer classified as the cat."""
    options = {"attack": "pgd", "epsilon": 2 / 255, "steps": 10}
    result = run_attack(imagenet, chelsea, survive=parse_survive("jpeg:75"), **options)
    assert result.success
    assert result.survive[-1].name == "jpeg:75"
    cat = result.original.index
    assert predicted_by(imagenet, encode(result.picture, format="jpeg", quality=75)) != cat
    assert predicted_by(imagenet, encode(result.picture)) != cat


@pytest.mark.parametrize(
    ("survive", "target"),
    [
        ("jpeg:75", None),
        *(
            pytest.param(survive, 9, marks=pytest.mark.slow)
            for survive in ("jpeg:75", "resize:0.5", "jpeg:50,resize:1.5")
        ),
    ],
)
def test_a_minimal_attack_survives_transformations(
    imagenet: Model, chelsea: Tensor, survive: str, target: int | None
) -> None:
    """The change of DDN is far below one level, but the search for a rounding finds one that survives."""
    options = {"attack": "ddn", "steps": 20, "target": target, "survive": parse_survive(survive)}
    result = run_attack(imagenet, chelsea, **options)
    assert result.success
    cat = result.original.index
    files = [encode(result.picture)]
    if "jpeg" in survive:
        files.append(encode(result.picture, format="jpeg", quality=int(survive[5:7])))
    for data in files:
        assert predicted_by(imagenet, data) == target if target else predicted_by(imagenet, data) != cat
