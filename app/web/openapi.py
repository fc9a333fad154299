"""What the OpenAPI document says beside the bodies' own shapes."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from app.adversarial.curve_requests import CurveOptions, TargetsOptions
from app.adversarial.requests import AdversarialOptions
from app.engine.registry import Registry
from app.inside.requests import ExplainOptions, FeaturesOptions
from app.operations.requests import ClassifyOptions
from app.web.fields import FILE, PICTURES
from app.web.problems import MEDIA_TYPE
from app.web.schemas import Problem

Responses = dict[int | str, dict[str, Any]]

MEANINGS = {
    400: "a body that is not what its Content-Type or Content-Encoding says",
    401: "no valid API key",
    404: "no such model or class; the detail lists near matches",
    406: "none of the representations is accepted",
    413: "the body or the picture is over the limit",
    415: "not a picture, or of an unsupported format",
    422: "a broken picture, or an option out of range",
    503: "too much waiting (Retry-After says when to come back), or the model is not there",
    504: "the deadline passed",
}


def problems(*statuses: int) -> Responses:
    """The documented failures of an operation."""
    reference = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {
        status: {"description": MEANINGS[status], "content": {MEDIA_TYPE: {"schema": reference}}} for status in statuses
    }


def picture_or_figures(body: type[BaseModel], example: Mapping[str, Any]) -> Responses:
    """The success of an operation that answers with a picture, JSON or events."""
    picture = {"schema": {"type": "string", "format": "binary"}}
    events = 'event: progress\ndata: {"step": 7, "steps": 40, "score": 0.83}\n\nevent: result\ndata: {...}\n\n'
    return {
        200: {
            "model": body,
            "description": "The picture, every figure, or progress and then the figures, by Accept or `format`.",
            "content": {
                "image/png": picture,
                "image/jpeg": picture,
                "image/webp": picture,
                "application/json": {"example": dict(example)},
                "text/event-stream": {"schema": {"type": "string"}, "example": events},
            },
        }
    }


def moving_too(responses: Responses) -> Responses:
    """The same, and the ascent as a film."""
    binary = {"schema": {"type": "string", "format": "binary"}}
    done: dict[str, Any] = responses[200]
    return responses | {200: {**done, "content": {**done["content"], "image/gif": binary}}}


RAW = ("image/png", "image/jpeg", "image/webp", "application/octet-stream")
REFERENCES = "#/components/schemas/{model}"
IN_BASE64 = {"type": "string", "contentEncoding": "base64", "description": "the file in base64, or as a data URL"}
TINY = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAGUlEQVR42mNkYGhQYGDARCwMCgxYweCUAABobwJ"
    "ednxjlwAAAABJRU5ErkJggg=="
)
"""A picture of 8 x 8 pixels, for examples."""
FORMS: tuple[type[BaseModel], ...] = (
    ClassifyOptions,
    AdversarialOptions,
    CurveOptions,
    TargetsOptions,
    FeaturesOptions,
    ExplainOptions,
)
"""What operations that take a picture read."""


def picture_request(form: type[BaseModel]) -> dict[str, Any]:
    """What an operation that takes a picture reads: the form, the picture alone, or JSON; and options in the query.

    `install` adds the form's own schema.
    """
    schema = _schema(form)
    properties, required = schema["properties"], schema["required"]
    as_text = {name: {**entry, **IN_BASE64} if name in PICTURES else entry for name, entry in properties.items()}
    for name in set(PICTURES) & set(as_text):
        del as_text[name]["format"]
    document = {"type": "object", "additionalProperties": False, "required": required, "properties": as_text}
    content: dict[str, Any] = {"multipart/form-data": {"schema": {"$ref": REFERENCES.format(model=form.__name__)}}}
    content |= {media_type: {"schema": FILE} for media_type in RAW}
    content["application/json"] = {"schema": document, "example": {"image": TINY}}
    parameters = [_in_query(name, entry) for name, entry in properties.items() if name not in PICTURES]
    return {"requestBody": {"required": True, "content": content}, "parameters": parameters}


def _schema(form: type[BaseModel]) -> dict[str, Any]:
    schema = form.model_json_schema(ref_template=REFERENCES)
    for entry in schema["properties"].values():
        if entry.get("default", "") is None:
            del entry["default"]  # nothing that a client could send
    return schema


def _in_query(name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Without default or example, or Swagger UI would send each option here as well as in the form."""
    schema = {key: value for key, value in entry.items() if key not in ("default", "examples", "description", "title")}
    description = (
        f"{entry.get('description', name)} (also a field of the form; give it here where the picture is sent alone)"
    )
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


def install(app: FastAPI, registry: Registry) -> None:
    """Let "Try it out" succeed as it stands: the examples of a class and a layer are the default model's."""
    plain = app.openapi

    def document() -> dict[str, Any]:
        schema = plain()
        schemas = schema["components"]["schemas"]
        schemas[Problem.__name__] = Problem.model_json_schema()
        for form in FORMS:
            described = _schema(form)
            schemas |= described.pop("$defs", {})
            schemas[form.__name__] = described
        parameters = schema["paths"]["/ideal/{class}"]["get"]["parameters"]
        (name,) = [each for each in parameters if each["name"] == "class"]
        if registry.state(registry.names[0]) == "ready":
            name["example"] = registry.get().spec.classes[0]
            examples = {"layer": registry.get().classifier.layers[-1].name, "channel": 0}
            schemas["FeaturesOptions"]["properties"]["layer"]["examples"] = [examples["layer"]]
            as_json = schema["paths"]["/features"]["post"]["requestBody"]["content"]["application/json"]
            as_json["example"]["layer"] = examples["layer"]
            for parameter in schema["paths"]["/ideal"]["get"]["parameters"]:
                if parameter["name"] in examples:
                    parameter["example"] = examples[parameter["name"]]
        detail = schema["paths"]["/models/{name}"]["get"]["parameters"]
        detail[0]["example"] = registry.names[0]
        return schema

    app.openapi = document  # type: ignore[method-assign]
