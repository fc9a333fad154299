"""Tests API keys over HTTP: who may do what, how much of it, and what wrong keys get."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.types import ASGIApp, Receive, Scope, Send

from models.pictures import encode
from tests.app.keys.entries import entry
from tests.app.live_service import Live, drawn, eventually, serve
from tests.clock import Clock

FOR_CLASSIFYING = {"/classify", "/classify/batch", "/models", "/models/{name}", "/models/{name}/card"}
"""What a key with the role `classify` may use."""


class AnyName(dict[str, str]):
    """Fills in every parameter of a path with the same text."""

    def __missing__(self, key: str) -> str:
        return "cat"


@pytest.fixture(scope="module")
def keys_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with a key for each role, and one for three requests per minute."""
    file = tmp_path_factory.mktemp("keys") / "keys.toml"
    file.write_text(
        entry("ops", "all-key") + entry("page", "classify-key", "classify") + entry("few", "few-key", "classify", 3)
    )
    return file


@pytest.fixture(scope="module")
def locked(checkpoints: Path, keys_file: Path) -> Iterator[Live]:
    """A service with these keys, and one in its settings."""
    with serve(checkpoints=checkpoints, api_keys=("clé",), api_keys_file=keys_file) as live:
        yield live


def key(text: str) -> dict[str, str]:
    return {"X-API-Key": text}


def refused(live: Live) -> dict[str, float]:
    """The counts of refused requests in /metrics, by reason."""
    text = live.client.get("/metrics", headers=key("all-key")).text
    found = re.findall(r'^mirage_keys_refused_total{reason="(\w+)"} ([\d.]+)$', text, re.MULTILINE)
    return {reason: float(number) for reason, number in found}


def operations(live: Live) -> Iterator[tuple[str, str, str]]:
    """The method, the path in the document, and the path with its parameters filled in, of every operation."""
    for path, methods in live.client.get("/openapi.json").json()["paths"].items():
        for method in methods:
            yield method, path, path.format_map(AnyName())


def test_every_operation_but_the_probes_requires_a_key(locked: Live) -> None:
    for method, path, address in operations(locked):
        expected = {"/health/live": 200, "/health/ready": 200}.get(path, 401)
        response = locked.client.request(method, address)
        assert response.status_code == expected, path
        if expected == 401:
            assert (response.json()["title"], response.headers["WWW-Authenticate"]) == ("Unauthorized", "ApiKey")


def test_the_page_and_the_documentation_need_no_key(locked: Live) -> None:
    for path in ("/", "/page/scripts/main.js", "/docs", "/openapi.json"):
        assert locked.client.get(path).status_code == 200, path


def test_a_key_with_the_role_classify_may_classify_and_read_about_models(locked: Live) -> None:
    """With it, every other operation answers 403, and none of these does."""
    for method, path, address in operations(locked):
        if path.startswith("/health/"):
            continue
        response = locked.client.request(method, address, headers=key("classify-key"))
        assert (response.status_code != 403) == (path in FOR_CLASSIFYING), path
        assert response.status_code != 401
        if response.status_code == 403:
            problem = response.json()
            assert (problem["title"], problem["type"]) == ("Forbidden", "urn:mirage:problem:forbidden")
            assert "ask the operator of this service for a key with the role all" in problem["detail"]
    picture = {"image": encode(drawn())}
    assert locked.client.post("/classify", files=picture, headers=key("classify-key")).status_code == 200


def test_a_key_with_the_role_all_may_do_everything(locked: Live) -> None:
    """Most of these requests fail for other reasons; one draws the smallest ideal picture."""
    for method, path, address in operations(locked):
        for text in ("all-key", "clé"):
            headers = {b"X-API-Key": text.encode()}
            response = locked.client.request(method, f"{address}?steps=1&size=32", headers=headers)
            assert response.status_code not in (401, 403), path


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_a_key_with_other_letters_is_accepted_in_both_encodings(locked: Live, encoding: str) -> None:
    headers = {b"X-API-Key": "clé".encode(encoding)}
    assert httpx.get(f"{locked.url}/models", headers=headers).status_code == 200


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        ([], "the request has no API key"),
        ([("X-API-Key", "")], "the request has no API key"),
        ([("X-API-Key", "wrong")], "the key in the header X-API-Key is not valid"),
        ([("X-API-Key", "all-key"), ("X-API-Key", "all-key")], "the key in the header X-API-Key is not valid"),
        ([("X-API-Key", "\xff\xfe")], "the key in the header X-API-Key is not valid"),
        ([("Authorization", "Bearer all-key")], "the request has no API key"),
    ],
)
def test_a_request_without_a_valid_key_is_told_so(locked: Live, headers: list[tuple[str, str]], detail: str) -> None:
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    response = httpx.get(f"{locked.url}/models", headers=encoded)
    assert response.status_code == 401 and response.json()["detail"].startswith(detail)


def test_a_quota_that_is_used_up_is_answered_with_429(locked: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three per minute: after three at once there is room again after 20 seconds, which a clock here makes pass."""
    clock = Clock()
    clock.now = 1e6  # far beyond the time at which the bucket was made, so that it is full
    monkeypatch.setattr("app.keys.quota.time", clock)

    def ask() -> httpx.Response:
        return locked.client.get("/models", headers=key("few-key"))

    before = refused(locked)
    assert [ask().status_code for _ in range(3)] == [200] * 3
    response = ask()
    assert (response.status_code, response.headers["Retry-After"]) == (429, "20")
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["type"] == "urn:mirage:problem:quota-used-up"
    assert "may make 3 requests in a minute" in response.json()["detail"]
    clock.now += 19
    assert ask().headers["Retry-After"] == "1"
    clock.now += 1
    assert [ask().status_code for _ in range(2)] == [200, 429]
    assert refused(locked)["quota"] - before["quota"] == 3
    assert locked.client.get("/models", headers=key("classify-key")).status_code == 200


def test_refusals_are_counted_by_their_reason(locked: Live) -> None:
    before = refused(locked)
    assert set(before) == {"missing", "wrong", "too_many_wrong", "role", "quota"}
    get = locked.client.get
    get("/models")
    get("/models", headers=key("wrong"))
    get("/metrics", headers=key("classify-key"))
    get("/models", headers=key("all-key"))
    after = refused(locked)
    changes = {reason: after[reason] - before[reason] for reason in before if after[reason] != before[reason]}
    assert changes == {"missing": 1, "wrong": 1, "role": 1}


def test_wrong_keys_are_delayed_per_address_and_valid_ones_never(locked: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """The addresses come from the proxy, which is trusted here. A valid key from the delayed address is not delayed."""
    asked: list[str] = []

    async def note(address: str) -> None:
        asked.append(address)

    monkeypatch.setattr(locked.app.state.key_check.wrong, "delay", note)
    for address, text in (("192.0.2.1", "wrong"), ("2001:db8::1", "wrong"), ("192.0.2.1", "all-key"), ("a", "")):
        locked.client.get("/models", headers=key(text) | {"X-Forwarded-For": address})
    assert asked == ["192.0.2.1", "2001:db8::1"]


def test_too_many_wrong_keys_are_refused_at_once(locked: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """No wrong key may wait for longer than 0 seconds here, so that the first is one too many."""
    monkeypatch.setattr("app.keys.wrong_keys.LONGEST_S", 0)
    before = refused(locked)
    headers = key("wrong") | {"X-Forwarded-For": "192.0.2.99"}
    response = locked.client.get("/models", headers=headers)
    assert (response.status_code, response.headers["Retry-After"]) == (429, "1")
    assert response.json()["type"] == "urn:mirage:problem:too-many-wrong-keys"
    assert refused(locked)["too_many_wrong"] - before["too_many_wrong"] == 1
    assert locked.client.get("/models", headers=key("all-key") | {"X-Forwarded-For": "192.0.2.99"}).status_code == 200


def test_a_key_that_is_removed_from_the_file_is_refused_without_a_restart(locked: Live, keys_file: Path) -> None:
    """And accepted when it is there again."""
    whole = keys_file.read_text()

    def status() -> int:
        return locked.client.get("/models", headers=key("classify-key")).status_code

    assert status() == 200
    keys_file.write_text(entry("ops", "all-key"))
    eventually(lambda: status() == 401)
    keys_file.write_text(whole)
    eventually(lambda: status() == 200)


class Names:
    """Notes the name of the key of each request, as a log or a metric could."""

    def __init__(self, app: ASGIApp, names: list[str]) -> None:
        self.app, self.names = app, names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, send)
        if scope["type"] == "http":
            self.names.append(getattr(Request(scope).state, "key_name", "none"))


def name_requests(app: FastAPI, names: list[str]) -> None:
    app.middleware_stack = Names(app.middleware_stack, names)  # type: ignore[arg-type]


def test_the_name_of_the_key_is_known_to_logs_and_metrics(
    locked: Live, live: Live, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also for a request that is refused for its role; "" without a valid key, and where the service has no keys."""
    names: list[str] = []
    for service in (locked, live):
        monkeypatch.setattr(service.app, "middleware_stack", service.app.middleware_stack)
        name_requests(service.app, names)
    for path, text in (
        ("/models", "all-key"),
        ("/metrics", "classify-key"),
        ("/models", "wrong"),
        ("/health/live", ""),
    ):
        locked.client.get(path, headers=key(text))
    locked.client.post("/classify", files={"image": b"x"}, headers={b"X-API-Key": "clé".encode()})
    live.client.get("/models")
    eventually(lambda: len(names) == 6)
    assert names == ["ops", "page", "", "none", "key-1", ""]
