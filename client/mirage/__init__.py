"""The client of Mirage, a service that shows what an image classifier sees.

`Mirage` is a running service, and `AsyncMirage` the same for programs that use asyncio. Results are dataclasses with
pictures as `PIL.Image.Image`, and errors are subclasses of `MirageError` whose texts say what to do next.
"""

from mirage.async_client import AsyncMirage
from mirage.client import Mirage
from mirage.errors import (
    BadAddress,
    BadOption,
    BadPicture,
    ClientClosed,
    ConnectionLost,
    DeadlinePassed,
    KeyRefused,
    MirageError,
    NotFound,
    NotReached,
    Overloaded,
    ProblemError,
    ProxyFailed,
    RequestRefused,
    ServiceFailed,
    TimedOut,
    UnexpectedResponse,
)
from mirage.pictures import PictureLike
from mirage.stream import AsyncSteps, Steps
from mirage.version import __version__

__all__ = [
    "AsyncMirage",
    "AsyncSteps",
    "BadAddress",
    "BadOption",
    "BadPicture",
    "ClientClosed",
    "ConnectionLost",
    "DeadlinePassed",
    "KeyRefused",
    "Mirage",
    "MirageError",
    "NotFound",
    "NotReached",
    "Overloaded",
    "PictureLike",
    "ProblemError",
    "ProxyFailed",
    "RequestRefused",
    "ServiceFailed",
    "Steps",
    "TimedOut",
    "UnexpectedResponse",
    "__version__",
]
