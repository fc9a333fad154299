"""The application as a whole: documentation, keys, limits, overload, deadlines."""

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from app.registry import NotServed
from models.pictures import encode
from tests.app.conftest import Live, drawn, eventually, serve


def test_swagger_ui_needs_no_internet(live: Live) -> None:
    """Everything that the page refers to is served from here."""
    page = live.client.get("/docs").text
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) >= 3
    for address in addresses:
        assert address.startswith((live.url, "/"))
        assert live.client.get(address).status_code == 200


def test_the_root_leads_to_the_documentation(live: Live) -> None:
    assert live.client.get("/", follow_redirects=True).url.path == "/docs"


def test_every_documented_get_succeeds_with_its_examples(live: Live) -> None:
    """What "Try it out" sends when nothing is filled in but what is required."""
    document = live.client.get("/openapi.json").json()
    tried = 0
    for path, operations in document["paths"].items():
        if "get" not in operations:
            continue
        address = path
        for parameter in operations["get"].get("parameters", []):
            if parameter["required"]:
                address = address.replace("{" + parameter["name"] + "}", str(parameter["example"]))
        assert live.client.get(address, timeout=120).status_code == 200, address
        tried += 1
    assert tried == 6


def test_the_form_that_swagger_ui_fills_in_succeeds(live: Live) -> None:
    """Each field's example, else its default, as the page sends it; empty ones are left out."""
    document = live.client.get("/openapi.json").json()
    fields = document["components"]["schemas"]["AdversarialOptions"]["properties"]
    filled = {name: str(field.get("examples", [field.get("default")])[0]) for name, field in fields.items()}
    del filled["image"]
    sent = {name: value.lower() if value == "False" else value for name, value in filled.items() if value != ""}
    del sent["format"]  # a choice without a default: the page offers its values
    assert sent == {"attack": "pgd", "norm": "linf", "epsilon": str(8 / 255), "steps": "40", "seed": "0",
                    "deadline_s": "60", "previews": "false"}  # fmt: skip
    answer = live.client.post("/adversarial", files={"image": encode(drawn())}, data=sent)
    assert answer.status_code == 200


def test_the_document_refers_to_nothing_that_is_missing(live: Live) -> None:
    document = live.client.get("/openapi.json").json()
    named = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)))
    assert "Problem" in named and named <= set(document["components"]["schemas"])


def test_every_operation_documents_its_failures(live: Live) -> None:
    document = live.client.get("/openapi.json").json()
    for path in ("/classify", "/adversarial"):
        responses = document["paths"][path]["post"]["responses"]
        assert {"200", "404", "413", "415", "422", "503", "504"} <= set(responses)
        assert list(responses["422"]["content"]) == ["application/problem+json"]
    assert set(document["paths"]["/ideal/{class}"]["get"]["responses"]["200"]["content"]) == {
        "image/png", "image/jpeg", "image/webp", "application/json", "text/event-stream"
    }  # fmt: skip


class Named(dict[str, str]):
    """Any parameter of an address, filled in."""

    def __missing__(self, key: str) -> str:
        return "cat"


def test_keys(checkpoints: Path) -> None:
    """With keys set, every operation wants one, but the probes do not."""
    with serve(checkpoints=checkpoints, api_keys=("one", "two")) as live:
        get = live.client.get
        assert get("/health/ready").status_code == 200
        for path, operations in get("/openapi.json").json()["paths"].items():
            for method in operations:
                expected = {"/health/live": 200, "/health/ready": 200}.get(path, 401)
                assert live.client.request(method, path.format_map(Named())).status_code == expected, path
        refused = get("/models")
        assert (refused.status_code, refused.json()["title"]) == (401, "Unauthorized")
        assert get("/models", headers={"X-API-Key": "wrong"}).status_code == 401
        for key in ("one", "two"):
            assert get("/models", headers={"X-API-Key": key}).status_code == 200


def test_overload_is_refused_at_once(checkpoints: Path) -> None:
    """Two places, both taken by long tasks: the third request gets 503 with Retry-After, and a place when they left."""
    with serve(checkpoints=checkpoints, max_waiting=2) as live, ThreadPoolExecutor(2) as pool:
        long = "/ideal/cat?steps=1000&crops=32"

        def hold() -> None:
            with pytest.raises(httpx.TimeoutException):
                httpx.get(live.url + long, timeout=2)

        held = [pool.submit(hold) for _ in range(2)]
        eventually(lambda: live.service.engine.alive == 2)
        answer = live.client.post("/classify", files={"image": encode(drawn())})
        assert answer.status_code == 503 and int(answer.headers["Retry-After"]) >= 1
        assert answer.json()["type"] == "urn:mirage:problem:overloaded"
        stream = live.client.get(long, headers={"Accept": "text/event-stream"})
        assert stream.status_code == 503, "refused before a stream begins"
        for each in held:
            each.result()
        eventually(lambda: live.service.engine.alive == 0)
        assert live.client.post("/classify", files={"image": encode(drawn())}).status_code == 200


def test_the_services_deadline(checkpoints: Path) -> None:
    with serve(checkpoints=checkpoints, deadline_s=0.3) as live:
        answer = live.client.get("/ideal/cat?steps=1000&crops=32")
        assert answer.status_code == 504 and "not done after" in answer.json()["detail"]


def test_pixel_and_byte_limits_are_settings(checkpoints: Path) -> None:
    with serve(checkpoints=checkpoints, max_pixels=10_000, max_bytes=30_000) as live:
        post = live.client.post
        assert post("/classify", files={"image": encode(drawn(99, 100))}).status_code == 200
        assert "10,000" in post("/classify", files={"image": encode(drawn(101, 100))}).json()["detail"]
        assert "30,000" in post("/adversarial", files={"image": bytes(31_000)}).json()["detail"]


def test_a_fault_of_ours_is_a_problem_without_a_traceback(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.routes.classify.classify", lambda *args, **kwargs: 1 / 0)
    answer = live.client.post("/classify", files={"image": encode(drawn())})
    assert (answer.status_code, answer.headers["Content-Type"]) == (500, "application/problem+json")
    assert "ZeroDivision" not in answer.text and answer.json()["request_id"] == answer.headers["X-Request-ID"]


def test_an_empty_folder_is_refused_with_advice(tmp_path: Path) -> None:
    with pytest.raises(NotServed, match="train one"), serve(checkpoints=tmp_path):
        pass
