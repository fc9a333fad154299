"""The fixtures of a running service for the tests of this folder."""

from tests.app.live_service import checkpoints, engine, live, picture, quick_measurements

__all__ = ["checkpoints", "engine", "live", "picture", "quick_measurements"]
