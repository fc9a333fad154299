"""What each method takes for granted, and what it refuses."""

from typing import Any

import pytest
import torch

from models.ideal.fourier import Fourier
from models.ideal.options import BOUNDS, LESSON, METHODS, BadIdeal, drawing, ideal_options

PLAIN = {"crops": 0, "clamp": False}


@pytest.mark.parametrize("method", METHODS)
def test_defaults_are_within_bounds_and_may_be_given(method: str) -> None:
    defaults = ideal_options(method, 224, {})
    assert defaults == METHODS[method].defaults == ideal_options(method, 224, defaults)
    for name, (least, most) in BOUNDS.items():
        if name in defaults:
            assert least <= defaults[name] <= most


@pytest.mark.parametrize(("method", "given"), [*((method, {}) for method in METHODS), ("pixel", PLAIN)])
def test_of_a_channel_they_can_be_given_again(method: str, given: dict[str, object]) -> None:
    found = ideal_options(method, 224, given, of_class=False)
    assert "objective" not in found and ideal_options(method, 224, found, of_class=False) == found
    assert found == {name: value for name, value in ideal_options(method, 224, given).items() if name != "objective"}


def test_what_is_given_goes_before() -> None:
    found = ideal_options("fourier", 224, {"tv": 3.0, "steps": 7})
    assert (found["tv"], found["steps"], found["decay"]) == (3.0, 7, METHODS["fourier"].defaults["decay"])


def test_the_plain_recipe_in_the_units_used_here() -> None:
    """10 CE + 0.005 x sum of differences, steps of size 1, is CE + tv x mean with steps of size 10.

    The mean is over 3 x 224 x 223 differences across, and as many down.
    """
    found = ideal_options("pixel", 224, PLAIN)
    assert found["tv"] == pytest.approx(0.0005 * 3 * 224 * 223)
    assert (found["steps"], found["learning_rate"], found["objective"]) == (1000, 10.0, "cross_entropy")
    assert (found["noise"], found["patience"]) == (0.0, 0)
    assert ideal_options("pixel", 224, {**PLAIN, "steps": 20})["steps"] == 20
    for half in ({"crops": 0}, {"clamp": False}):
        assert ideal_options("pixel", 224, half)["steps"] != LESSON["steps"]


@pytest.mark.parametrize(
    ("method", "size", "given", "told"),
    [
        ("magic", 224, {}, "choose one of fourier, maco, pixel"),
        ("fourier", 15, {}, "16 to 1024"),
        ("fourier", 1025, {}, "16 to 1024"),
        ("fourier", 224, {"clamp": True}, "clamp is no option of fourier: it is one of pixel"),
        ("pixel", 224, {"decay": 1.0}, "decay is no option of pixel: it is one of fourier, maco"),
        ("maco", 224, {"magic": 1}, "there is no such option"),
        ("fourier", 224, {"objective": "loss"}, "choose one of logit, cross_entropy, margin"),
        ("fourier", 224, {"steps": 0}, "steps is 1 to 2000"),
        ("fourier", 224, {"crops": 33}, "crops is 0 to 32"),
        ("fourier", 224, {"crops": -1}, "crops is 0 to 32"),
        ("fourier", 224, {"tv": float("nan")}, "tv is 0 to 2000"),
        ("fourier", 224, {"tv": float("inf")}, "tv is 0 to 2000"),
        ("fourier", 224, {"noise": -0.1}, "noise is 0 to 1"),
        ("fourier", 224, {"learning_rate": 0.0}, "learning_rate is 1e-06 to 1000"),
        ("maco", 224, {"decay": 4.0}, "decay is 0 to 3"),
    ],
)
def test_what_is_refused(method: str, size: int, given: dict[str, Any], told: str) -> None:
    with pytest.raises(BadIdeal, match=told):
        ideal_options(method, size, given)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("planes", [1, 3])
def test_every_method_draws(method: str, planes: int) -> None:
    """A fresh picture, the same from the same seed, that takes a step."""
    options = ideal_options(method, 20, {})
    one, again, other = (
        drawing(method, 20, planes, options, seed=seed, device=torch.device("cpu")) for seed in (1, 1, 2)
    )
    assert one.picture().shape == (1, 3, 20, 20)
    assert torch.equal(one.picture(), again.picture()) and not torch.equal(one.picture(), other.picture())
    one.picture()[:, :, :10].sum().backward()
    one.step()
    assert not torch.equal(one.picture(), again.picture())


def test_a_methods_own_options_reach_it() -> None:
    made = drawing("fourier", 8, 3, ideal_options("fourier", 16, {"decay": 1.0}), seed=0, device=torch.device("cpu"))
    assert isinstance(made, Fourier) and made.amplitude[0, 4].item() == pytest.approx(2)


def test_the_bounds_themselves_are_allowed() -> None:
    for name, bounds in BOUNDS.items():
        for value in bounds:
            assert ideal_options("fourier", 224, {name: value})[name] == value
