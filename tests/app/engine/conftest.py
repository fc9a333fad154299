"""The fixtures of the tests of the registry."""

from tests.app.engine.following import folder

__all__ = ["folder"]
