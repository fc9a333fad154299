"""The client has every operation, option and field of the OpenAPI document, with its type, and none beside these."""

import dataclasses
import importlib
import pkgutil
import types
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import pytest
from PIL import Image

import mirage.results
from app.main import create_app
from app.settings import Settings
from mirage import AsyncMirage, Mirage, options

Json = dict[str, Any]
DOCUMENT: Json = create_app(Settings(_env_file=None, models=("imagenet/mobilenet_v2",))).openapi()
SCHEMAS: Json = DOCUMENT["components"]["schemas"]
OPERATIONS = {
    "post_classify": "classify",
    "post_classify_batch": "classify_batch",
    "get_models": "models",
    "get_model": "model",
    "get_model_card": "model_card",
    "get_ideal": "ideal",
    "get_channel_ideal": "ideal",
    "post_adversarial": "fool",
    "post_curve": "curve",
    "post_targets": "targets",
    "post_features": "features",
    "post_explain": "explain",
    "ready": "health",
}
"""The method of the client for each operation."""
NOT_IN_THE_CLIENT = {"live", "metrics"}
"""Operations for the supervisor and the monitoring of the service."""
OF_THE_STREAM = {"format", "previews"}
"""Options that the client sets itself: what it calls says which format it wants, and `stream` has `previews`."""
FORMS = {
    "ClassifyOptions": {"image"},
    "AdversarialOptions": {"image"},
    "CurveOptions": {"image"},
    "TargetsOptions": {"image"},
    "FeaturesOptions": {"image", "layer"},
    "ExplainOptions": {"image"},
}
"""For each form, the options that are arguments of their own."""


def classes() -> dict[str, type]:
    """All dataclasses of results by their names."""
    modules = [
        importlib.import_module(f"mirage.results.{module.name}")
        for module in pkgutil.iter_modules(mirage.results.__path__)
    ]
    found = {
        name: value for module in modules for name, value in vars(module).items() if dataclasses.is_dataclass(value)
    }
    return {name: value for name, value in found.items() if isinstance(value, type) and name != "WithPictures"}


def kind_of(schema: Json) -> str:
    """The type of a field as the document says, in the words of Python."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return " | ".join(sorted({kind_of(item) for item in schema["anyOf"]}))
    if "enum" in schema:
        return "one of " + ", ".join(sorted(schema["enum"]))
    if schema["type"] == "array":
        return f"list of {kind_of(schema['items'])}"
    if schema["type"] == "object":
        values = schema["additionalProperties"]
        return "dict of anything" if values is True else f"dict of {kind_of(values)}"
    names = {"string": "str", "integer": "int", "number": "float", "boolean": "bool", "null": "None"}
    return names[schema["type"]]


def kind_in_the_client(hint: Any) -> str:
    """The same of a field of the client."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return " | ".join(sorted({kind_in_the_client(item) for item in arguments}))
    if origin is Literal:
        return "one of " + ", ".join(sorted(arguments))
    if origin is tuple:
        return f"list of {kind_in_the_client(arguments[0])}"
    if origin is Mapping:
        return "dict of anything" if arguments[1] is Any else f"dict of {kind_in_the_client(arguments[1])}"
    if hint is Image.Image:
        return "str"  # a data URL
    return "None" if hint is types.NoneType else str(hint.__name__)


RESULTS = sorted(name for name in SCHEMAS if not name.endswith("Options"))


def test_every_operation_has_a_method() -> None:
    operations = {operation["operationId"] for methods in DOCUMENT["paths"].values() for operation in methods.values()}
    assert operations == set(OPERATIONS) | NOT_IN_THE_CLIENT
    for method in OPERATIONS.values():
        for client in (Mirage("http://localhost"), AsyncMirage("http://localhost")):
            assert callable(getattr(client, method))


def test_the_operations_that_stream_can_be_watched() -> None:
    streams = {
        OPERATIONS[operation["operationId"]]
        for methods in DOCUMENT["paths"].values()
        for operation in methods.values()
        if "text/event-stream" in operation["responses"]["200"]["content"]
    }
    client = Mirage("http://localhost")
    assert streams == {name for name in set(OPERATIONS.values()) if hasattr(getattr(client, name), "stream")}


def test_there_is_a_class_for_every_schema_and_none_beside_these() -> None:
    assert set(classes()) == set(RESULTS)


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_has_the_fields_of_its_schema_with_their_types(name: str) -> None:
    kind, schema = classes()[name], SCHEMAS[name]
    hints = get_type_hints(kind)
    fields = {field.name: field for field in dataclasses.fields(kind) if field.name != "files"}
    assert set(fields) == set(schema["properties"])
    for field, described in schema["properties"].items():
        expected, found = kind_of(described), kind_in_the_client(hints[field])
        if field not in schema["required"]:
            assert fields[field].default is not dataclasses.MISSING
            found = found.removeprefix("None | ")
        assert found == expected, f"{name}.{field}"


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_method_has_the_options_of_its_form(form: str) -> None:
    name = form.replace("Adversarial", "Fool")
    check_options(getattr(options, name), SCHEMAS[form]["properties"], FORMS[form] | OF_THE_STREAM)


def test_the_batch_has_the_options_of_a_single_picture() -> None:
    """`classify_batch` takes those of `classify`."""
    assert set(SCHEMAS["BatchOptions"]["properties"]) - {"image"} == set(options.ClassifyOptions.__annotations__)


@pytest.mark.parametrize("path", ["/ideal/{class}", "/ideal"])
def test_ideal_has_the_options_of_its_query(path: str) -> None:
    parameters = {item["name"]: item["schema"] for item in DOCUMENT["paths"][path]["get"]["parameters"]}
    check_options(options.IdealOptions, parameters, {"class", "layer", "channel"} | OF_THE_STREAM)


def check_options(kind: type, described: Json, arguments: set[str]) -> None:
    """The names are the same, and so are the words that an option can be."""
    hints = get_type_hints(kind)
    assert set(hints) == set(described) - arguments
    for name, hint in hints.items():
        assert words_of(described[name]) == words_in_the_client(hint), name


def words_of(schema: Json) -> set[str]:
    """The words that an option can be, where it can be only these."""
    nested = [word for item in schema.get("anyOf", []) for word in words_of(item)]
    items = words_of(schema["items"]) if "items" in schema else set()
    return (set(schema.get("enum", [])) | set(nested) | items) - {""}


def words_in_the_client(hint: Any) -> set[str]:
    """The same for an option of the client."""
    if get_origin(hint) is Literal:
        return set(get_args(hint))
    if get_origin(hint) in (Union, types.UnionType, Sequence):
        return set().union(*(words_in_the_client(item) for item in get_args(hint)))
    return set()
