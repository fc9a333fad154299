"""Parts of the OpenAPI document that FastAPI cannot derive: problem responses, and the ways to send a picture."""

from collections.abc import Mapping

from pydantic import BaseModel

from app.web.fields import FILE, PICTURES
from app.web.openapi_schemas import ANNOTATIONS, Json, model_schema, or_empty, or_left_out, reference
from app.web.outcomes import HEADERS
from app.web.problems import MEDIA_TYPE
from app.web.schemas import PictureResult, Problem, ProgressEvent

Responses = dict[int | str, Json]
"""Documented responses by status code, as FastAPI's decorators take them."""

MEANINGS = {
    400: "The body is not what its Content-Type or Content-Encoding says, or the Host header names a host that this "
    "service does not have.",
    401: "The request carries no valid API key.",
    403: "The API key is not for this operation.",
    404: "There is no such model, class or layer; the detail lists similar names.",
    406: "The service offers none of the media types in the Accept header.",
    408: "The request did not arrive in time.",
    413: "The body or the picture is larger than the service accepts.",
    415: "The file is not a picture, or its format or the Content-Encoding of the body is not supported.",
    422: "An option has a wrong value, or the uploaded picture is damaged; the detail says what to do.",
    429: "The API key has made as many requests as it may, or the client has sent too many wrong keys. The header "
    "Retry-After says when to try again.",
    431: "The headers of the request are larger than the service accepts.",
    500: "The service has failed unexpectedly; its log has the reason under the request id.",
    503: "The service is overloaded or stopping, or the model is not loaded. The header Retry-After may say when to "
    "try again.",
    504: "The deadline passed before the result was ready.",
}
"""Descriptions of the problem responses."""
EVERYWHERE = (400, 408, 413, 415, 431, 500, 503)
"""Problems that any operation may answer with, because they come from what all requests pass through."""
RETRY_AFTER: Json = {
    "description": "Seconds after which the request may be sent again.",
    "schema": {"type": "integer", "minimum": 1},
}
PROBLEM_HEADERS: dict[int, Json] = {
    401: {
        "WWW-Authenticate": {
            "description": "Scheme of authentication: ApiKey, the key in the header X-API-Key.",
            "required": True,
            "schema": {"type": "string"},
        }
    },
    415: {
        "Accept-Encoding": {
            "description": "Content-Encodings that the service reads, if that of the body is not one of them.",
            "schema": {"type": "string"},
        }
    },
    429: {"Retry-After": {**RETRY_AFTER, "required": True}},
    503: {"Retry-After": RETRY_AFTER},
}
"""Headers of problem responses, by status."""


def problems(*statuses: int) -> Responses:
    """The documented problem responses of an operation, by status code."""
    responses: Responses = {}
    for status in statuses:
        responses[status] = {
            "description": MEANINGS[status],
            "content": {MEDIA_TYPE: {"schema": reference(Problem)}},
        }
        if status in PROBLEM_HEADERS:
            responses[status]["headers"] = PROBLEM_HEADERS[status]
    return responses


EVENTS = {
    "progress": "After a step of the task: how far it has come.",
    "result": "At the end, once: the same JSON as without a stream.",
    "problem": "At the end, in place of a result: why there is none.",
}
"""The kinds of events of a stream, and when each is sent."""


def _event_stream(body: type[PictureResult]) -> Json:
    """The content of an event stream: the schema of each event, as OpenAPI 3.2 describes them."""
    models: dict[str, type[BaseModel]] = {"progress": ProgressEvent, "result": body, "problem": Problem}
    progress = '{"step": 7, "steps": 40, "score": 0.83, "success": true, "eta_s": 2.4}'
    return {
        "itemSchema": {"anyOf": [_event(name, models[name]) for name in EVENTS]},
        "example": f"event: progress\ndata: {progress}\n\nevent: result\ndata: {{...}}\n\n",
    }


def _event(name: str, model: type[BaseModel]) -> Json:
    return {
        "type": "object",
        "description": EVENTS[name],
        "required": ["event", "data"],
        "properties": {
            "event": {"type": "string", "const": name, "description": "Kind of the event, by which clients tell them."},
            "data": {
                "type": "string",
                "description": f"A {model.__name__} as JSON.",
                "contentMediaType": "application/json",
                "contentSchema": reference(model),
            },
        },
    }


def picture_responses(body: type[PictureResult], headers: Mapping[str, str] | None = None) -> Responses:
    """The documented success of an operation that returns a picture, JSON or an event stream.

    The `json_schema_extra` of the body's `model_config` must contain one example. `headers` are those that the
    operation sends besides the figures, each with its description.
    """
    examples = body.model_json_schema(mode="serialization").get("examples", [])
    assert len(examples) == 1, f"{body.__name__} needs one example in the json_schema_extra of its model_config"
    picture = {"schema": FILE}
    described = {f"X-Mirage-{name}": text for name, text in HEADERS.items()} | dict(headers or {})
    return {
        200: {
            "model": body,
            "description": "The picture with its most important figures in X-Mirage-... headers; or JSON with all "
            "figures and the pictures as data URLs; or an event stream with the progress and then this JSON. The "
            "Accept header or the option `format` chooses.",
            "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in described.items()},
            "content": {
                "image/png": picture,
                "image/jpeg": picture,
                "image/webp": picture,
                "application/json": {"example": examples[0]},
                "text/event-stream": _event_stream(body),
            },
        }
    }


def with_animation(responses: Responses) -> Responses:
    """The same responses, and the success also as an animated GIF."""
    success = responses[200]
    return responses | {200: {**success, "content": {**success["content"], "image/gif": {"schema": FILE}}}}


PICTURE_TYPES = ("image/png", "image/jpeg", "image/webp", "application/octet-stream")
"""Media types of a body that is the picture itself."""
IN_BASE64 = {
    "type": "string",
    "contentEncoding": "base64",
    "minLength": 1,
    "description": "The content of the picture file in base64, or as a data URL.",
}
TINY_PICTURE = (
    "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAGUlEQVR42mNkYGhQYGDARCwMCgxYweCUAABobwJ"
    "ednxjlwAAAABJRU5ErkJggg=="
)
"""A picture of 8 x 8 pixels, for examples."""


def picture_request(form: type[BaseModel]) -> Json:
    """The documented request of an operation that takes a picture: as a form, as the body itself, or in JSON.

    Options may stand in the query as well. The schema of the form is added by app/openapi_document.py.
    """
    schema = model_schema(form)
    properties, required = schema["properties"], schema["required"]
    json_properties = {name: _in_base64(entry) if name in PICTURES else entry for name, entry in properties.items()}
    json_properties |= {name: or_left_out(json_properties[name]) for name in properties if name not in required}
    example = [TINY_PICTURE] * 2 if properties["image"].get("type") == "array" else TINY_PICTURE
    json_schema = {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": json_properties,
    }
    content: Json = {"multipart/form-data": {"schema": reference(form)}}
    content |= {media_type: {"schema": FILE} for media_type in PICTURE_TYPES}
    content["application/json"] = {"schema": json_schema, "example": {"image": example}}
    options = {name: entry for name, entry in properties.items() if name not in PICTURES}
    parameters = [_query_parameter(name, entry) for name, entry in options.items()]
    return {"requestBody": {"required": True, "content": content}, "parameters": parameters}


def _in_base64(entry: Json) -> Json:
    """The schema of a field with a picture, or with several, as it is in JSON."""
    if entry.get("type") == "array":
        return {**entry, "items": _in_base64(entry["items"])}
    return {key: value for key, value in entry.items() if key != "format"} | IN_BASE64


def form_schema(form: type[BaseModel]) -> Json:
    """The schema of a form, in which an option without a value counts as left out."""
    schema = model_schema(form)
    for name, entry in schema["properties"].items():
        if name not in schema["required"]:
            schema["properties"][name] = or_empty(entry)
    return schema


def _query_parameter(name: str, entry: Json) -> Json:
    """Without default and example: Swagger UI would send the option in the query as well as in the form."""
    schema = {key: value for key, value in or_empty(entry).items() if key not in ANNOTATIONS}
    description = f"{entry['description'].rstrip('.')}."
    if "default" in entry and "Default: " not in description:
        description += f" Default: {_text_in_query(entry['default'])}."
    return {
        "name": name,
        "in": "query",
        "required": False,
        "schema": schema,
        "description": f"{description} (The same option as in the form; use the query if the body is the picture "
        "itself.)",
    }


def _text_in_query(value: object) -> str:
    """A value as a client writes it in the query."""
    if isinstance(value, list):
        return ",".join(map(_text_in_query, value))
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)
