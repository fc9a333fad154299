"""Tests that the OpenAPI document is complete and that its examples work."""

import json
import re
from pathlib import Path

from app.openapi_document import FORMS
from models.pictures import encode
from tests.app.live_service import Live, drawn, serve


def test_every_documented_get_succeeds_with_its_examples(live: Live) -> None:
    """This is what "Try it out" in Swagger UI sends when only the required fields are filled in."""
    document = live.client.get("/openapi.json").json()
    count = 0
    for path, operations in document["paths"].items():
        if "get" not in operations:
            continue
        required = [entry for entry in operations["get"].get("parameters", []) if entry["required"]]
        examples = {entry["name"]: str(entry["example"]) for entry in required}
        query = {entry["name"]: examples[entry["name"]] for entry in required if entry["in"] == "query"}
        address = path.format(**examples)
        assert live.client.get(address, params=query, timeout=120).status_code == 200, address
        count += 1
    assert count == 8


def test_the_form_that_swagger_ui_fills_in_succeeds(live: Live) -> None:
    """Swagger UI sends the example of a field or else its default; empty fields are left out."""
    document = live.client.get("/openapi.json").json()
    fields = document["components"]["schemas"]["AdversarialOptions"]["properties"]
    examples = {name: str(field.get("examples", [field.get("default")])[0]) for name, field in fields.items()}
    del examples["image"]
    data = {name: value.lower() if value == "False" else value for name, value in examples.items() if value != ""}
    assert data == {"attack": "auto", "confidence": "0.0", "survive": "png", "deadline_s": "60", "previews": "false"}
    answer = live.client.post("/adversarial", files={"image": encode(drawn())}, data=data)
    assert answer.status_code == 200


def test_every_text_field_of_a_form_has_an_example_or_a_default(live: Live) -> None:
    """Swagger UI fills a text field without them with `string`, which is neither a model nor a class."""
    document = live.client.get("/openapi.json").json()
    forms = {path["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]["$ref"].rpartition("/")[2]
             for path in document["paths"].values() if "requestBody" in path.get("post", {})}  # fmt: skip
    assert "ClassifyOptions" in forms
    assert forms == {form.__name__ for form in FORMS}, "FORMS in app/openapi_document.py lists every form"
    for form in forms:
        for name, field in document["components"]["schemas"][form]["properties"].items():
            kinds = [choice.get("type") for choice in field.get("anyOf", [field]) if "$ref" not in choice]
            if "string" in kinds and name != "image":
                assert "examples" in field or "default" in field, f"{form}.{name}"


def test_every_referenced_schema_is_defined(live: Live) -> None:
    document = live.client.get("/openapi.json").json()
    referenced = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert "Problem" in referenced
    missing = referenced - set(document["components"]["schemas"])
    assert not missing, f"not defined: {missing}; forms are listed in FORMS in app/openapi_document.py"
    assert referenced == set(document["components"]["schemas"]), "a schema is used nowhere"


def test_every_operation_documents_its_failures(live: Live) -> None:
    document = live.client.get("/openapi.json").json()
    posts = {path: operations["post"] for path, operations in document["paths"].items() if "post" in operations}
    assert {"/classify", "/adversarial", "/explain"} <= set(posts)
    for path, post in posts.items():
        responses = post["responses"]
        assert {"200", "400", "401", "404", "413", "415", "422", "429", "503", "504"} <= set(responses), path
        assert "406" in responses or "image/png" not in responses["200"]["content"], path
        assert list(responses["422"]["content"]) == ["application/problem+json"]
    assert set(document["paths"]["/ideal/{class}"]["get"]["responses"]["200"]["content"]) == {
        "image/png", "image/jpeg", "image/webp", "image/gif", "application/json", "text/event-stream"
    }  # fmt: skip


def test_every_operation_documents_the_refusals_of_keys(live: Live) -> None:
    """A key of any role may classify and read about the models, so these never answer 403; probes need no key."""
    document = live.client.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            documented = {"401", "403", "429"} & set(operation["responses"])
            needs_key = {"401", "429"} if path.startswith(("/classify", "/models")) else {"401", "403", "429"}
            assert documented == (set() if path.startswith("/health/") else needs_key), path
            assert bool(operation["security"]) == bool(documented), path


def test_responses_that_say_when_to_try_again_document_the_header(live: Live) -> None:
    document = live.client.get("/openapi.json").json()
    for status in ("429", "503"):
        response = document["paths"]["/classify"]["post"]["responses"][status]
        assert response["headers"]["Retry-After"]["schema"] == {"type": "integer", "minimum": 1}


def test_every_operation_documents_what_all_requests_pass_through(live: Live) -> None:
    """Problems of middleware and of the server, in order of their statuses, and the id of the request."""
    document = live.client.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        for operation in operations.values():
            responses = operation["responses"]
            assert {"400", "408", "413", "415", "431", "500", "503"} <= set(responses), path
            assert list(responses) == sorted(responses), path
            for status, response in responses.items():
                assert response["headers"]["X-Request-ID"] == {"$ref": "#/components/headers/X-Request-ID"}
                assert status < "400" or "application/problem+json" in response["content"], f"{path} {status}"


def test_each_operation_lists_the_formats_that_it_takes(live: Live) -> None:
    """Animations are for ideal pictures alone. An empty value counts as left out; null exists in JSON only."""
    paths = live.client.get("/openapi.json").json()["paths"]
    formats = {
        path: parameter["schema"]["enum"]
        for path, operations in paths.items()
        for operation in operations.values()
        for parameter in operation.get("parameters", [])
        if parameter["name"] == "format"
    }
    still = ["png", "jpeg", "webp", "json", "events", ""]
    animated = [*still[:-1], "gif", "film", ""]
    ideals = ("/ideal", "/ideal/{class}")
    others = ("/adversarial", "/adversarial/curve", "/features", "/explain")
    assert formats == dict.fromkeys(ideals, animated) | dict.fromkeys(others, still)
    as_json = paths["/features"]["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert as_json["format"]["anyOf"] == [{"type": "string", "enum": still}, {"type": "null"}]


def test_the_events_of_a_stream_have_schemas(live: Live) -> None:
    """As OpenAPI 3.2 describes them; the result is the JSON of the same operation."""
    document = live.client.get("/openapi.json").json()
    assert document["openapi"] == "3.2.0"
    content = document["paths"]["/adversarial"]["post"]["responses"]["200"]["content"]
    events = [event["properties"] for event in content["text/event-stream"]["itemSchema"]["anyOf"]]
    assert {event["event"]["const"]: event["data"]["contentSchema"]["$ref"].rpartition("/")[2] for event in events} == {
        "progress": "ProgressEvent",
        "result": "AdversarialResult",
        "problem": "Problem",
    }


def test_every_field_of_a_response_is_always_there(live: Live) -> None:
    """Only progress has fields that may be missing; all others may be null at most."""
    schemas = live.client.get("/openapi.json").json()["components"]["schemas"]
    forms = {form.__name__ for form in FORMS}
    optional = {
        name: fields
        for name, schema in schemas.items()
        if name not in forms and (fields := set(schema["properties"]) - set(schema.get("required", ())))
    }
    assert optional == {"ProgressEvent": {"probabilities", "preview", "change"}}


def test_keys_are_optional_while_none_are_set(live: Live, checkpoints: Path) -> None:
    operation = live.client.get("/openapi.json").json()["paths"]["/models"]["get"]
    assert operation["security"] == [{"APIKeyHeader": []}, {}]
    with serve(checkpoints=checkpoints, api_keys=("a-long-key-for-this-test",)) as locked:
        paths = locked.client.get("/openapi.json").json()["paths"]
    assert paths["/models"]["get"]["security"] == [{"APIKeyHeader": []}]
    assert paths["/health/live"]["get"]["security"] == []
