"""How what clients saw beside a fault is judged, with answers known by hand; and who counts as a neighbour."""

import http.server
import threading
from collections import Counter
from collections.abc import Iterator

import pytest

from soak.faults import watch
from soak.faults.watch import LOST, Seen, classify, eventually, get, is_ready, judge, neighbours, status_of


def seen(**changes: object) -> Seen:
    """What a fault may look like that is as documented."""
    usual = {
        "victims": [503, 200],
        "classified": Counter({200: 5}),
        "others": Counter({200: 7}),
        "ready_again_s": 0.5,
    }
    return Seen(**usual | changes)  # type: ignore[arg-type]


def test_what_is_as_documented_is_no_problem() -> None:
    outcome = judge(seen(longest_s=0.456), victims=[{503}, {200, 422}])
    assert outcome.problems == []
    assert outcome.figures == {
        "victims": "503 200",
        "neighbours": "200: 12",
        "neighbours_longest_s": 0.46,
        "ready_again_s": 0.5,
    }


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"victims": [500, 200]}, "requests that met the fault got [500, 200], and should get 503 200"),
        ({"victims": [503]}, "requests that met the fault got [503], and should get 503 200"),
        ({"victims": [503, LOST]}, "requests that met the fault got [503, 0], and should get 503 200"),
        ({"classified": Counter({200: 5, 503: 2})}, "classifications by another model got {503: 2}"),
        ({"others": Counter({200: 5, LOST: 1})}, "requests to other routes got {0: 1}"),
        ({"others": Counter()}, "no requests to other routes were made beside the fault"),
        ({"ready_again_s": 1.01}, "the service was ready 1.01 s after the fault, and should be within 1 s"),
        ({"ready_again_s": None}, "the service was ready None s after the fault, and should be within 1 s"),
    ],
)
def test_each_broken_promise_is_a_problem(changes: dict[str, object], problem: str) -> None:
    assert judge(seen(**changes), victims=[{503}, {200}]).problems == [problem]


def test_classifications_may_share_the_answer_of_the_victims() -> None:
    """Where the fault stops the thread that asks all models. Other routes may not."""
    shared = seen(classified=Counter({200: 5, 503: 2}), others=Counter({503: 1}))
    outcome = judge(shared, victims=[{503}, {200}], classified=(200, 503))
    assert outcome.problems == ["requests to other routes got {503: 1}"]


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers 200, but for the readiness probe as often 503 as `unready` says, and for /models 404."""

    unready = 0

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", "0")))
        status = 404 if self.path == "/models" else 200
        if self.path == "/health/ready" and Answers.unready:
            Answers.unready -= 1
            status = 503
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = _answer

    def log_message(self, *_: object) -> None:
        """Print nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_neighbours_ask_until_the_service_is_ready(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "ROUTES", ("/models", "/health/live"))
    Answers.unready = 3
    with neighbours(url) as beside:
        assert eventually(lambda: beside.others[404] and beside.others[200] and beside.classified[200], 60) is not None
    assert beside.ready_again_s is not None and Answers.unready == 0
    assert set(beside.classified) == {200} and set(beside.others) == {404, 200}


def test_a_request_without_a_response_is_lost() -> None:
    assert status_of(lambda: get("http://127.0.0.1:9")) == LOST == classify("http://127.0.0.1:9", "tiny")
    assert not is_ready("http://127.0.0.1:9")


def test_a_condition_that_never_comes_true_has_no_time() -> None:
    assert eventually(lambda: False, 0) is None and eventually(lambda: True, 0) == pytest.approx(0, abs=60)
