"""Tests that options are read from annotations, checked against them and described by them."""

from dataclasses import dataclass
from typing import Annotated, Any, Literal

import pytest

from models.options import BadOption, Option, checked, complete_options, described, merged, options_of, users_by_option


class Refused(BadOption):
    """The error that the functions of this test raise."""


STEPS = Option("Number of steps.", least=1, most=10)


def walk(
    start: str,
    *,
    norm: str = "l2",
    steps: Annotated[int, STEPS] = 3,
    length: Annotated[float | None, Option("Length of a step.", least=0.5, most=2.0, default_text="1 / steps")] = None,
    way: Annotated[Literal["up", "down"], Option("Where to go.")] = "up",
    loud: Annotated[bool, Option("Whether to sing.")] = False,
) -> None:
    """A function whose options are only the parameters that are annotated with an Option."""


@dataclass(frozen=True)
class Run:
    """A class whose options are its fields."""

    steps: Annotated[int, STEPS] = 5
    breath: Annotated[float, Option("Seconds per breath.", least=0.0)] = 1.0


OPTIONS = options_of(walk)


def test_options_are_read_from_a_signature() -> None:
    assert list(OPTIONS) == ["steps", "length", "way", "loud"]
    steps, length, way, loud = OPTIONS.values()
    assert (steps.kind, steps.default, steps.optional, steps.least, steps.most) == (int, 3, False, 1, 10)
    assert (length.kind, length.default, length.optional) == (float, None, True)
    assert (way.kind, way.default, way.choices) == (str, "up", ("up", "down"))
    assert (loud.kind, loud.default, loud.choices) == (bool, False, ())
    assert {name: option.default for name, option in options_of(Run).items()} == {"steps": 5, "breath": 1.0}


def test_given_values_replace_defaults() -> None:
    complete = complete_options("walk", OPTIONS, {"length": 1, "way": "down"}, Refused, others={})
    assert complete == {"steps": 3, "length": 1.0, "way": "down", "loud": False}
    assert type(complete["length"]) is float


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("steps", 0, "steps must be a whole number from 1 to 10, not 0"),
        ("steps", 2.0, "steps must be a whole number from 1 to 10, not 2.0"),
        ("steps", True, "steps must be a whole number from 1 to 10, not True"),
        ("steps", None, "steps must be a whole number from 1 to 10, not None"),
        ("length", 2.1, "length must be a number from 0.5 to 2, not 2.1"),
        ("length", float("nan"), "length must be a number from 0.5 to 2, not nan"),
        ("length", "1", "length must be a number from 0.5 to 2, not '1'"),
        ("way", "left", "way must be one of up, down, not 'left'"),
        ("way", ["up"], r"way must be one of up, down, not \['up'\]"),
        ("loud", 1, "loud must be true or false, not 1"),
        ("steps", 10**400, "steps must be a whole number from 1 to 10, not 1000"),
    ],
)
def test_the_message_names_the_bad_value_and_what_is_allowed(name: str, value: Any, message: str) -> None:
    with pytest.raises(Refused, match=message) as caught:
        checked(name, value, OPTIONS[name], Refused)
    assert len(str(caught.value)) < 200


def test_a_number_without_an_upper_bound_must_be_finite() -> None:
    breath = options_of(Run)["breath"]
    assert checked("breath", 1e9, breath, Refused) == 1e9
    for value in (-0.1, float("inf")):
        with pytest.raises(Refused, match="breath must be a number of 0 or more"):
            checked("breath", value, breath, Refused)


def test_none_is_allowed_where_the_type_includes_it() -> None:
    assert checked("length", None, OPTIONS["length"], Refused) is None


def test_the_message_of_an_unknown_option_names_who_has_it() -> None:
    others = {"walk": OPTIONS, "run": options_of(Run)}
    with pytest.raises(Refused, match=r"^walk takes no breath: its options are .*, loud; breath is an option of run$"):
        complete_options("walk", OPTIONS, {"breath": 1.0}, Refused, others=others)
    with pytest.raises(Refused, match=r"^run takes no hop, jump: its options are steps, breath$"):
        complete_options("run", others["run"], {"jump": 1, "hop": 2}, Refused, others=others)
    with pytest.raises(Refused, match=r"^stand takes no hop: it has no options$"):
        complete_options("stand", {}, {"hop": 2}, Refused, others=others)


def test_an_option_is_described_for_all_its_users() -> None:
    users = users_by_option({"walk": OPTIONS, "run": options_of(Run)})
    assert {name: list(by) for name, by in users.items()} == {
        "steps": ["walk", "run"], "length": ["walk"], "way": ["walk"], "loud": ["walk"], "breath": ["run"]
    }  # fmt: skip
    assert described(users["steps"]) == "Number of steps. A whole number from 1 to 10. Default: walk 3, run 5."
    assert described(users["length"]) == (
        "Length of a step. A number from 0.5 to 2. Only for walk. Default: 1 / steps."
    )
    assert described(users["way"]) == "Where to go. One of up, down. Only for walk. Default: up."
    assert described(users["loud"]) == "Whether to sing. Only for walk. Default: false."


def test_different_meanings_of_one_name_are_described_side_by_side() -> None:
    mine = Option("Number of songs.", least=0, most=5, kind=int, default=1)
    users = {"sing": mine, "hum": mine, "walk": OPTIONS["steps"]}
    assert described(users) == (
        "For sing and hum: Number of songs. For walk: Number of steps. A whole number from 0 to 10. "
        "Default: sing 1, hum 1, walk 3."
    )
    assert (merged(users).least, merged(users).most) == (0, 10)
    assert described({"sing": mine, "hum": mine, "yodel": mine}).endswith("For sing, hum and yodel. Default: 1.")
