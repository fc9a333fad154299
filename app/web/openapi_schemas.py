"""JSON schemas of models for the OpenAPI document, and of optional fields as a form, the query and JSON accept them."""

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

Json = dict[str, Any]
"""A part of the document; the standards OpenAPI and JSON Schema define what it may hold, so no type here repeats it."""
REFERENCES = "#/components/schemas/{model}"
"""Where the document has the schema of a model."""
NULL: Json = {"type": "null"}
EMPTY: Json = {"type": "string", "enum": [""]}
"""An empty value: that of a field which counts as left out."""
ONLY_FOR = "x-only-for"
"""Keyword of this project: the attacks or methods that know an option, where there are others that do not."""
ANNOTATIONS = ("title", "description", "default", "examples", ONLY_FOR)
"""Keywords that stay beside the alternatives of a schema; the others are part of each."""


def reference(model: type[BaseModel]) -> Json:
    """The reference to the schema of a model."""
    return {"$ref": REFERENCES.format(model=model.__name__)}


def model_schema(model: type[BaseModel]) -> Json:
    """The schema of a model, with those that it refers to in `$defs`; without defaults of null, which nobody sends."""
    schema = model.model_json_schema(ref_template=REFERENCES)
    for entry in schema["properties"].values():
        if entry.get("default", "") is None:
            del entry["default"]
    return schema


def or_empty(schema: Json) -> Json:
    """The schema of an optional field in a form or in the query: no null, but an empty value counts as left out."""
    choices = [choice for choice in _choices(schema) if choice != NULL]
    if any(_accepts_empty(choice) for choice in choices):
        return _with_choices(schema, choices)
    for place, choice in enumerate(choices):
        if "enum" in choice:  # one list of values, from which Swagger UI lets the visitor choose
            choices[place] = {**choice, "enum": [*choice["enum"], ""]}
            return _with_choices(schema, choices)
    return _with_choices(schema, [*choices, EMPTY])


def or_left_out(schema: Json) -> Json:
    """The schema of an optional field in JSON, where null counts as left out as well."""
    return _with_choices(schema, [*_choices(or_empty(schema)), NULL])


def _choices(schema: Json) -> list[Json]:
    """The alternatives of a schema, which is a single one itself if it has no `anyOf`."""
    if "anyOf" in schema:
        return list(schema["anyOf"])
    return [{key: value for key, value in schema.items() if key not in ANNOTATIONS}]


def _with_choices(schema: Json, choices: Sequence[Json]) -> Json:
    annotations = {key: value for key, value in schema.items() if key in ANNOTATIONS}
    return annotations | (choices[0] if len(choices) == 1 else {"anyOf": list(choices)})


def _accepts_empty(choice: Json) -> bool:
    return (
        choice.get("type") == "string"
        and not choice.keys() & {"pattern", "minLength"}
        and "" in choice.get("enum", [""])
    )
