"""The fixtures of a running service for the tests of this folder, and an environment without addresses and keys."""

import pytest

from tests.app.live_service import checkpoints, live, picture, quick_measurements

__all__ = ["checkpoints", "live", "picture", "quick_measurements"]


@pytest.fixture(autouse=True)
def wide_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let texts on standard error have long lines, in which a test can find words, and no colours."""
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.setenv("NO_COLOR", "1")
