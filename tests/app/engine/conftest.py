"""The fixtures of the tests of the engine and the registry."""

from collections.abc import Iterator

import pytest

from tests.app.engine.following import folder

__all__ = ["folder"]


@pytest.fixture(autouse=True, scope="module")
def not_unrolled() -> Iterator[None]:
    """Load models without unrolling them, which takes most of a load: tests of the registry load them by the dozen."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("models.classifier.unroll", lambda *_: None)
        yield
