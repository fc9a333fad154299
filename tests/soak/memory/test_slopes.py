"""Bytes for each pixel: which are too many, and a short measurement with small photos."""

import sys

import pytest

from app.memory.costs import ATTACKED, DECODING, PICTURE
from soak.memory.slopes import OPERATIONS, Operation, judged, measure_slopes


def test_what_is_reserved_is_for_the_picture_and_all_that_is_held() -> None:
    assert Operation("/adversarial", held=4).reserved == PICTURE + 4 * ATTACKED
    assert OPERATIONS["patch"].held == 4, "its default number of samples"


def test_a_slope_above_what_is_reserved_is_a_problem() -> None:
    operations = {name: Operation("/", each=100) for name in ("good", "bad")} | {"small": Operation("/", each=1)}
    outcome = judged({"good": 103.0, "bad": 104.4, "small": DECODING}, operations)
    assert outcome.figures == {"good_bytes_per_pixel": 103, "bad_bytes_per_pixel": 104, "small_bytes_per_pixel": 32}
    assert outcome.problems == ["bad takes 104 bytes for each pixel, and 103 are reserved"]


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")
def test_an_attack_takes_more_than_the_picture_and_less_than_a_kilobyte() -> None:
    """Photos of 0.3 and 1.4 megapixels, so it is rough."""
    outcome = measure_slopes({"pgd": OPERATIONS["pgd"]}, sides=(500, 1200))
    assert 10 < int(outcome.figures["pgd_bytes_per_pixel"] or 0) < 1000
