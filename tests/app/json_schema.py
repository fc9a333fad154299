"""Checks values against JSON schemas, for the keywords that our OpenAPI document uses."""

import re
from collections.abc import Iterator
from typing import Any

TYPES: dict[str, tuple[type, ...]] = {
    "null": (type(None),),
    "boolean": (bool,),
    "integer": (int,),
    "number": (int, float),
    "string": (str,),
    "array": (list,),
    "object": (dict,),
}
ANNOTATIONS = {
    *("title", "description", "default", "examples", "example", "format"),
    *("contentEncoding", "contentMediaType", "contentSchema"),
}
"""Keywords that do not restrict a value."""
REFERENCE = "#/components/schemas/"


def faults(value: object, schema: dict[str, Any], components: dict[str, Any]) -> Iterator[str]:
    """Yield one text for every fault of the value; raise KeyError for a keyword that is not known here."""
    for keyword, limit in schema.items():
        if keyword not in ANNOTATIONS:
            yield from KEYWORDS[keyword](value, limit, schema, components)


def _type(value: object, name: str, *_: Any) -> Iterator[str]:
    is_bool_as_number = isinstance(value, bool) and name in ("integer", "number")
    if is_bool_as_number or not isinstance(value, TYPES[name]):
        yield f"{value!r} is not of type {name}"


def _any_of(value: object, choices: list[Any], _: Any, components: dict[str, Any]) -> Iterator[str]:
    all_faults = [list(faults(value, choice, components)) for choice in choices]
    if all(all_faults):
        yield f"{value!r} is none of the choices: {all_faults}"


def _reference(value: object, name: str, _: Any, components: dict[str, Any]) -> Iterator[str]:
    yield from faults(value, components[name.removeprefix(REFERENCE)], components)


def _properties(value: Any, properties: dict[str, Any], schema: Any, components: dict[str, Any]) -> Iterator[str]:
    for name in value if isinstance(value, dict) else ():
        if name in properties:
            yield from (f"{name}: {fault}" for fault in faults(value[name], properties[name], components))


def _additional(value: Any, allowed: Any, schema: dict[str, Any], components: dict[str, Any]) -> Iterator[str]:
    for name in value if isinstance(value, dict) else ():
        if name not in schema.get("properties", {}):
            if allowed is False:
                yield f"{name} is not allowed"
            elif allowed is not True:
                yield from (f"{name}: {fault}" for fault in faults(value[name], allowed, components))


def _required(value: Any, names: list[str], *_: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from (f"{name} is missing" for name in names if name not in value)


def _items(value: Any, item: Any, _: Any, components: dict[str, Any]) -> Iterator[str]:
    if isinstance(value, list):
        for index, entry in enumerate(value):
            yield from (f"[{index}]: {fault}" for fault in faults(entry, item, components))


def _prefix_items(value: Any, items: list[Any], _: Any, components: dict[str, Any]) -> Iterator[str]:
    if isinstance(value, list):
        for entry, item in zip(value, items, strict=False):
            yield from faults(entry, item, components)


def _enum(value: object, choices: list[Any], *_: Any) -> Iterator[str]:
    if value not in choices:
        yield f"{value!r} is none of {choices}"


def _limit(kinds: tuple[type, ...], allowed: Any) -> Any:
    def check(value: Any, limit: Any, *_: Any) -> Iterator[str]:
        if isinstance(value, kinds) and not allowed(value, limit):
            yield f"{value!r} is beyond the limit {limit!r}"

    return check


KEYWORDS: dict[str, Any] = {
    "$ref": _reference,
    "additionalProperties": _additional,
    "anyOf": _any_of,
    "const": lambda value, constant, *_: _enum(value, [constant]),
    "enum": _enum,
    "exclusiveMaximum": _limit((int, float), lambda value, limit: value < limit),
    "exclusiveMinimum": _limit((int, float), lambda value, limit: value > limit),
    "items": _items,
    "maximum": _limit((int, float), lambda value, limit: value <= limit),
    "maxItems": _limit((list,), lambda value, limit: len(value) <= limit),
    "maxLength": _limit((str,), lambda value, limit: len(value) <= limit),
    "minimum": _limit((int, float), lambda value, limit: value >= limit),
    "minItems": _limit((list,), lambda value, limit: len(value) >= limit),
    "minLength": _limit((str,), lambda value, limit: len(value) >= limit),
    "pattern": _limit((str,), lambda value, pattern: re.search(pattern, value)),
    "prefixItems": _prefix_items,
    "properties": _properties,
    "required": _required,
    "type": _type,
}
