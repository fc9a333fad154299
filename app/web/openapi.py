"""Parts of the OpenAPI document that FastAPI cannot derive: problem responses, and the ways to send a picture."""

from typing import Any

from pydantic import BaseModel

from app.web.fields import FILE, PICTURES
from app.web.problems import MEDIA_TYPE
from app.web.schemas import PictureResult, Problem

Json = dict[str, Any]
"""A part of the document; the standards OpenAPI and JSON Schema define what it may hold, so no type here repeats it."""
Responses = dict[int | str, Json]
"""Documented responses by status code, as FastAPI's decorators take them."""

MEANINGS = {
    400: "The body is not what its Content-Type or Content-Encoding says.",
    401: "The request carries no valid API key.",
    404: "There is no such model, class or layer; the detail lists similar names.",
    406: "The service offers none of the media types in the Accept header.",
    413: "The body or the picture is larger than the service accepts.",
    415: "The file is not a picture, or its format is not supported.",
    422: "An option has a wrong value, or the uploaded picture is damaged; the detail says what to do.",
    503: "The service is overloaded, or the model is not loaded. The header Retry-After may say when to try again.",
    504: "The deadline passed before the result was ready.",
}
"""Descriptions of the problem responses."""


def problems(*statuses: int) -> Responses:
    """The documented problem responses of an operation, by status code."""
    reference = {"$ref": f"#/components/schemas/{Problem.__name__}"}
    return {
        status: {"description": MEANINGS[status], "content": {MEDIA_TYPE: {"schema": reference}}} for status in statuses
    }


EVENTS = (
    "Events of three kinds. `progress`, after a step of the task: `step` of `steps`; `score`, how near the task is to "
    "its goal (null if it has no score); `success`, whether a result that reaches the goal has been verified in the "
    "file already (null if the task has no such goal); `eta_s`, the estimated seconds that the remaining steps take "
    "under the present load, without the final verification or scoring (null without an estimate: in the first steps, "
    "and after the last); from an attack, `probabilities`, the five most probable classes of the best picture so far, "
    "best first, and after them the target class (without a target, the original class) if it is not among them; and, "
    "with `previews`, at most ten times a second, `preview`, the picture so far as a JPEG in a data URL, and from an "
    "attack `change`, likewise the perturbation so far, amplified to the full range around a mid-grey (level 128) "
    "that means no change. `result`, once: the same JSON as without a stream. `problem`, in place of a result: the "
    "problem details."
)
"""What an event stream contains."""


def picture_responses(body: type[PictureResult]) -> Responses:
    """The documented success of an operation that returns a picture, JSON or an event stream.

    The `json_schema_extra` of the body's `model_config` must contain one example.
    """
    examples = body.model_json_schema(mode="serialization").get("examples", [])
    assert len(examples) == 1, f"{body.__name__} needs one example in the json_schema_extra of its model_config"
    picture = {"schema": {"type": "string", "format": "binary"}}
    progress = '{"step": 7, "steps": 40, "score": 0.83, "success": true, "eta_s": 2.4}'
    events = f"event: progress\ndata: {progress}\n\nevent: result\ndata: {{...}}\n\n"
    return {
        200: {
            "model": body,
            "description": "The picture with its most important figures in X-Mirage-... headers; or JSON with all "
            "figures and the pictures as data URLs; or an event stream with the progress and then this JSON. The "
            "Accept header or the option `format` chooses.",
            "content": {
                "image/png": picture,
                "image/jpeg": picture,
                "image/webp": picture,
                "application/json": {"example": examples[0]},
                "text/event-stream": {"schema": {"type": "string", "description": EVENTS}, "example": events},
            },
        }
    }


def with_animation(responses: Responses) -> Responses:
    """The same responses, and the success also as an animated GIF."""
    animation = {"image/gif": {"schema": {"type": "string", "format": "binary"}}}
    success = responses[200]
    return responses | {200: {**success, "content": {**success["content"], **animation}}}


PICTURE_TYPES = ("image/png", "image/jpeg", "image/webp", "application/octet-stream")
"""Media types of a body that is the picture itself."""
REFERENCES = "#/components/schemas/{model}"
IN_BASE64 = {
    "type": "string",
    "contentEncoding": "base64",
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
    schema = form_schema(form)
    properties, required = schema["properties"], schema["required"]
    json_properties = {name: _in_base64(entry) if name in PICTURES else entry for name, entry in properties.items()}
    example = [TINY_PICTURE] * 2 if properties["image"].get("type") == "array" else TINY_PICTURE
    json_schema = {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": json_properties,
    }
    content: Json = {"multipart/form-data": {"schema": {"$ref": REFERENCES.format(model=form.__name__)}}}
    content |= {media_type: {"schema": FILE} for media_type in PICTURE_TYPES}
    content["application/json"] = {"schema": json_schema, "example": {"image": example}}
    parameters = [_query_parameter(name, entry) for name, entry in properties.items() if name not in PICTURES]
    return {"requestBody": {"required": True, "content": content}, "parameters": parameters}


def _in_base64(entry: Json) -> Json:
    """The schema of a field with a picture, or with several, as it is in JSON."""
    if entry.get("type") == "array":
        return {**entry, "items": _in_base64(entry["items"])}
    return {key: value for key, value in entry.items() if key != "format"} | IN_BASE64


def form_schema(form: type[BaseModel]) -> Json:
    """The JSON schema of a form, without defaults of None: a client could not send them."""
    schema = form.model_json_schema(ref_template=REFERENCES)
    for entry in schema["properties"].values():
        if entry.get("default", "") is None:
            del entry["default"]
    return schema


def _query_parameter(name: str, entry: Json) -> Json:
    """Without default and example: Swagger UI would send the option in the query as well as in the form."""
    schema = {key: value for key, value in entry.items() if key not in ("default", "examples", "description", "title")}
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
