"""Operations as Markdown: the real document, of which nothing may be left out."""

from collections.abc import Iterator

import pytest

from docsite.openapi import MIRRORED, document, objects, operation
from docsite.schemas import referenced

OPERATIONS = [f"{method.upper()} {path}" for path, operations in document()["paths"].items() for method in operations]


def fields(name: str) -> Iterator[str]:
    """The names of all parameters and form fields of an operation."""
    method, _, path = name.partition(" ")
    entry = document()["paths"][path][method.lower()]
    yield from (each["name"] for each in entry.get("parameters", []))
    for form in referenced(entry.get("requestBody", {}).get("content", {}).get("multipart/form-data", {})):
        yield from document()["components"]["schemas"][form]["properties"]


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_operation_has_every_field_and_status(name: str) -> None:
    text = operation(name, document())
    method, _, path = name.partition(" ")
    for field in fields(name):
        assert f"\n`{field}`{{#" in text, field
    for status in document()["paths"][path][method.lower()]["responses"]:
        assert f"\n| `{status}` | " in text, status
    assert MIRRORED not in text


def test_a_field_has_its_bounds_and_its_default() -> None:
    """What `top` of POST /classify says in app/operations/requests.py."""
    assert "`top`{#post-classify-top} — whole number from 1 to 1,000, default `5`\n: " in operation(
        "POST /classify", document()
    )


def test_fields_that_must_be_there_come_first() -> None:
    text = operation("POST /adversarial", document()).partition("### Fields of the request\n")[2]
    assert text.strip().startswith("`image`{#post-adversarial-image} — file, required")


@pytest.mark.parametrize(
    ("name", "every", "some"),
    [
        ("POST /adversarial", ("target", "norm", "attack", "confidence"), ("momentum", "epsilon")),
        ("GET /ideal/{class}", ("method", "seed", "crops", "objective"), ("momentum", "clamp")),
    ],
)
def test_options_that_only_some_attacks_or_methods_have_come_last(
    name: str, every: tuple[str, ...], some: tuple[str, ...]
) -> None:
    general, _, special = operation(name, document()).partition("#### Options that only some attacks or methods have\n")
    assert all(f"`{option}`{{#" in general and f"`{option}`{{#" not in special for option in every)
    assert all(f"`{option}`{{#" in special and f"`{option}`{{#" not in general for option in some)


def test_a_field_without_a_text_has_that_of_its_object() -> None:
    assert "How visible the perturbation is to a person." in operation("POST /adversarial", document())


def test_the_fields_of_a_response_and_its_example_are_shown() -> None:
    text = operation("POST /adversarial", document())
    for field in document()["components"]["schemas"]["AdversarialResult"]["properties"]:
        assert f"\n| `{field}` | " in text
    assert '"attack": "auto"' in text and "[Norms](objects.md#norms)" in text


def test_every_object_that_a_response_may_hold_is_described() -> None:
    """The forms are not: they are described with their operations."""
    text = objects(document())
    schemas = document()["components"]["schemas"]
    described = {name for name in schemas if f"## {name}\n" in text}
    assert set(schemas) - described == {name for name in schemas if name.endswith("Options")}
    for name in described:
        assert all(f"\n| `{field}` | " in text for field in schemas[name].get("properties", {}))
        assert set(referenced(schemas[name])) <= described


def test_an_operation_that_does_not_exist_is_refused() -> None:
    with pytest.raises(LookupError, match="no operation 'GET /nothing'"):
        operation("GET /nothing", document())
