"""Tests that request fields are created from the options of attacks and methods."""

from typing import Annotated, Literal

import pytest
from pydantic import BaseModel, ValidationError, create_model

from app.web.fields import FRACTION, MAX_SEED, Options
from app.web.option_fields import method_options, option_fields
from models.options import Option, options_of


def one(
    *,
    seed: Annotated[int, Option("Seed of the random numbers.", least=0, most=2**63 - 1)] = 7,
    budget: Annotated[float, Option("Budget.", least=0.0, fraction=True)] = 0.5,
    share: Annotated[float, Option("Share of it.", least=0.0, most=1.0)] = 0.5,
    way: Annotated[Literal["up", "down"], Option("Where to go.")] = "up",
    loud: Annotated[bool, Option("Whether to sing.")] = True,
) -> None: ...


def two(*, seed: Annotated[int, Option("Seed of the random numbers.", least=-5, most=9)] = 7) -> None: ...


def form(*, in_form: bool = True) -> type[BaseModel]:
    owners = {"one": options_of(one), "two": options_of(two)}
    return create_model("Form", __base__=Options, **option_fields(owners, in_form=in_form))  # type: ignore[no-any-return, call-overload]


def test_the_document_has_bounds_and_a_description() -> None:
    """Bounds are the widest of all owners of the option, limited to integers that JavaScript can represent."""
    seed = form().model_json_schema()["properties"]["seed"]
    assert seed["anyOf"] == [{"type": "integer", "minimum": -5, "maximum": MAX_SEED}, {"type": "null"}]
    assert seed["description"] == (
        f"Seed of the random numbers. A whole number from -5 to {MAX_SEED}. For one and two. Default: 7."
    )
    budget = form().model_json_schema()["properties"]["budget"]
    fraction = {"type": "string", "pattern": FRACTION, "examples": ["8/255"]}
    assert budget["anyOf"] == [{"type": "number", "minimum": 0.0}, fraction, {"type": "null"}]


@pytest.mark.parametrize("in_form", [True, False])
def test_only_a_form_has_empty_examples(in_form: bool) -> None:
    for field in form(in_form=in_form).model_json_schema()["properties"].values():
        assert field.get("examples") == ([""] if in_form else None)


def test_without_a_value_a_field_is_none() -> None:
    """A field may be left out or empty."""
    assert set(form()().model_dump().values()) == {None}
    assert set(form()(seed="", budget="", way="", loud="").model_dump().values()) == {None}


def test_texts_of_a_form_are_parsed() -> None:
    values = form()(seed="3", budget="8/255", share="0.25", way="down", loud="false").model_dump()
    assert values == {"seed": 3, "budget": 8 / 255, "share": 0.25, "way": "down", "loud": False}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("seed", "-6", "greater than or equal to -5"),
        ("seed", str(MAX_SEED + 1), f"less than or equal to {MAX_SEED}"),
        ("seed", "2.5", "valid integer"),
        ("budget", "-1/255", "greater than or equal to 0"),
        ("budget", "1/0", "a fraction needs two finite numbers"),
        ("budget", "inf", "finite number"),
        ("share", "1/2", "valid number"),
        ("share", "nan", "finite number"),
        ("way", "left", "choose one of up, down"),
        ("loud", "perhaps", "valid boolean"),
    ],
)
def test_values_out_of_range_are_refused(name: str, value: str, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        form()(**{name: value})


def test_a_field_may_not_replace_an_option() -> None:
    """A field of the request with the name of an option is refused; a field with another name is not."""
    base = method_options("Base", {"one": options_of(one)}, in_form=True)
    assert create_model("Longer", __base__=base, picture=(str, "")).model_fields.keys() == {
        *options_of(one), "picture"
    }  # fmt: skip
    with pytest.raises(TypeError, match="share is a field of Shadow and also an option"):
        create_model("Shadow", __base__=base, share=(float, 1.0))
