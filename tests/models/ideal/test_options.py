"""Tests the defaults and bounds of the options of every method that draws ideal pictures."""

from typing import Any, get_args

import pytest
import torch

from models.effort import Effort
from models.ideal.fourier import Fourier
from models.ideal.options import METHODS, PLAIN_RECIPE, BadIdeal, drawing, ideal_options
from tests.models.ideal.draw import descend

EFFORTS = get_args(Effort)
PLAIN = {"crops": 0, "clamp": False}


@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("method", METHODS)
def test_defaults_are_within_bounds_and_may_be_given(method: str, effort: Effort) -> None:
    defaults = ideal_options(method, 224, {}, effort=effort)
    assert defaults == METHODS[method].defaults(effort) == ideal_options(method, 224, defaults)
    for name, option in METHODS[method].options.items():
        if option.kind in (int, float):
            assert option.least is not None and option.least <= defaults[name] <= (option.most or 0)


@pytest.mark.parametrize("effort", EFFORTS)
def test_given_values_replace_those_of_the_effort(effort: Effort) -> None:
    given = {"steps": 7, "crops": 9, "patience": 3, "learning_rate": 0.3, "final_rate": 0.7}
    assert ideal_options("fourier", 224, given, effort=effort) == {**METHODS["fourier"].defaults(effort), **given}


@pytest.mark.parametrize("method", METHODS)
def test_the_text_of_an_option_tells_its_default_at_every_effort(method: str) -> None:
    quick, standard, thorough = (METHODS[method].defaults(effort)["steps"] for effort in EFFORTS)
    assert METHODS[method].options["steps"].shown_default == f"{standard} (quick {quick}, thorough {thorough})"
    assert METHODS[method].options["objective"].shown_default == "logit"


@pytest.mark.parametrize("method", METHODS)
def test_quick_takes_two_thirds_of_the_passes_of_standard_and_standard_a_third_of_those_of_thorough(
    method: str,
) -> None:
    defaults = [METHODS[method].defaults(effort) for effort in EFFORTS]
    quick, standard, thorough = (values["steps"] * values["crops"] for values in defaults)
    assert 1.5 * quick <= standard and 3 * standard <= thorough


@pytest.mark.parametrize(("method", "options"), [*((method, {}) for method in METHODS), ("pixel", PLAIN)])
def test_resolved_options_of_a_channel_can_be_sent_again(method: str, options: dict[str, object]) -> None:
    result = ideal_options(method, 224, options, of_class=False)
    assert (
        "objective" not in result
        and "sure" not in result
        and ideal_options(method, 224, result, of_class=False) == result
    )
    assert result == {name: value for name, value in ideal_options(method, 224, options).items() if name in result}


def test_given_values_replace_defaults() -> None:
    result = ideal_options("fourier", 224, {"tv": 3.0, "steps": 7})
    assert (result["tv"], result["steps"], result["decay"]) == (3.0, 7, METHODS["fourier"].defaults()["decay"])


def test_the_plain_recipe_is_converted_to_the_units_used_here() -> None:
    """10 CE + 0.005 x sum of differences at learning rate 1 equals CE + tv x mean difference at learning rate 10.

    The mean is over 3 x 224 x 223 horizontal differences, and as many vertical ones.
    """
    result = ideal_options("pixel", 224, PLAIN)
    assert result["tv"] == pytest.approx(0.0005 * 3 * 224 * 223)
    assert (result["steps"], result["learning_rate"], result["objective"]) == (1000, 10.0, "cross_entropy")
    assert (result["noise"], result["patience"]) == (0.0, 0)
    assert ideal_options("pixel", 224, {**PLAIN, "steps": 20})["steps"] == 20
    assert all(ideal_options("pixel", 224, PLAIN, effort=effort) == result for effort in EFFORTS)
    for half in ({"crops": 0}, {"clamp": False}):
        assert ideal_options("pixel", 224, half)["steps"] != PLAIN_RECIPE["steps"]


@pytest.mark.parametrize(
    ("method", "size", "options", "message"),
    [
        ("magic", 224, {}, "choose one of fourier, maco, pixel"),
        ("fourier", 224, {"final_rate": 1.1}, "final_rate must be a number from 0 to 1, not 1.1"),
        ("fourier", 15, {}, "size must be from 16 to 1024 pixels"),
        ("fourier", 1025, {}, "size must be from 16 to 1024 pixels"),
        ("fourier", 224, {"clamp": True}, "fourier takes no clamp: .*; clamp is an option of pixel"),
        ("pixel", 224, {"decay": 1.0}, "pixel takes no decay: .*; decay is an option of fourier, maco"),
        ("maco", 224, {"magic": 1}, "maco takes no magic: its options are objective, .*, learning_rate$"),
        ("fourier", 224, {"objective": "loss"}, "objective must be one of logit, cross_entropy, margin, not 'loss'"),
        ("fourier", 224, {"steps": 0}, "steps must be a whole number from 1 to 2000"),
        ("fourier", 224, {"crops": 33}, "crops must be a whole number from 0 to 32"),
        ("fourier", 224, {"crops": -1}, "crops must be a whole number from 0 to 32"),
        ("fourier", 224, {"tv": float("nan")}, "tv must be a number from 0 to 2000"),
        ("fourier", 224, {"tv": float("inf")}, "tv must be a number from 0 to 2000"),
        ("fourier", 224, {"noise": -0.1}, "noise must be a number from 0 to 1"),
        ("fourier", 224, {"learning_rate": 0.0}, "learning_rate must be a number from 1e-06 to 1000"),
        ("maco", 224, {"decay": 4.0}, "decay must be a number from 0 to 3"),
    ],
)
def test_options_out_of_range_are_refused(method: str, size: int, options: dict[str, Any], message: str) -> None:
    with pytest.raises(BadIdeal, match=message):
        ideal_options(method, size, options)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("planes", [1, 3])
def test_every_method_creates_a_drawing_that_takes_steps(method: str, planes: int) -> None:
    """The same seed gives the same picture, another seed another one, and a step changes it."""
    options = ideal_options(method, 20, {})
    one, again, other = (
        drawing(method, 20, planes, options, seed=seed, device=torch.device("cpu")) for seed in (1, 1, 2)
    )
    assert one.picture().shape == (1, 3, 20, 20)
    assert torch.equal(one.picture(), again.picture()) and not torch.equal(one.picture(), other.picture())
    descend(one, one.picture()[:, :, :10].sum())
    assert not torch.equal(one.picture(), again.picture())


def test_the_options_of_a_method_reach_its_drawing() -> None:
    fourier = drawing("fourier", 8, 3, ideal_options("fourier", 16, {"decay": 1.0}), seed=0, device=torch.device("cpu"))
    assert isinstance(fourier, Fourier) and fourier.amplitude[0, 4].item() == pytest.approx(2)


def test_bounds_are_those_that_clients_rely_on() -> None:
    """Clients rely on these bounds, so they are repeated here; both ends are allowed."""
    bounds = {
        "steps": (1, 2000),
        "crops": (0, 32),
        "batch": (1, 32),
        "noise": (0.0, 1.0),
        "tv": (0.0, 2000.0),
        "decay": (0.0, 3.0),
        "learning_rate": (1e-6, 1000.0),
        "patience": (0, 2000),
        "final_rate": (0.0, 1.0),
        "noise_rise": (0.0, 1.0),
        "sure": (0.0, 1.0),
    }
    for method in METHODS:
        options = METHODS[method].options
        for name in set(bounds) & set(options):
            assert (options[name].least, options[name].most) == bounds[name]
            for value in bounds[name]:
                assert ideal_options(method, 224, {name: value})[name] == value


def test_an_unknown_effort_is_refused() -> None:
    with pytest.raises(BadIdeal, match="there is no effort 'lazy': choose one of quick, standard, thorough"):
        ideal_options("fourier", 224, {}, effort="lazy")


def test_the_defaults_of_thorough_are_those_before_there_were_efforts() -> None:
    """Clients that ask for `thorough` get the pictures that every request got before, so they are repeated here."""
    shared = {
        "objective": "logit", "sure": 1.0, "crops": 4, "batch": 1, "patience": 20, "noise_rise": 0.0, "final_rate": 1.0
    }  # fmt: skip
    assert METHODS["fourier"].defaults("thorough") == {
        **shared, "steps": 96, "noise": 0.2, "tv": 20.0, "decay": 1.25, "learning_rate": 0.05, "momentum": 0.9
    }  # fmt: skip
    assert METHODS["maco"].defaults("thorough") == {
        **shared, "steps": 160, "noise": 0.0, "tv": 0.0, "decay": 1.0, "learning_rate": 0.3
    }  # fmt: skip
    assert METHODS["pixel"].defaults("thorough") == {
        **shared, "steps": 96, "noise": 0.2, "tv": 60.0, "clamp": True, "learning_rate": 0.05
    }  # fmt: skip
