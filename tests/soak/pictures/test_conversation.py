"""Answers to damaged pictures: which are right, which break a promise, and what a neighbour must get."""

import httpx
import pytest

from soak.pictures.conversation import Answer, ask, judged

GOOD = Answer("good", 200, 0.1)


@pytest.mark.parametrize("status", [200, 413, 415, 422, 504])
def test_documented_answers_are_no_faults(status: int) -> None:
    assert Answer("a", status, 1.0).fault == ""


def test_a_refusal_for_want_of_room_says_when_to_come_back() -> None:
    assert Answer("a", 503, 1.0, has_retry_after=True).fault == ""
    assert Answer("a", 503, 1.0).fault == "a: the answer 503 has no Retry-After"


def test_errors_of_the_service_and_lost_connections_are_faults() -> None:
    assert Answer("seed 3", 500, 1.0, text="oh").fault == "seed 3: the answer was 500 (oh)"
    lost = Answer("seed 3", None, 1.0, text="ReadError: gone")
    assert lost.fault == "seed 3: no answer after 1.0 s (ReadError: gone)"


def test_an_answer_has_what_the_service_said() -> None:
    def service(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/lost":
            raise httpx.ReadError("gone")
        return httpx.Response(503, headers={"Retry-After": "2"}, text="busy " * 100)

    with httpx.Client(base_url="http://service", transport=httpx.MockTransport(service)) as client:
        busy, lost = ask(client, "seed 1", "/classify", content=b"x"), ask(client, "seed 2", "/lost")
    assert (busy.status, busy.has_retry_after, len(busy.text)) == (503, True, 200)
    assert (lost.name, lost.status, lost.text) == ("seed 2", None, "ReadError: gone")


def test_the_neighbour_and_the_probe_must_always_get_200() -> None:
    late = Answer("good", 504, 61.0, text="too late")
    outcome = judged([GOOD, Answer("bad", 422, 2.0)], [GOOD, late], [GOOD, Answer("probe", None, 0.5, text="gone")])
    assert outcome.problems == [
        "the neighbour's good picture got 504 after 61.0 s (too late)",
        "the readiness probe got None after 0.5 s (gone)",
    ]
    assert outcome.figures == {
        "requests": 2,
        "answers_200": 1,
        "answers_422": 1,
        "longest_answer_s": 2.0,
        "neighbour_requests": 2,
        "neighbour_longest_s": 61.0,
        "probes": 2,
    }


def test_who_was_never_asked_was_not_served() -> None:
    assert judged([GOOD], [], []).problems == [
        "the neighbour's good picture was never sent",
        "the readiness probe was never sent",
    ]
