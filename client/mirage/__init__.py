"""The client of Mirage, a service that shows what an image classifier sees.

from mirage import Mirage

with Mirage("http://127.0.0.1:8000") as client:
    print(client.classify("dog.jpg"))
    client.fool("dog.jpg", target="cat").save("cat.png")
"""

from mirage.async_client import AsyncMirage
from mirage.client import Mirage
from mirage.errors import (
    BadAddress,
    BadOption,
    BadPicture,
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
    "UnexpectedResponse",
    "__version__",
]
