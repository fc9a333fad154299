"""A short run against a service: every picture is answered, and the service is afterwards as before."""

import sys

import pytest

from soak.pictures import over_http
from soak.pictures.over_http import send_mutated


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_mutated_pictures_are_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """120 of them over eight connections; memory after so few is not judged here."""
    monkeypatch.setattr(over_http, "WARM_UP", 8)
    monkeypatch.setattr(over_http, "GROWTH", 3.0)
    outcome = send_mutated(count=120, seed=2_000, settling_s=0)
    assert outcome.problems == []
    answered = [int(count or 0) for name, count in outcome.figures.items() if name.startswith("answers_")]
    assert sum(answered) == outcome.figures["requests"] and len(answered) >= 2
    assert int(outcome.figures["neighbour_requests"] or 0) >= 1
