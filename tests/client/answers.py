"""Services that answer as a test says, without a network: httpx's transport is replaced."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import httpx

URL = "http://mirage.test"
CLASSIFICATION = {
    "model": "tiny",
    "version": "5f2b9c01d3e4",
    "width": 8,
    "height": 6,
    "predictions": [
        {"label": "dog", "index": 1, "probability": 0.75},
        {"label": "cat", "index": 0, "probability": 0.25},
    ],
}


def problem(status: int, detail: str = "what to do next", *, kind: str = "some-kind") -> dict[str, Any]:
    """The fields of a problem."""
    kind = f"urn:mirage:problem:{kind}"
    return {"type": kind, "title": "A Title", "status": status, "detail": detail, "request_id": "abc"}


def refusal(status: int, *, retry_after: str | None = None, kind: str = "some-kind") -> httpx.Response:
    """A response with a problem."""
    headers = {"content-type": "application/problem+json"}
    if retry_after is not None:
        headers["retry-after"] = retry_after
    return httpx.Response(status, headers=headers, content=json.dumps(problem(status, kind=kind)))


def success(data: object = None) -> httpx.Response:
    """A response with JSON."""
    return httpx.Response(200, json=CLASSIFICATION if data is None else data)


class Answers(httpx.AsyncBaseTransport):
    """Gives one answer after the other, and keeps the requests; the last answer is given again and again.

    An answer is a response, or an error that the network gives, or a function of the request.
    """

    def __init__(self, *answers: httpx.Response | Exception | Callable[[httpx.Request], httpx.Response]) -> None:
        self._answers = list(answers)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        await request.aread()
        self.requests.append(request)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, httpx.Response):
            return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
        return answer(request)


class Pieces(httpx.AsyncByteStream):
    """The content of a response in pieces; `closed` tells whether the client has left, and an error ends it."""

    def __init__(self, pieces: Sequence[bytes | Exception]) -> None:
        self._pieces = pieces
        self.given = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            self.given += 1
            yield piece

    async def aclose(self) -> None:
        self.closed = True


def event(kind: str, data: object) -> bytes:
    """One event of a stream."""
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def stream(pieces: Pieces) -> Callable[[httpx.Request], httpx.Response]:
    """An answer that is an event stream."""
    return lambda _: httpx.Response(200, headers={"content-type": "text/event-stream; charset=utf-8"}, stream=pieces)
