"""Tests the JSON Schema checker of the tests itself."""

from typing import Any

import pytest

from tests.app.json_schema import faults

COMPONENTS = {"Size": {"type": "integer", "minimum": 1}}
SIZE = {"$ref": "#/components/schemas/Size"}
OBJECT = {"type": "object", "properties": {"size": SIZE}, "required": ["size"], "additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        ({"type": "integer"}, [3, 0], [True, 3.5, "3", None]),
        ({"type": "number"}, [3, 0.5], [False, "3"]),
        ({"type": "string", "minLength": 1, "maxLength": 2, "pattern": "^a"}, ["a", "ab"], ["", "abc", "b", 1]),
        ({"anyOf": [SIZE, {"type": "null"}]}, [1, None], [0, "1"]),
        ({"enum": ["a", 1]}, ["a", 1], ["b", None]),
        ({"const": "a"}, ["a"], ["b"]),
        ({"exclusiveMinimum": 0, "exclusiveMaximum": 1}, [0.5], [0, 1]),
        ({"minimum": 0, "maximum": 1}, [0, 1], [-1, 2]),
        ({"type": "array", "items": SIZE, "minItems": 1, "maxItems": 2}, [[1]], [[], [0], [1, 1, 1]]),
        ({"type": "array", "prefixItems": [SIZE, {"type": "string"}]}, [[1, "a"]], [[1, 1], ["a", "a"]]),
        (OBJECT, [{"size": 1}], [{}, {"size": 0}, {"size": 1, "more": 1}]),
        ({"type": "object", "additionalProperties": SIZE}, [{}, {"a": 1}], [{"a": 0}]),
    ],
)
def test_values_are_accepted_or_refused_as_by_json_schema(
    schema: dict[str, Any], good: list[object], bad: list[object]
) -> None:
    for value in good:
        assert list(faults(value, schema, COMPONENTS)) == [], value
    for value in bad:
        assert list(faults(value, schema, COMPONENTS)), value


def test_an_unknown_keyword_is_not_ignored() -> None:
    with pytest.raises(KeyError, match="uniqueItems"):
        list(faults([], {"uniqueItems": True}, {}))
