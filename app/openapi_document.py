"""Completes the OpenAPI document with what only the whole application knows: every form, and examples that work."""

from fastapi import FastAPI
from pydantic import BaseModel

from app.adversarial.curve_requests import CurveOptions, TargetsOptions
from app.adversarial.requests import AdversarialOptions
from app.engine.registry import Registry
from app.inside.requests import ExplainOptions, FeaturesOptions
from app.keys.key_ring import KeyRing
from app.operations.requests import BatchOptions, ClassifyOptions
from app.web.formats import Format
from app.web.openapi import EVERYWHERE, form_schema, problems
from app.web.openapi_schemas import REFERENCES, Json, model_schema, or_empty
from app.web.schemas import Problem, ProgressEvent
from models.store import Model

FORMS: tuple[type[BaseModel], ...] = (
    ClassifyOptions,
    BatchOptions,
    AdversarialOptions,
    CurveOptions,
    TargetsOptions,
    FeaturesOptions,
    ExplainOptions,
)
"""The forms of all operations that take a picture."""
TAGS: list[Json] = [
    {"name": "pictures", "description": "Classify, attack and explain pictures, and draw ideal ones."},
    {"name": "models", "description": "Which models are served, and what is known about each of them."},
    {"name": "health", "description": "Health probes and metrics, for the operator of the service."},
]
"""What each group of operations in the document is for."""


VERSION = "3.2.0"
"""Version of OpenAPI, the first one that can describe the events of a stream (docs/decisions/0058)."""
REQUEST_ID: Json = {
    "description": "Identifier of the request, under which the log of the service has more: the request's own "
    "X-Request-ID if it has a harmless one.",
    "required": True,
    "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"},
}


def install(app: FastAPI, registry: Registry, keys: KeyRing) -> None:
    """Make the document exact, and "Try it out" in Swagger UI work unchanged.

    The examples name classes and layers of the default model. Operations need a key only if any are set.
    """
    app.openapi_version = VERSION
    generate = app.openapi

    def document() -> Json:
        schema = generate()
        _add_schemas(schema["components"]["schemas"])
        schema["components"]["headers"] = {"X-Request-ID": REQUEST_ID}
        for operations in schema["paths"].values():
            for operation in operations.values():
                _complete_responses(operation)
                _complete_parameters(operation)
                _complete_security(operation, required=keys.required)
        _restore_nulls_in_examples(schema)
        for path in ("/models/{name}", "/models/{name}/card"):
            schema["paths"][path]["get"]["parameters"][0]["example"] = registry.default
        default = next((model for model in registry.ready() if model.name == registry.default), None)
        if default is not None:
            _add_examples(schema, default)
        return schema

    app.openapi = document  # type: ignore[method-assign]


def _add_schemas(schemas: Json) -> None:
    schemas.pop(Format.__name__, None)  # FastAPI adds it, although each option lists the formats that it takes
    for model in (Problem, ProgressEvent):
        schema = model_schema(model)
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    for form in FORMS:
        schema = form_schema(form)
        schemas |= schema.pop("$defs", {})
        schemas[form.__name__] = schema


def _complete_responses(operation: Json) -> None:
    """Add the problems that any operation may answer with, and the header that every response has."""
    responses = operation["responses"]
    for status, response in problems(*EVERYWHERE).items():
        own = responses.setdefault(str(status), response)
        own["content"] = own["content"] | response["content"]
        own["headers"] = response.get("headers", {}) | own.get("headers", {})
    for response in responses.values():
        reference = {"$ref": "#/components/headers/X-Request-ID"}
        response["headers"] = response.get("headers", {}) | {"X-Request-ID": reference}
    operation["responses"] = dict(sorted(responses.items()))


def _complete_parameters(operation: Json) -> None:
    """Let optional parameters be empty, which counts as left out, and not null, which no query can say."""
    for parameter in operation.get("parameters", ()):
        if parameter["in"] == "query" and not parameter["required"]:
            parameter["schema"] = or_empty(parameter["schema"])


def _complete_security(operation: Json, *, required: bool) -> None:
    """Say that a key is optional while none are set; those who send one then get the same response."""
    schemes = [scheme for scheme in operation.get("security", []) if scheme]
    operation["security"] = schemes if required or not schemes else [*schemes, {}]


def _restore_nulls_in_examples(document: Json) -> None:
    """Put back the nulls that FastAPI removes from all examples, although the schemas require these fields."""
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        for example in schema.get("examples", []):
            _restore_nulls(example, schema, schemas)
    for operations in document["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                content = response.get("content", {}).get("application/json", {})
                _restore_nulls(content.get("example"), content.get("schema", {}), schemas)


def _restore_nulls(example: object, schema: Json, schemas: Json) -> None:
    if "$ref" in schema:
        schema = schemas[schema["$ref"].removeprefix(REFERENCES.format(model=""))]
    for choice in schema.get("anyOf", []):
        _restore_nulls(example, choice, schemas)
    if isinstance(example, list):
        for item in example:
            _restore_nulls(item, schema.get("items", {}), schemas)
    if isinstance(example, dict) and "properties" in schema:
        properties = schema["properties"]
        for name in schema.get("required", []):
            if {"type": "null"} in properties[name].get("anyOf", []):
                example.setdefault(name, None)
        for name, value in example.items():
            _restore_nulls(value, properties.get(name, {}), schemas)


def _add_examples(document: Json, model: Model) -> None:
    """Name a class, a layer and a channel of the default model in the examples."""
    paths = document["paths"]
    examples = {"class": model.spec.classes[0], "layer": model.classifier.layers[-1].name, "channel": 0}
    for path in ("/ideal/{class}", "/ideal"):
        for parameter in paths[path]["get"]["parameters"]:
            if parameter["name"] in examples:
                parameter["example"] = examples[parameter["name"]]
    document["components"]["schemas"]["FeaturesOptions"]["properties"]["layer"]["examples"] = [examples["layer"]]
    as_json = paths["/features"]["post"]["requestBody"]["content"]["application/json"]
    as_json["example"]["layer"] = examples["layer"]
