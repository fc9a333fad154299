"""The fixtures of a running service for the tests of this folder."""

from collections.abc import Iterator

import pytest

from tests.app.contract import take_faults
from tests.app.live_service import checkpoints, engine, live, picture, quick_measurements

__all__ = ["checkpoints", "engine", "live", "picture", "quick_measurements"]


@pytest.fixture(autouse=True)
def documented_responses() -> Iterator[None]:
    """Fail a test during which the service gave a response that is not as its OpenAPI document says."""
    yield
    assert take_faults() == [], "responses are not as the OpenAPI document says"
