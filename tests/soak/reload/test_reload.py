"""A short run in which a checkpoint is replaced; how fast the machine is decides nothing here."""

import pytest

from soak.reload.reload import reload


@pytest.mark.slow
def test_every_answer_is_that_of_one_version() -> None:
    outcome = reload(seconds=12)
    assert isinstance(outcome.figures["swaps"], int) and outcome.figures["swaps"] >= 1
    assert [problem for problem in outcome.problems if "tells within" not in problem] == []
