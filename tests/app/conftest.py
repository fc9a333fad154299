"""The fixtures of a running service for the tests of this folder."""

from tests.app.live_service import (
    TINY,
    Live,
    checkpoints,
    drawn,
    engine,
    eventually,
    live,
    lively_network,
    picture,
    serve,
)

__all__ = ["TINY", "Live", "checkpoints", "drawn", "engine", "eventually", "live", "lively_network", "picture", "serve"]
