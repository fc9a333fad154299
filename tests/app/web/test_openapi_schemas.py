"""Schemas of optional fields in forms, in the query and in JSON."""

from typing import Any

import pytest

from app.web.openapi_schemas import EMPTY, NULL, or_empty, or_left_out

NUMBER = {"type": "integer", "minimum": 1}


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        (NUMBER, {"anyOf": [NUMBER, EMPTY]}),
        ({"anyOf": [NUMBER, NULL]}, {"anyOf": [NUMBER, EMPTY]}),
        ({**NUMBER, "default": 5, "description": "x"}, {"anyOf": [NUMBER, EMPTY], "default": 5, "description": "x"}),
        ({"type": "string", "enum": ["a", "b"]}, {"type": "string", "enum": ["a", "b", ""]}),
        ({"anyOf": [{"type": "string", "maxLength": 9}, NULL]}, {"type": "string", "maxLength": 9}),
        ({"type": "string", "pattern": "^a$"}, {"anyOf": [{"type": "string", "pattern": "^a$"}, EMPTY]}),
    ],
)
def test_an_optional_field_may_be_empty_but_not_null(schema: dict[str, Any], expected: dict[str, Any]) -> None:
    """A text that may be empty anyway stays as it is; so does a schema to which this was done before."""
    assert or_empty(schema) == expected
    assert or_empty(expected) == expected


def test_in_json_an_optional_field_may_be_null_as_well() -> None:
    assert or_left_out(NUMBER) == {"anyOf": [NUMBER, EMPTY, NULL]}
    assert or_left_out({"type": "string"}) == {"anyOf": [{"type": "string"}, NULL]}
