"""Tests that sums are reproducible, unless the environment says otherwise."""

import pytest

from app.startup.rounding import round_alike


@pytest.mark.parametrize(("environment", "expected"), [({}, "AUTO,STRICT"), ({"MKL_CBWR": "COMPATIBLE"}, "COMPATIBLE")])
def test_the_environment_decides_before_the_service(
    environment: dict[str, str], expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = dict(environment)
    monkeypatch.setattr("os.environ", changed)
    round_alike()
    assert changed == {"MKL_CBWR": expected}
