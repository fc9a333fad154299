"""Tests the limit of open files, in place of which a test keeps its own."""

import resource

import pytest

from app.server.open_files import OTHER_FILES, allow_connections


class Limits:
    """The limit of the process, and the one up to which it may raise it."""

    def __init__(self, soft: int, hard: int) -> None:
        self.both = soft, hard

    def get(self, kind: int) -> tuple[int, int]:
        assert kind == resource.RLIMIT_NOFILE
        return self.both

    def set(self, kind: int, both: tuple[int, int]) -> None:
        self.both = both


@pytest.mark.parametrize(
    ("before", "after", "warns"),
    [
        ((256, 10_000), (1000 + OTHER_FILES, 10_000), False),
        ((5000, 10_000), (5000, 10_000), False),
        ((256, 500), (500, 500), True),
        ((256, resource.RLIM_INFINITY), (1000 + OTHER_FILES, resource.RLIM_INFINITY), False),
        ((resource.RLIM_INFINITY, resource.RLIM_INFINITY), (resource.RLIM_INFINITY, resource.RLIM_INFINITY), False),
    ],
)
def test_the_limit_is_raised_as_far_as_needed_and_allowed(
    before: tuple[int, int],
    after: tuple[int, int],
    warns: bool,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    limits = Limits(*before)
    monkeypatch.setattr(resource, "getrlimit", limits.get)
    monkeypatch.setattr(resource, "setrlimit", limits.set)
    allow_connections(1000)
    assert limits.both == after
    assert ("MIRAGE_MAX_CONNECTIONS" in caplog.text) == warns
