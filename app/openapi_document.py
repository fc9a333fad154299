"""Completes the OpenAPI document with what only the whole application knows: every form, and examples that work."""

from fastapi import FastAPI
from pydantic import BaseModel

from app.adversarial.curve_requests import CurveOptions, TargetsOptions
from app.adversarial.requests import AdversarialOptions
from app.engine.registry import Registry
from app.inside.requests import ExplainOptions, FeaturesOptions
from app.operations.requests import BatchOptions, ClassifyOptions
from app.web.openapi import REFERENCES, Json, form_schema
from app.web.schemas import Problem

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


def install(app: FastAPI, registry: Registry) -> None:
    """Make "Try it out" in Swagger UI work unchanged: the examples name classes and layers of the default model."""
    generate = app.openapi

    def document() -> Json:
        schema = generate()
        _add_forms(schema["components"]["schemas"])
        _restore_nulls_in_examples(schema)
        for path in ("/models/{name}", "/models/{name}/card"):
            schema["paths"][path]["get"]["parameters"][0]["example"] = registry.names[0]
        if registry.state(registry.names[0]) == "ready":
            _add_examples(schema, registry)
        return schema

    app.openapi = document  # type: ignore[method-assign]


def _add_forms(schemas: Json) -> None:
    schemas[Problem.__name__] = Problem.model_json_schema()
    for form in FORMS:
        schema = form_schema(form)
        schemas |= schema.pop("$defs", {})
        schemas[form.__name__] = schema


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


def _add_examples(document: Json, registry: Registry) -> None:
    """Name a class, a layer and a channel of the default model in the examples."""
    model = registry.get()
    paths = document["paths"]
    examples = {"class": model.spec.classes[0], "layer": model.classifier.layers[-1].name, "channel": 0}
    for path in ("/ideal/{class}", "/ideal"):
        for parameter in paths[path]["get"]["parameters"]:
            if parameter["name"] in examples:
                parameter["example"] = examples[parameter["name"]]
    document["components"]["schemas"]["FeaturesOptions"]["properties"]["layer"]["examples"] = [examples["layer"]]
    as_json = paths["/features"]["post"]["requestBody"]["content"]["application/json"]
    as_json["example"]["layer"] = examples["layer"]
