"""JSON Schemas in words: what kind of value a field has, and within which bounds."""

from collections.abc import Mapping
from typing import Any

from docsite.markdown import code

Schema = Mapping[str, Any]
REFERENCE = "#/components/schemas/"
"""Beginning of a reference to a schema of the OpenAPI document."""


def kind(schema: Schema, objects: str) -> str:
    """The values that a schema allows, as Markdown; `objects` is the page that describes the named schemas.

    An empty text counts as left out everywhere, and is not mentioned.
    """
    if "$ref" in schema:
        name = schema["$ref"].removeprefix(REFERENCE)
        return f"[{name}]({objects}#{name.lower()})"
    if "anyOf" in schema:
        choices = [kind(choice, objects) for choice in schema["anyOf"] if choice.get("enum") != [""]]
        return " or ".join(dict.fromkeys(choices))
    if "const" in schema:
        return code(str(schema["const"]))
    if "enum" in schema:
        return " or ".join(code(str(value)) for value in schema["enum"] if value != "")
    return _kind_of_type(schema, objects)


def _kind_of_type(schema: Schema, objects: str) -> str:
    match schema.get("type"):
        case "array":
            return f"list of {kind(schema.get('items', {}), objects)}{_length(schema, 'Items', '')}"
        case "integer":
            return f"whole number{_range(schema)}"
        case "number":
            return f"number{_range(schema)}"
        case "boolean":
            return "`true` or `false`"
        case "null":
            return "null"
        case "string" if schema.get("format") == "binary":
            return "file"
        case "string" if schema.get("contentEncoding") == "base64":
            return "base64 or data URL"
        case "string" if schema.get("examples") == ["8/255"]:
            return "fraction such as `8/255`"
        case "string":
            return f"text{_length(schema, 'Length', ' characters')}"
        case "object" if isinstance(schema.get("additionalProperties"), dict) and schema["additionalProperties"]:
            return f"object of {kind(schema['additionalProperties'], objects)}"
        case "object":
            return "object"
        case _:
            return "any value"


def _range(schema: Schema) -> str:
    bounds = {"minimum": "from", "exclusiveMinimum": "above", "maximum": "to", "exclusiveMaximum": "below"}
    words = [f"{word} {number(schema[key])}" for key, word in bounds.items() if key in schema]
    return "".join(f" {word}" for word in words)


def number(value: float) -> str:
    """A number with commas between thousands; `1e-06` as it is."""
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"


def _length(schema: Schema, what: str, unit: str) -> str:
    high = schema.get(f"max{what}")
    return f" (at most {high:,}{unit})" if high is not None else ""


def referenced(schema: object) -> list[str]:
    """The names of all schemas that a part of the document refers to, in its order."""
    if isinstance(schema, dict):
        own = [schema["$ref"].removeprefix(REFERENCE)] if str(schema.get("$ref", "")).startswith(REFERENCE) else []
        return [*own, *(name for part in schema.values() for name in referenced(part))]
    if isinstance(schema, list):
        return [name for part in schema for name in referenced(part)]
    return []
