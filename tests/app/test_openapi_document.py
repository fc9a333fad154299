"""Tests that the OpenAPI document is complete and that its examples work."""

import json
import re

from app.openapi_document import FORMS
from models.pictures import encode
from tests.app.live_service import Live, drawn


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
    del data["format"]  # a choice without a default: the page offers its values
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


def test_every_operation_documents_its_failures(live: Live) -> None:
    document = live.client.get("/openapi.json").json()
    posts = {path: operations["post"] for path, operations in document["paths"].items() if "post" in operations}
    assert {"/classify", "/adversarial", "/explain"} <= set(posts)
    for path, post in posts.items():
        responses = post["responses"]
        assert {"200", "400", "401", "404", "413", "415", "422", "503", "504"} <= set(responses), path
        assert "406" in responses or "image/png" not in responses["200"]["content"], path
        assert list(responses["422"]["content"]) == ["application/problem+json"]
    assert set(document["paths"]["/ideal/{class}"]["get"]["responses"]["200"]["content"]) == {
        "image/png", "image/jpeg", "image/webp", "image/gif", "application/json", "text/event-stream"
    }  # fmt: skip
