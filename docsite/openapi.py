"""Operations of the OpenAPI document as Markdown: what a request may have, and what comes back.

No library that draws OpenAPI documents in Sphinx reads version 3.2 (docs/decisions/0063-a-docs-site.md).
"""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from app.web.openapi_schemas import ONLY_FOR
from docsite.markdown import code, definition, escape, paragraphs, table
from docsite.schemas import REFERENCE, kind, referenced

OBJECTS = "objects.md"
"""The page beside that of an operation which describes the objects in responses."""
MIRRORED = "(The same option as in the form"
"""Beginning of what the document adds to a parameter that is a field of the form too."""
WAYS = (
    "The request is one of: a form (`multipart/form-data`) with the fields below; a picture file as the body, with the "
    "options in the query; or JSON with the same fields."
)
"""How a picture and its options are sent."""


@cache
def document() -> Mapping[str, Any]:
    """The OpenAPI document of a service with the bundled models and no other setting."""
    from app.main import create_app  # late: it imports PyTorch
    from app.settings import Settings

    settings = Settings(_env_file=None, models=("cats-dogs",))  # type: ignore[call-arg]
    document: Mapping[str, Any] = create_app(settings).openapi()
    return document


def operation(name: str, document: Mapping[str, Any]) -> str:
    """The operation of this name, such as POST /classify, below a heading of the second level."""
    method, _, path = name.partition(" ")
    entry = document["paths"].get(path, {}).get(method.lower())
    if entry is None:
        raise LookupError(f"the OpenAPI document has no operation {name!r}")
    anchor = entry["operationId"].replace("_", "-")
    lines = [f"## {name}", "", f"**{escape(entry['summary'])}.** {entry.get('description', '')}", ""]
    lines += _request(entry, document, anchor)
    lines += _responses(entry, document)
    return "\n".join(lines)


def _request(entry: Mapping[str, Any], document: Mapping[str, Any], anchor: str) -> list[str]:
    lines: list[str] = []
    parameters = [each for each in entry.get("parameters", []) if MIRRORED not in each.get("description", "")]
    if parameters:
        fields = {}
        for each in parameters:
            facts = [f"in the {each['in']}", kind(each["schema"], OBJECTS)]
            field = _field(each["name"], each["schema"] | each, facts, anchor, required=each.get("required", False))
            fields[each["name"]] = (each["schema"], field)
        lines += ["### Parameters", "", *_ordered(fields)]
    content = entry.get("requestBody", {}).get("content", {})
    form = content.get("multipart/form-data")
    if form is None:
        return lines
    schema = _resolved(form["schema"], document)
    required = schema.get("required", [])
    fields = {}
    for name, each in sorted(schema["properties"].items(), key=lambda item: item[0] not in required):
        fields[name] = (each, _field(name, each, [kind(each, OBJECTS)], anchor, required=name in required))
    return [*lines, WAYS, "", "### Fields of the request", "", *_ordered(fields)]


def _ordered(fields: Mapping[str, tuple[Mapping[str, Any], list[str]]]) -> list[str]:
    """The lines of all fields, given with their schemas; those that only some attacks or methods know come last."""
    general = [lines for schema, lines in fields.values() if ONLY_FOR not in schema]
    special = [lines for schema, lines in fields.values() if ONLY_FOR in schema]
    heading = [["#### Options that only some attacks or methods have", ""]] if special else []
    return [line for lines in [*general, *heading, *special] for line in lines]


def _resolved(schema: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    resolved: Mapping[str, Any] = document["components"]["schemas"][schema["$ref"].removeprefix(REFERENCE)]
    return resolved


def _field(name: str, field: Mapping[str, Any], facts: list[str], anchor: str, *, required: bool) -> list[str]:
    facts = [*facts, "required"] if required else facts
    if field.get("default") not in (None, ""):
        facts = [*facts, f"default {code(json.dumps(field['default']).strip(chr(34)))}"]
    return definition(f"`{name}`{{#{anchor}-{name}}}", facts, paragraphs(field.get("description", "")))


def _responses(entry: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    lines = ["### Responses", ""]
    rows = []
    for status, response in entry["responses"].items():
        types = ", ".join(code(name) for name in response.get("content", {}))
        rows.append((code(status), types or "no body", escape(response["description"])))
    lines += table(("status", "types", "meaning"), rows)
    success = entry["responses"]["200"]
    headers = [
        (code(name), escape(_header(header, document)["description"]))
        for name, header in success.get("headers", {}).items()
    ]
    lines += ["#### Headers of a success", "", *table(("header", "meaning"), headers)] if headers else []
    for name in dict.fromkeys(_json_names(success)):
        lines += [f"#### JSON: {name}", "", *_properties(document["components"]["schemas"][name], document)]
    example = success.get("content", {}).get("application/json", {}).get("example")
    if example is not None:
        lines += ["#### Example", "", "```json", json.dumps(example, indent=2, ensure_ascii=False), "```", ""]
    return lines


def _header(header: Mapping[str, Any], document: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in header:
        return header
    resolved: Mapping[str, Any] = document["components"]["headers"][header["$ref"].rpartition("/")[2]]
    return resolved


def _json_names(response: Mapping[str, Any]) -> list[str]:
    """The schemas of a JSON response itself, not of what is inside it."""
    schema = response.get("content", {}).get("application/json", {}).get("schema", {})
    return referenced(schema)


def _properties(schema: Mapping[str, Any], document: Mapping[str, Any]) -> list[str]:
    rows = [
        (code(name), kind(field, OBJECTS), escape(field.get("description") or _of_object(field, document)))
        for name, field in schema.get("properties", {}).items()
    ]
    return table(("field", "value", "meaning"), rows)


def _of_object(field: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    """The description of the object that a field without a description of its own refers to."""
    description: str = _resolved(field, document).get("description", "")
    return description


def objects(document: Mapping[str, Any]) -> str:
    """All objects that responses consist of, in alphabetical order, one heading of the second level for each."""
    schemas = document["components"]["schemas"]
    responses = [entry["responses"] for path in document["paths"].values() for entry in path.values()]
    names = set(referenced(responses))
    while more := {inner for name in names for inner in referenced(schemas[name])} - names:
        names |= more
    lines = []
    for name in sorted(names):
        lines += [
            f"## {name}",
            "",
            escape(schemas[name].get("description", "")),
            "",
            *_properties(schemas[name], document),
        ]
    return "\n".join(lines)
