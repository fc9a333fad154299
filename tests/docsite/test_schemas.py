"""JSON Schemas in words."""

from typing import Any

import pytest

from docsite.schemas import kind, referenced


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 1000}, "whole number from 1 to 1,000"),
        ({"type": "number", "exclusiveMinimum": 0, "maximum": 1.0}, "number above 0 to 1"),
        ({"type": "number", "minimum": 1e-06}, "number from 1e-06"),
        ({"type": "string", "maxLength": 200}, "text (at most 200 characters)"),
        ({"type": "string", "format": "binary"}, "file"),
        ({"type": "string", "contentEncoding": "base64"}, "base64 or data URL"),
        ({"type": "boolean"}, "`true` or `false`"),
        ({"enum": ["quick", "standard", ""], "type": "string"}, "`quick` or `standard`"),
        ({"const": "progress"}, "`progress`"),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 64}, "list of text (at most 64)"),
        ({"type": "object", "additionalProperties": {"type": "number"}}, "object of number"),
        ({"type": "object"}, "object"),
        ({"type": "null"}, "null"),
        ({}, "any value"),
        ({"$ref": "#/components/schemas/Prediction"}, "[Prediction](objects.md#prediction)"),
    ],
)
def test_each_kind_of_schema_has_its_words(schema: dict[str, Any], words: str) -> None:
    assert kind(schema, "objects.md") == words


def test_that_a_value_may_be_empty_is_not_said() -> None:
    """An empty text counts as left out for every option."""
    choices = [{"type": "integer", "minimum": 1}, {"type": "string", "enum": [""]}, {"type": "null"}]
    assert kind({"anyOf": choices}, "") == "whole number from 1 or null"


def test_references_are_found_at_any_depth() -> None:
    schema = {"a": [{"$ref": "#/components/schemas/One"}], "b": {"c": {"$ref": "#/components/schemas/Two"}}}
    assert referenced(schema) == ["One", "Two"]
