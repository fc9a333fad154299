"""Large photos at once: what is judged of the answers and of memory, and a short run in a container."""

import sys

import pytest

from soak.memory import many_photos
from soak.memory.container import container
from soak.memory.many_photos import BUDGET, Request, judged, send_at_once
from soak.pictures.conversation import Answer

GOOD = Answer("/classify of a photo", 200, 1.0)
REFUSED = Answer("/classify of a photo", 503, 0.5, text="come back", has_retry_after=True)


def test_answers_and_memory_within_the_promises_are_no_problems() -> None:
    outcome = judged([GOOD, REFUSED, REFUSED], at_start=800_000_000, peak=BUDGET, after=880_000_000)
    assert outcome.problems == []
    assert outcome.figures == {
        "requests": 3,
        "answers_200": 1,
        "answers_503": 2,
        "refusals": "come back",
        "longest_answer_s": 1.0,
        "pss_before_mb": 800,
        "peak_rss_mb": 2500,
        "pss_after_mb": 880,
    }


def test_each_broken_promise_is_a_problem() -> None:
    answers = [Answer("/classify", 503, 1.0), Answer("/explain", 500, 1.0, text="it failed"), Answer("c", None, 2.0)]
    outcome = judged(answers, at_start=800_000_000, peak=2_600_000_000, after=900_000_000)
    assert outcome.problems == [
        "/classify got 503 (), with Retry-After: False",
        "/explain got 500 (it failed), with Retry-After: False",
        "c got None (), with Retry-After: False",
        "/classify was never answered with 200",
        "/explain was never answered with 200",
        "c was never answered with 200",
        "the service took 2600 MB, of 2500 MB",
        "the service took 900 MB afterwards, and 800 MB before",
    ]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_a_service_in_a_container_answers_photos_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three photos of a megapixel."""
    monkeypatch.setattr(many_photos, "GIVEN_BACK", 2.0)
    with container(BUDGET) as inside:
        outcome = send_at_once([Request("/classify", 1000)] * 3, settling_s=0, inside=inside)
    assert outcome.problems == []
    assert outcome.figures["answers_200"] == 3, outcome.figures
    assert outcome.figures["limited_by"] == inside.means
    assert 100 < int(outcome.figures["pss_before_mb"] or 0) <= int(outcome.figures["peak_rss_mb"] or 0)
