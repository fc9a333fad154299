"""Tests the values that options accept."""

import pytest
from pydantic import ValidationError

from app.ideal.requests import IdealOptions
from app.web.fields import parse_fraction


@pytest.mark.parametrize(("text", "value"), [("8/255", 8 / 255), (" 1 / 4 ", 0.25), ("0.5", "0.5"), (0.25, 0.25)])
def test_fractions_are_parsed(text: object, value: object) -> None:
    assert parse_fraction(text) == value


@pytest.mark.parametrize("text", ["1/0", "a/b", "inf/2", "1/nan"])
def test_invalid_fractions_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_fraction(text)


def test_an_empty_option_is_the_default_and_an_unknown_one_an_error() -> None:
    assert IdealOptions.model_validate({"steps": "", "seed": "3"}) == IdealOptions(seed=3)
    with pytest.raises(ValidationError, match="stepz"):
        IdealOptions.model_validate({"stepz": "3"})
