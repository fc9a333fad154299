"""Tests POST /classify/batch over HTTP: the results are those of single requests, and a bad picture fails alone."""

import base64
import socket
import threading
from typing import Any

import httpx
import pytest
import torch

from app.operations.classify_batch import AT_ONCE
from app.web import service
from app.web.fields import MOST_PICTURES
from models.classify import classify_inputs
from models.pictures import encode
from models.query import Answer, Query
from tests.app.live_service import TINY, Live, drawn, eventually, serve

GOOD = [encode(drawn(60 + 5 * seed, 90, seed)) for seed in range(2 * AT_ONCE + 1)]
"""More pictures than two groups hold, all different."""
BAD = {"not a picture": b"%PDF-1.7", "empty": b"", "broken": encode(drawn())[:2000]}
"""Files that POST /classify refuses, each with another problem."""


class Waiting:
    """A network that answers when it is told to."""

    def __init__(self) -> None:
        self.go_on = threading.Event()

    def answer(self, queries: list[Query]) -> list[Answer]:
        assert self.go_on.wait(60)
        return [Answer(torch.zeros(len(query.pixels), 4)) for query in queries]


def batch(live: Live, pictures: list[bytes], **arguments: Any) -> httpx.Response:
    """Send the pictures as a form with one field `image` for each."""
    files = [("image", (f"{number}.png", data)) for number, data in enumerate(pictures)]
    return live.client.post("/classify/batch", files=files, **arguments)


def single(live: Live, picture: bytes, **arguments: Any) -> dict[str, Any]:
    """The response of POST /classify to one of the pictures."""
    response: dict[str, Any] = live.client.post("/classify", files={"image": ("0.png", picture)}, **arguments).json()
    return response


def assert_same(result: dict[str, Any], expected: dict[str, Any]) -> None:
    """Both are the same classification, with probabilities that differ by rounding alone."""
    assert {**result, "predictions": 0} == {**expected, "predictions": 0}
    assert [entry["label"] for entry in result["predictions"]] == [entry["label"] for entry in expected["predictions"]]
    for mine, theirs in zip(result["predictions"], expected["predictions"], strict=True):
        assert mine["probability"] == pytest.approx(theirs["probability"], abs=1e-5)


def test_results_are_those_of_single_requests_in_order(live: Live) -> None:
    body = batch(live, GOOD).json()
    assert body["model"] == "tiny" and len(body["results"]) == len(GOOD)
    for picture, result in zip(GOOD, body["results"], strict=True):
        assert_same(result, single(live, picture))


def test_options_are_those_of_a_single_request(live: Live) -> None:
    """In the form, in the query and in JSON; an unknown model and a wrong `top` are refused for all."""
    for arguments in ({"params": {"top": 2}}, {"data": {"top": "2", "model": "tiny"}}):
        results = batch(live, GOOD[:2], **arguments).json()["results"]
        assert [len(result["predictions"]) for result in results] == [2, 2]
    one = batch(live, GOOD[:1], params={"top": 1}).json()["results"]
    assert_same(one[0], single(live, GOOD[0], params={"top": 1}))
    assert batch(live, GOOD[:1], params={"model": "tinny"}).status_code == 404
    assert batch(live, GOOD[:1], params={"top": 0}).status_code == 422


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_picture_fails_alone_with_its_own_problem(live: Live, bad: bytes) -> None:
    """The problem is that of a single request, but for the request's id."""
    response = batch(live, [GOOD[0], bad, GOOD[1]])
    first, failed, last = response.json()["results"]
    assert response.status_code == 200 and set(failed) == {"problem"}
    expected = single(live, bad)
    assert failed["problem"]["status"] == expected["status"] in (415, 422)
    assert failed["problem"] == {**expected, "request_id": response.headers["X-Request-ID"]}
    assert_same(first, single(live, GOOD[0]))
    assert_same(last, single(live, GOOD[1]))


def test_all_pictures_may_be_bad(live: Live) -> None:
    results = batch(live, list(BAD.values())).json()["results"]
    assert [result["problem"]["status"] for result in results] == [415, 415, 422]


def test_a_picture_over_the_limit_of_pixels_fails_alone(checkpoints: Any) -> None:
    """A picture of 1,200 pixels is over the limit of 1,000; the request's size has its own limit."""
    with serve(checkpoints=checkpoints, max_pixels=1000, max_bytes=100_000) as small:
        large, fine = encode(drawn(30, 40)), encode(drawn(25, 40))
        failed, classified = batch(small, [large, fine]).json()["results"]
        assert failed["problem"]["status"] == 413 and "MIRAGE_MAX_PIXELS" in failed["problem"]["detail"]
        assert classified["width"] == 40
        refused = batch(small, [bytes(60_000), bytes(60_000)])
        assert refused.status_code == 413 and "MIRAGE_MAX_BYTES" in refused.json()["detail"]


def test_none_and_too_many_are_refused(live: Live) -> None:
    tiny = encode(drawn(8, 8))
    none = live.client.post("/classify/batch", data={"top": "1"})
    assert none.status_code == 422 and "no picture" in none.json()["detail"]
    assert live.client.post("/classify/batch", json={"image": []}).status_code == 422
    assert len(batch(live, [tiny] * MOST_PICTURES).json()["results"]) == MOST_PICTURES
    many = batch(live, [tiny] * (MOST_PICTURES + 1))
    assert many.status_code == 413 and f"send at most {MOST_PICTURES}" in many.json()["detail"]
    assert batch(live, [tiny] * 101).status_code == 400  # more fields than a form may have


def test_json_and_a_raw_body_are_accepted(live: Live) -> None:
    """JSON has a list of texts, in which another value fails alone, or a single text; a raw body is one picture."""
    texts: list[object] = [base64.b64encode(picture).decode() for picture in GOOD[:2]]
    first, failed, second = live.client.post("/classify/batch", json={"image": [texts[0], 3, texts[1]]}).json()[
        "results"
    ]
    assert_same(first, single(live, GOOD[0]))
    assert_same(second, single(live, GOOD[1]))
    assert failed["problem"]["status"] == 422 and "the value is a number" in failed["problem"]["detail"]
    for request in (
        {"json": {"image": texts[0]}},
        {"content": GOOD[0], "headers": {"Content-Type": "image/png"}},
    ):
        (only,) = live.client.post("/classify/batch", **request).json()["results"]
        assert_same(only, single(live, GOOD[0]))


def test_a_full_service_refuses_the_whole_request(checkpoints: Any) -> None:
    """One task may be alive and waits for an answer of a network that gives none before the batch is refused."""
    with serve(checkpoints=checkpoints, max_waiting=1) as full:
        network = Waiting()
        waiting = full.service.engine.submit(classify_inputs(torch.zeros(1, 3, 64, 64), TINY), network)
        refused = batch(full, GOOD)
        assert refused.status_code == 503 and refused.headers["Retry-After"]
        network.go_on.set()
        assert len(waiting.result(30)) == 1
        assert len(batch(full, GOOD).json()["results"]) == len(GOOD)  # later groups are let in beside the first


def test_a_client_that_leaves_ends_its_tasks(checkpoints: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine is held until the client has left; then no task is alive, and none of the batch counts as done."""
    monkeypatch.setattr(service, "UNWATCHED_S", 0)
    with serve(checkpoints=checkpoints) as left:
        network = Waiting()
        waiting = left.service.engine.submit(classify_inputs(torch.zeros(1, 3, 64, 64), TINY), network)
        request = httpx.Request("POST", f"{left.url}/classify/batch", files=[("image", picture) for picture in GOOD])
        head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
        with socket.create_connection(("127.0.0.1", request.url.port or 80)) as connection:
            connection.sendall(f"POST /classify/batch HTTP/1.1\r\n{head}\r\n".encode() + request.read())
            eventually(lambda: left.service.engine.alive == 3)
        for _ in range(3):  # the service has noticed the end of the connection when it has answered later ones
            left.client.get("/health/live")
        network.go_on.set()
        assert len(waiting.result(30)) == 1
        eventually(lambda: left.service.engine.alive == 0)
        assert left.service.engine.counters.done == 1 and left.service.engine.counters.left == 2


def test_a_key_is_needed_as_elsewhere(checkpoints: Any) -> None:
    with serve(checkpoints=checkpoints, api_keys=("secret",)) as locked:
        assert batch(locked, GOOD[:1]).status_code == 401
        assert batch(locked, GOOD[:1], headers={"X-API-Key": "secret"}).status_code == 200


def test_the_example_of_the_openapi_document_succeeds(live: Live) -> None:
    operation = live.client.get("/openapi.json").json()["paths"]["/classify/batch"]["post"]
    content = operation["requestBody"]["content"]
    assert content["application/json"]["schema"]["properties"]["image"]["type"] == "array"
    response = live.client.post("/classify/batch", json=content["application/json"]["example"])
    assert response.status_code == 200 and len(response.json()["results"]) == 2
