"""A short run of the service's ends; how fast the machine is decides nothing here."""

import pytest

from soak.stop.stop import stop


@pytest.mark.slow
def test_no_request_is_lost_however_the_service_ends() -> None:
    outcome = stop(load_s=3, drain_s=3, stop_s=12)
    assert outcome.figures["exit_code"] == 0
    assert outcome.figures["exit_code_after_second_signal"] == 0
    assert isinstance(outcome.figures["requests"], int) and outcome.figures["requests"] > 0
    assert outcome.figures["requests_at_second_signal"] == 8
    fast = ("the port stays open", "the process ends within", "is ready again within")
    assert [problem for problem in outcome.problems if not any(text in problem for text in fast)] == []
