"""What the OpenAPI document says beside the bodies' own shapes."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI
from pydantic import BaseModel

from app.problems import MEDIA_TYPE
from app.registry import Registry
from app.schemas import Problem

Responses = dict[int | str, dict[str, Any]]

MEANINGS = {
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


def install(app: FastAPI, registry: Registry) -> None:
    """Let "Try it out" succeed as it stands: the examples of a class and a layer are the default model's."""
    plain = app.openapi

    def document() -> dict[str, Any]:
        schema = plain()
        schema["components"]["schemas"][Problem.__name__] = Problem.model_json_schema()
        parameters = schema["paths"]["/ideal/{class}"]["get"]["parameters"]
        (name,) = [each for each in parameters if each["name"] == "class"]
        if registry.state(registry.names[0]) == "ready":
            name["example"] = registry.get().spec.classes[0]
            examples = {"layer": registry.get().classifier.layers[-1].name, "channel": 0}
            form = schema["components"]["schemas"]["FeaturesOptions"]["properties"]
            form["layer"]["examples"] = [examples["layer"]]
            for parameter in schema["paths"]["/ideal"]["get"]["parameters"]:
                if parameter["name"] in examples:
                    parameter["example"] = examples[parameter["name"]]
        detail = schema["paths"]["/models/{name}"]["get"]["parameters"]
        detail[0]["example"] = registry.names[0]
        return schema

    app.openapi = document  # type: ignore[method-assign]
