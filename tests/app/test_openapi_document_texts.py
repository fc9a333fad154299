"""Tests that the OpenAPI document describes all its parts, and that examples and defaults satisfy their schemas."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.app.json_schema import REFERENCE, faults
from tests.app.live_service import Live

Json = dict[str, Any]
ARTICLES = {"a", "an", "the"}
FEWEST_WORDS = 3
"""Smallest number of words of a description."""


@pytest.fixture(scope="module")
def document(live: Live) -> Json:
    document: Json = live.client.get("/openapi.json").json()
    return document


def words(text: str) -> list[str]:
    """Return the words of a name or a sentence in lower case, without articles."""
    return [word for word in re.findall(r"[a-z0-9]+", text.lower()) if word not in ARTICLES]


def text_faults(where: str, name: str, text: str | None) -> Iterator[str]:
    """Yield what is wrong with the description of a name."""
    if not text:
        yield f"{where}: no description"
    elif len(text.split()) < FEWEST_WORDS:
        yield f"{where}: {text!r} is too short"
    elif set(words(text)) <= set(words(name)):
        yield f"{where}: {text!r} only repeats the name"


def operations(document: Json) -> Iterator[tuple[str, Json]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method.upper()} {path}", operation


def contents(document: Json) -> Iterator[tuple[str, Json]]:
    """Yield the entry of every media type of every request body and response."""
    for where, operation in operations(document):
        bodies = {"request": operation.get("requestBody", {}), **operation["responses"]}
        for kind, body in bodies.items():
            for media_type, content in body.get("content", {}).items():
                yield f"{where} {kind} {media_type}", content


def schemas(document: Json) -> Iterator[tuple[str, Json]]:
    """Yield every schema of the document and all schemas nested in it."""
    roots = dict(document["components"]["schemas"])
    roots |= {where: content["schema"] for where, content in contents(document) if "schema" in content}
    for where, operation in operations(document):
        for parameter in operation.get("parameters", []):
            roots[f"{where} parameter {parameter['name']}"] = parameter["schema"]
    for where, root in roots.items():
        yield from inner_schemas(where, root)


def inner_schemas(where: str, schema: Json) -> Iterator[tuple[str, Json]]:
    yield where, schema
    inner = dict(schema.get("properties", {}))
    for keyword in ("anyOf", "prefixItems"):
        inner |= {f"{keyword}[{index}]": entry for index, entry in enumerate(schema.get(keyword, []))}
    inner |= {key: schema[key] for key in ("items", "additionalProperties") if isinstance(schema.get(key), dict)}
    for name, entry in inner.items():
        yield from inner_schemas(f"{where}.{name}", entry)


def test_every_operation_has_a_summary_and_a_description(document: Json) -> None:
    text_errors = [
        fault
        for where, operation in operations(document)
        for text in (operation.get("summary"), operation.get("description"))
        for fault in text_faults(where, operation["operationId"], text)
    ]
    assert not text_errors, "\n".join(text_errors)


def test_every_group_of_operations_is_explained(document: Json) -> None:
    used = {tag for _, operation in operations(document) for tag in operation["tags"]}
    assert used == {tag["name"] for tag in document["tags"]}
    assert [fault for tag in document["tags"] for fault in text_faults("tag", tag["name"], tag["description"])] == []


def test_every_parameter_is_explained(document: Json) -> None:
    text_errors = [
        fault
        for where, operation in operations(document)
        for parameter in operation.get("parameters", [])
        for fault in text_faults(f"{where} {parameter['name']}", parameter["name"], parameter.get("description"))
    ]
    assert not text_errors, "\n".join(text_errors)


def description_of(field: Json, document: Json) -> str | None:
    """Return the description of a field, or that of the schema to which the field refers."""
    schema = document["components"]["schemas"].get(field.get("$ref", "").removeprefix(REFERENCE), {})
    return field.get("description") or schema.get("description")


def test_every_field_of_every_schema_is_explained(document: Json) -> None:
    """The schemas are those of requests, of responses, and of their parts."""
    described = [(where, schema) for where, schema in schemas(document) if "properties" in schema]
    assert len(described) > 20
    text_errors = [
        fault
        for where, schema in described
        for name, field in schema["properties"].items()
        for fault in text_faults(f"{where}.{name}", name, description_of(field, document))
    ]
    assert not text_errors, "\n".join(text_errors)


def test_every_schema_and_every_response_is_explained(document: Json) -> None:
    text_errors = [
        fault
        for name, schema in document["components"]["schemas"].items()
        for fault in text_faults(name, name, schema.get("description"))
    ]
    text_errors += [
        fault
        for where, operation in operations(document)
        for status, response in operation["responses"].items()
        for fault in text_faults(f"{where} {status}", status, response["description"])
    ]
    assert not text_errors, "\n".join(text_errors)


def examples(document: Json) -> Iterator[tuple[str, Json, object]]:
    """Yield every example and every default with the schema that it must satisfy."""
    for where, schema in schemas(document):
        for example in schema.get("examples", []):
            yield f"{where} example", schema, example
        if "default" in schema:
            yield f"{where} default", schema, schema["default"]
    for where, content in contents(document):
        if "example" in content and "schema" in content:
            yield f"{where} example", content["schema"], content["example"]
    for where, operation in operations(document):
        for parameter in operation.get("parameters", []):
            if "example" in parameter:
                yield f"{where} {parameter['name']} example", parameter["schema"], parameter["example"]


def test_every_example_and_default_satisfies_its_schema(document: Json) -> None:
    """Empty examples are not checked: they make Swagger UI leave the option empty."""
    components = document["components"]["schemas"]
    checked = [entry for entry in examples(document) if entry[2] != ""]
    assert len(checked) > 30
    text_errors = [
        f"{where}: {fault}" for where, schema, value in checked for fault in faults(value, schema, components)
    ]
    assert not text_errors, "\n".join(text_errors)


def test_only_optional_fields_have_an_empty_example(document: Json) -> None:
    for where, schema in schemas(document):
        for name in schema.get("required", []):
            assert "" not in schema["properties"][name].get("examples", []), f"{where}.{name}"


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("top", None, "x: no description"),
        ("top", "Number of classes", None),
        ("input_size", "The input size.", "x: 'The input size.' only repeats the name"),
        ("input_size", "An Input_Size", "x: 'An Input_Size' is too short"),
        ("input_size", "Height and width of the input.", None),
    ],
)
def test_missing_short_and_repeating_descriptions_are_faults(name: str, text: str | None, fault: str | None) -> None:
    assert list(text_faults("x", name, text)) == ([] if fault is None else [fault])
