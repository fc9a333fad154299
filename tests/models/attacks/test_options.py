"""Tests the options of attacks: defaults, bounds, and errors that name the bad option."""

import math
from typing import Annotated, Any

import pytest

from models.attacks.geometry import Norm
from models.attacks.options import ATTACKS, Attack, BadAttack, attack_options, choose_attack
from models.attacks.shared_options import DEFAULT_EPSILONS, Steps
from models.options import Option

OPTIONS = [
    pytest.param(attack, name, option, id=f"{attack}-{name}")
    for attack, entry in ATTACKS.items()
    for name, option in entry.options.items()
]
NUMBERS = [case for case in OPTIONS if case.values[2].kind in (int, float) and case.values[1] != "epsilon"]


def test_a_new_attack_needs_only_an_entry_in_attacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its options, own and shared, have defaults and are checked, and messages about other attacks name it."""

    def shake(
        start: Any,
        goal: Any,
        best: Any,
        *,
        steps: Steps = 7,
        strength: Annotated[float, Option("How hard to shake the picture.", least=0.0, most=2.0)] = 1.5,
    ) -> Any: ...

    monkeypatch.setitem(ATTACKS, "shake", Attack(shake, ("l2",)))
    assert attack_options("shake", None, {}) == ("l2", {"steps": 7, "strength": 1.5})
    assert attack_options("shake", "l2", {"strength": 2}) == ("l2", {"steps": 7, "strength": 2.0})
    with pytest.raises(BadAttack, match="strength must be a number from 0 to 2, not 3"):
        attack_options("shake", None, {"strength": 3})
    with pytest.raises(BadAttack, match=r"fgsm takes no strength: .*; strength is an option of shake"):
        attack_options("fgsm", None, {"strength": 1.0})


def test_the_default_attack_is_auto_or_pgd_with_a_budget() -> None:
    assert choose_attack(None, {}) == "auto"
    assert choose_attack(None, {"steps": 3}) == "auto"
    assert choose_attack(None, {"epsilon": 0.1, "steps": 3}) == "pgd"
    assert choose_attack("ddn", {"epsilon": 0.1}) == "ddn"


@pytest.mark.parametrize("attack", ATTACKS)
def test_defaults_are_valid_in_every_norm(attack: str) -> None:
    """The default norm is the first one, and the default epsilon is that of the norm."""
    entry = ATTACKS[attack]
    assert attack_options(attack, None, {})[0] == entry.norms[0]
    for norm in entry.norms:
        chosen, options = attack_options(attack, norm, {})
        assert chosen == norm
        assert set(options) == set(entry.defaults)
        if "norm" in options:
            assert options["norm"] == norm
        if "epsilon" in options:
            assert options["epsilon"] == DEFAULT_EPSILONS[norm]


def test_bounds_are_those_that_clients_rely_on() -> None:
    """Clients rely on these bounds, so they are repeated here; new options may be added."""
    bounds: dict[str, tuple[float | None, float | None]] = {}
    for case in NUMBERS:
        _, name, option = case.values
        assert bounds.setdefault(name, (option.least, option.most)) == (option.least, option.most), (
            "the same for all attacks"
        )
    known: dict[str, tuple[float, float]] = {
        "steps": (1, 1000),
        "restarts": (1, 20),
        "seed": (0, 2**63 - 1),
        "step_size": (1e-6, 1e6),
        "gamma": (1e-4, 0.5),
        "initial": (1e-3, 1e3),
        "candidates": (1, 1000),
        "overshoot": (0.0, 1.0),
        "searches": (1, 20),
        "initial_constant": (1e-8, 1e8),
        "sigma": (1e-6, 1.0),
        "threshold_step": (1e-4, 1.0),
        "momentum": (0.0, 10.0),
        "p": (1e-6, 1.0),
        "size": (0.05, 1.0),
        "samples": (1, 8),
    }
    assert {name: bounds[name] for name in known} == known


@pytest.mark.parametrize("attack", ATTACKS)
def test_every_parameter_but_the_norm_is_an_option(attack: str) -> None:
    """Every parameter that a caller may choose is annotated with an Option; the norm is chosen separately."""
    assert set(ATTACKS[attack].defaults) - {"norm"} == set(ATTACKS[attack].options)


@pytest.mark.parametrize(("attack", "name", "option"), OPTIONS)
def test_every_option_has_a_text_and_a_default_within_its_bounds(attack: str, name: str, option: Option) -> None:
    assert option.text.endswith(".") and len(option.text.split()) >= 8
    assert option.default == ATTACKS[attack].defaults[name]
    if option.default is None:
        assert option.optional and option.default_text
    elif option.kind is str:
        assert option.default in option.choices
    else:
        assert type(option.default) is option.kind
        assert option.kind is bool or option.least is None or option.least <= option.default
        assert option.kind is bool or option.most is None or option.default <= option.most


@pytest.mark.parametrize(("attack", "name", "option"), NUMBERS)
def test_values_beyond_the_bounds_are_refused(attack: str, name: str, option: Option) -> None:
    """Both bounds are accepted; values beyond them and values that are no numbers are refused by name."""
    assert option.least is not None and option.most is not None
    least, most = option.kind(option.least), option.kind(option.most)
    for valid in (least, most):
        assert attack_options(attack, None, {name: valid})[1][name] == valid
    for invalid in (least - 1, most * 2 + 1, -math.inf, math.nan, "3", True, [1]):
        with pytest.raises(BadAttack, match=name):
            attack_options(attack, None, {name: invalid})


@pytest.mark.parametrize("huge", [pytest.param(10**400, id="above"), pytest.param(-(10**400), id="below")])
def test_integers_too_large_for_a_float_are_refused(huge: int) -> None:
    """The message stays short."""
    for option in ("steps", "seed", "epsilon", "step_size"):
        with pytest.raises(BadAttack, match=option) as caught:
            attack_options("pgd", None, {option: huge})
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("attack", "norm"), [("ddn", "linf"), ("fgsm", "l2"), ("pgd", "l0"), ("pgd", "l" * 5000)])
def test_an_unsupported_norm_is_refused(attack: str, norm: str) -> None:
    with pytest.raises(BadAttack, match=f"{attack} works in {', '.join(ATTACKS[attack].norms)}, not in") as caught:
        attack_options(attack, norm, {})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("norm", "valid", "invalid"),
    [("linf", 1 / 255, 0.9 / 255), ("linf", 1.0, 1.01), ("l2", 1 / 255, 0.9 / 255), ("l1", 1e7, 1.1e7)],
)
def test_a_budget_is_at_least_one_level(norm: Norm, valid: float, invalid: float) -> None:
    """It is at least one level of one value, since a file holds no less, and in Linf at most 1."""
    assert attack_options("pgd", norm, {"epsilon": valid})[1]["epsilon"] == valid
    with pytest.raises(BadAttack, match="epsilon must be from 1/255"):
        attack_options("pgd", norm, {"epsilon": invalid})


def test_an_integer_is_accepted_for_a_float_option() -> None:
    """It is converted to a float; a float is not accepted for an integer option."""
    options = attack_options("pgd", "l2", {"epsilon": 3, "step_size": 1})[1]
    assert [(type(options[name]), options[name]) for name in ("epsilon", "step_size")] == [(float, 3.0), (float, 1.0)]
    assert type(attack_options("pgd", "linf", {"epsilon": 1})[1]["epsilon"]) is float
    with pytest.raises(BadAttack, match="steps must be a whole number"):
        attack_options("pgd", "l2", {"steps": 3.0})


def test_an_epsilon_of_none_is_the_default_of_the_norm() -> None:
    for norm in ("linf", "l2", "l1"):
        assert attack_options("pgd", norm, {"epsilon": None})[1]["epsilon"] == DEFAULT_EPSILONS[norm]


def test_the_default_budget_grows_with_the_picture() -> None:
    """At twice the side length, Linf is unchanged, L2 doubles and L1 is four times as large; a given epsilon stays."""
    for norm, times in (("linf", 1), ("l2", 2), ("l1", 4)):
        assert attack_options("pgd", norm, {}, scale=2.0)[1]["epsilon"] == times * DEFAULT_EPSILONS[norm]
        assert attack_options("pgd", norm, {"epsilon": 0.5}, scale=2.0)[1]["epsilon"] == 0.5
        assert attack_options("pgd", norm, {}, scale=1 / 1000)[1]["epsilon"] >= 1 / 255, "the smallest allowed epsilon"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"loss": "hinge"}, "loss must be one of ce, dlr, dlr_targeted, not 'hinge'"),
        ({"loss": None}, "loss must be one of"),
        ({"loss": 3}, "loss must be one of"),
        ({"confidences": 1, "momentum": 2}, "apgd takes no confidences, momentum: its options are"),
        ({"norm": "l2"}, "apgd takes no norm"),
        ({"steps": None}, "steps must be a whole number from 1 to 1000, not None"),
    ],
)
def test_the_message_names_the_bad_option(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadAttack, match=reason):
        attack_options("apgd", None, options)


def test_a_boolean_option_takes_no_number() -> None:
    assert attack_options("pgd", None, {"random_start": False})[1]["random_start"] is False
    with pytest.raises(BadAttack, match="random_start must be true or false, not 1"):
        attack_options("pgd", None, {"random_start": 1})
