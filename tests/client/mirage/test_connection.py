"""Requests and responses: what is sent, what is repeated, and what every kind of response becomes."""

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from mirage import (
    AsyncMirage,
    BadAddress,
    ClientClosed,
    ConnectionLost,
    DeadlinePassed,
    KeyRefused,
    Mirage,
    NotReached,
    Overloaded,
    RequestRefused,
    UnexpectedResponse,
)
from mirage.results.classification import Classification
from mirage.results.reading import read
from tests.client.answers import URL, Answers, Pieces, refusal, success

LOST = httpx.RemoteProtocolError("Server disconnected without sending a response.")
NO_CONNECTION = httpx.ConnectError("All connection attempts failed")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The pauses between requests, which take no time."""
    paused: list[float] = []

    async def pause(seconds: float) -> None:
        paused.append(seconds)

    monkeypatch.setattr("mirage.connection.sleep", pause)
    yield paused


def ask(*answers: httpx.Response | Exception, operation: str = "classify", retry_s: float = 60) -> object:
    """The result of an operation of a service that answers so."""
    return ask_transport(Answers(*answers), operation, retry_s)


def ask_transport(transport: httpx.AsyncBaseTransport, operation: str = "classify", retry_s: float = 60) -> object:
    with Mirage(URL, transport=transport, retry_s=retry_s) as client:
        return getattr(client, operation)(b"picture")


def test_the_request_has_the_options_the_picture_and_the_key_and_no_name_of_a_file(tmp_path: object) -> None:
    answers = Answers(success())
    path = os.path.join(str(tmp_path), "private \n name.png")
    with open(path, "wb") as file:
        file.write(b"content of the file")
    with Mirage(URL + "/below", api_key="secret", transport=answers) as client:
        client.classify(path, top=3)
    (request,) = answers.requests
    assert (request.method, str(request.url)) == ("POST", URL + "/below/classify")
    assert request.headers["x-api-key"] == "secret" and request.headers["user-agent"].startswith("mirage-client/")
    body = request.content
    assert b"content of the file" in body and b'name="top"\r\n\r\n3\r\n' in body and b"private" not in body


def test_a_refused_request_is_sent_again_when_the_service_said(pauses: list[float]) -> None:
    result = ask(refusal(503, retry_after="7"), refusal(429, retry_after="2"), success())
    assert isinstance(result, Classification) and pauses == [7, 2]


@pytest.mark.parametrize("retry_after", [None, "soon", "-1"])
def test_a_refusal_without_a_time_is_an_error_at_once(retry_after: str | None, pauses: list[float]) -> None:
    with pytest.raises(Overloaded):
        ask(refusal(503, retry_after=retry_after), success())
    assert pauses == []


def test_the_pauses_end_after_the_time_that_is_allowed(pauses: list[float]) -> None:
    with pytest.raises(Overloaded) as caught:
        ask(refusal(503, retry_after="4"), retry_s=10)
    assert pauses == [4, 4] and caught.value.retry_after_s == 4


def test_a_classification_is_repeated_after_a_lost_connection_and_an_attack_is_not(pauses: list[float]) -> None:
    """The attack may have been under way for minutes; to begin it again is the user's decision."""
    assert isinstance(ask(LOST, httpx.ReadError("reset"), success()), Classification)
    answers = Answers(LOST, success())
    with pytest.raises(ConnectionLost, match="try again"):
        ask_transport(answers, "fool")
    assert len(answers.requests) == 1


def test_a_service_that_was_reached_before_is_waited_for(pauses: list[float]) -> None:
    answers = Answers(success(), NO_CONNECTION, NO_CONNECTION, success())
    with Mirage(URL, transport=answers) as client:
        client.classify(b"picture")
        assert isinstance(client.classify(b"picture"), Classification)
    assert pauses == [0.1, 0.2]


def test_a_request_that_was_lost_has_reached_the_service(pauses: list[float]) -> None:
    """A service that dies with the first requests is waited for."""
    assert isinstance(ask(LOST, NO_CONNECTION, success()), Classification) and len(pauses) == 2


def test_a_service_that_was_never_reached_is_an_error_at_once(pauses: list[float]) -> None:
    with pytest.raises(NotReached, match=r"http://mirage\.test.*mirage serve"):
        ask(NO_CONNECTION)
    assert pauses == []


def test_a_proxy_that_does_not_reach_the_service_is_asked_again(pauses: list[float]) -> None:
    """While the service starts again, nginx answers 502 in HTML."""
    html = httpx.Response(502, html="<h1>Bad Gateway</h1>")
    assert isinstance(ask(html, success()), Classification)
    with pytest.raises(UnexpectedResponse, match="proxy"):
        ask(html, success(), operation="fool")


@pytest.mark.parametrize(
    ("response", "words"),
    [
        (httpx.Response(200, html="<h1>It works!</h1>"), "no response of Mirage"),
        (httpx.Response(404, html="<h1>Not Found</h1>"), "no response of Mirage"),
        (httpx.Response(301, headers={"location": "https://elsewhere/classify"}), "https://elsewhere/classify"),
        (httpx.Response(200, content=b"{", headers={"content-type": "application/json"}), "cannot be read"),
        (httpx.Response(200, json=[1]), "versions of client and service"),
        (httpx.Response(503, json={"any": "thing"}), "503"),
        (httpx.Response(422, json={"status": "x"}, headers={"content-type": "application/problem+json"}), "status"),
    ],
)
def test_what_is_no_response_of_the_service_says_so(response: httpx.Response, words: str, pauses: list[float]) -> None:
    with pytest.raises(UnexpectedResponse, match=words):
        ask(response, operation="fool")


@pytest.mark.parametrize(("status", "kind"), [(401, KeyRefused), (415, RequestRefused), (504, DeadlinePassed)])
def test_a_problem_becomes_its_exception(status: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="what to do next"):
        ask(refusal(status))


def test_a_problem_that_leaves_fields_out_is_understood_all_the_same() -> None:
    """RFC 9457 requires none of them; the status of the response is known in any case."""
    response = httpx.Response(413, json={"detail": "smaller"}, headers={"content-type": "application/problem+json"})
    with pytest.raises(RequestRefused, match="smaller") as caught:
        ask(response)
    assert caught.value.problem.status == 413


def test_refusals_of_a_proxy_are_understood(pauses: list[float]) -> None:
    """nginx refuses in HTML: too large, too often, no right; it may say when to come again, also as a date."""
    with pytest.raises(RequestRefused, match="413"):
        ask(httpx.Response(413, html="<h1>Request Entity Too Large</h1>"))
    with pytest.raises(KeyRefused):
        ask(httpx.Response(403, html="<h1>Forbidden</h1>"))
    assert isinstance(ask(httpx.Response(429, html="", headers={"retry-after": "3"}), success()), Classification)
    past = httpx.Response(503, html="", headers={"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"})
    assert isinstance(ask(past, success()), Classification)
    assert pauses == [3, 0.1]


def test_a_response_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mirage.connection.MOST_BYTES", 1000)
    with pytest.raises(UnexpectedResponse, match="more than 1,000 bytes"):
        ask(httpx.Response(200, content=b" " * 2000, headers={"content-type": "application/json"}))


@pytest.mark.parametrize("content", [b"[" * 100_000, b'{"width": NaN}', b'{"width": 1' + b"0" * 5000 + b"}"])
def test_json_that_breaks_parsers_is_refused(content: bytes) -> None:
    with pytest.raises(UnexpectedResponse):
        ask(httpx.Response(200, content=content, headers={"content-type": "application/json"}))


def test_a_closed_client_and_one_of_another_loop_say_so() -> None:
    client = Mirage(URL, transport=Answers(success()))
    client.close()
    client.close()
    with pytest.raises(ClientClosed, match="make a new one"):
        client.classify(b"picture")
    asynchronous = AsyncMirage(URL)
    asyncio.run(asynchronous.close())
    with pytest.raises(ClientClosed, match="make a new one"):
        asyncio.run(asynchronous.classify(b"picture"))


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "127.0.0.1:x"])
def test_a_proxy_that_cannot_be_used_is_named(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """And it is of no concern where the service is on this machine."""
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(BadAddress, match="ALL_PROXY"):
        Mirage(URL)
    Mirage("http://localhost:2").close()


def test_a_key_is_not_sent_to_the_address_of_a_redirection() -> None:
    answers = Answers(httpx.Response(302, headers={"location": "http://other.test/classify"}))
    with pytest.raises(UnexpectedResponse):
        ask_transport(answers)
    assert [request.url.host for request in answers.requests] == ["mirage.test"]


def test_a_response_that_breaks_off_is_a_lost_connection() -> None:
    pieces = Pieces([b'{"model":', httpx.ReadError("reset")])
    answers = Answers(lambda _: httpx.Response(200, headers={"content-type": "application/json"}, stream=pieces))
    with pytest.raises(ConnectionLost):
        ask_transport(answers, "fool")
    assert pieces.closed


def test_a_request_may_take_as_long_as_it_asks_for() -> None:
    """Beyond its own deadline a minute more, for its turn and the verification."""
    answers = Answers(refusal(422))
    with Mirage(URL, transport=answers, timeout_s=100) as client:
        for deadline_s in (1, 500):
            with pytest.raises(RequestRefused):
                client.fool(b"picture", deadline_s=deadline_s)
    assert [request.extensions["timeout"]["read"] for request in answers.requests] == [100, 560]


@pytest.mark.parametrize(("url", "proxied"), [("http://localhost:2", False), ("http://[::1]:2", False), (URL, True)])
def test_no_proxy_stands_before_this_machine(url: str, proxied: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A company's proxy in the environment cannot reach the service on the user's own machine."""
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    async def used() -> httpx.AsyncBaseTransport:
        async with AsyncMirage(url) as client:
            http = client._connection._http
            return http._transport_for_url(httpx.URL(url)) is not http._transport  # type: ignore[return-value]

    assert asyncio.run(used()) is proxied


def test_a_list_of_certificates_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    for url in ("https://example.com", "https://localhost"):
        with pytest.raises(BadAddress, match="SSL_CERT_FILE"):
            Mirage(url)


def test_pictures_are_not_decoded_on_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    """A large one takes tenths of a second, in which a server that uses AsyncMirage could answer nobody."""
    threads: list[str] = []

    def noted(*arguments: Any) -> Any:
        threads.append(threading.current_thread().name)
        return read(*arguments)

    monkeypatch.setattr("mirage.calls.read", noted)
    with Mirage(URL, transport=Answers(success())) as client:
        client.classify(b"picture")
    assert threads and "mirage" not in threads
