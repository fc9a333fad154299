"""The attacks' options: every number has its bounds, and what is not fit is named."""

import math
from typing import Any

import pytest

from models.attacks.geometry import Norm
from models.attacks.options import ATTACKS, BOUNDS, CHOICES, EPSILON, BadAttack, attack_options, choose_attack

OPTIONS = [
    pytest.param(attack, name, default, id=f"{attack}-{name}")
    for attack, entry in ATTACKS.items()
    for name, default in entry.defaults.items()
    if name != "norm"
]
NUMBERS = [
    pytest.param(*each.values[:2], id=each.id)
    for each in OPTIONS
    if each.values[1] in BOUNDS and not isinstance(each.values[2], bool)
]


def test_without_a_choice_a_budget_decides() -> None:
    assert choose_attack(None, {}) == "auto"
    assert choose_attack(None, {"steps": 3}) == "auto"
    assert choose_attack(None, {"epsilon": 0.1, "steps": 3}) == "pgd"
    assert choose_attack("ddn", {"epsilon": 0.1}) == "ddn"


@pytest.mark.parametrize("attack", ATTACKS)
def test_defaults_are_fit(attack: str) -> None:
    """In every norm, and the first without a choice; a budget is the norm's, unless it is the attack's own."""
    entry = ATTACKS[attack]
    assert attack_options(attack, None, {})[0] == entry.norms[0]
    for norm in entry.norms:
        chosen, options = attack_options(attack, norm, {})
        assert chosen == norm
        assert set(options) == set(entry.defaults)
        if "norm" in options:
            assert options["norm"] == norm
        if "epsilon" in options:
            assert options["epsilon"] == EPSILON[norm]


@pytest.mark.parametrize(("attack", "name", "default"), OPTIONS)
def test_every_option_can_be_judged(attack: str, name: str, default: Any) -> None:
    """A number has bounds, a name its choices; so no option is left out of either table."""
    if isinstance(default, str):
        assert default in CHOICES[name]
    elif not isinstance(default, bool) and name != "epsilon":
        least, most = BOUNDS[name]
        assert least < most and (default is None or least <= default <= most)


@pytest.mark.parametrize(("attack", "name"), NUMBERS)
def test_bounds_are_kept(attack: str, name: str) -> None:
    """The least and the most are taken, and what lies beyond is refused by name; so is what is no number."""
    default = ATTACKS[attack].defaults[name]
    least, most = (type(0.0 if default is None else default)(bound) for bound in BOUNDS[name])
    for fit in (least, most):
        assert attack_options(attack, None, {name: fit})[1][name] == fit
    for unfit in (least - 1, most * 2 + 1, -math.inf, math.nan, "3", True, [1]):
        with pytest.raises(BadAttack, match=name):
            attack_options(attack, None, {name: unfit})


def test_every_bound_belongs_to_an_option() -> None:
    names = {name for entry in ATTACKS.values() for name in entry.defaults}
    assert set(BOUNDS) | set(CHOICES) <= names


@pytest.mark.parametrize("huge", [pytest.param(10**400, id="above"), pytest.param(-(10**400), id="below")])
def test_whole_numbers_beyond_any_float_are_refused_too(huge: int) -> None:
    """And in few words."""
    for option in ("steps", "seed", "epsilon", "step_size"):
        with pytest.raises(BadAttack, match=option) as caught:
            attack_options("pgd", None, {option: huge})
        assert len(str(caught.value)) < 300


@pytest.mark.parametrize(("attack", "norm"), [("ddn", "linf"), ("fgsm", "l2"), ("pgd", "l0"), ("pgd", "l" * 5000)])
def test_a_norm_that_it_does_not_work_in(attack: str, norm: str) -> None:
    with pytest.raises(BadAttack, match=f"{attack} works in {', '.join(ATTACKS[attack].norms)}, not in") as caught:
        attack_options(attack, norm, {})
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize(
    ("norm", "fit", "unfit"),
    [("linf", 1 / 255, 0.9 / 255), ("linf", 1.0, 1.01), ("l2", 1 / 255, 0.9 / 255), ("l1", 1e7, 1.1e7)],
)
def test_budgets_that_a_file_can_use(norm: Norm, fit: float, unfit: float) -> None:
    """One level of one value at least; in Linf from black to white at most."""
    assert attack_options("pgd", norm, {"epsilon": fit})[1]["epsilon"] == fit
    with pytest.raises(BadAttack, match="epsilon is from 1/255"):
        attack_options("pgd", norm, {"epsilon": unfit})


def test_a_whole_number_will_do_for_a_fraction() -> None:
    """And is one from then on; a fraction does not do for a whole number."""
    options = attack_options("pgd", "l2", {"epsilon": 3, "step_size": 1})[1]
    assert [(type(options[name]), options[name]) for name in ("epsilon", "step_size")] == [(float, 3.0), (float, 1.0)]
    assert type(attack_options("pgd", "linf", {"epsilon": 1})[1]["epsilon"]) is float
    with pytest.raises(BadAttack, match="steps: a whole number"):
        attack_options("pgd", "l2", {"steps": 3.0})


def test_no_budget_is_the_norms_own() -> None:
    for norm in ("linf", "l2", "l1"):
        assert attack_options("pgd", norm, {"epsilon": None})[1]["epsilon"] == EPSILON[norm]


def test_the_default_budget_grows_with_the_picture() -> None:
    """Twice as long: Linf as it is, L2 twice, L1 four times as much; a budget that was given stays."""
    for norm, times in (("linf", 1), ("l2", 2), ("l1", 4)):
        assert attack_options("pgd", norm, {}, scale=2.0)[1]["epsilon"] == times * EPSILON[norm]
        assert attack_options("pgd", norm, {"epsilon": 0.5}, scale=2.0)[1]["epsilon"] == 0.5
        assert attack_options("pgd", norm, {}, scale=1 / 1000)[1]["epsilon"] >= 1 / 255, "what may be asked for"


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"loss": "hinge"}, "loss: one of ce, dlr, dlr_targeted, not 'hinge'"),
        ({"loss": None}, "loss: one of"),
        ({"loss": 3}, "loss: one of"),
        ({"confidences": 1, "momentum": 2}, "apgd takes no confidences, momentum: its options are"),
        ({"norm": "l2"}, "apgd takes no norm"),
        ({"steps": None}, "steps: a finite number, not None"),
    ],
)
def test_what_is_not_fit_is_named(given: dict[str, Any], reason: str) -> None:
    with pytest.raises(BadAttack, match=reason):
        attack_options("apgd", None, given)


def test_truth_is_no_number() -> None:
    assert attack_options("pgd", None, {"random_start": False})[1]["random_start"] is False
    with pytest.raises(BadAttack, match="random_start: true or false, not 1"):
        attack_options("pgd", None, {"random_start": 1})
