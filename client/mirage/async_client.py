"""AsyncMirage: the client for programs that use asyncio."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self, TypeVar, Unpack

from mirage import calls
from mirage.address import Address
from mirage.async_operations import AsyncCurve, AsyncExplain, AsyncFeatures, AsyncFool, AsyncIdeal
from mirage.connection import Connection
from mirage.errors import MirageError
from mirage.many import CONCURRENCY, classify_all
from mirage.options import ClassifyOptions, TargetsOptions
from mirage.pictures import PictureLike
from mirage.results.classification import Classification, ClassifiedBatch
from mirage.results.curves import NearestClasses
from mirage.results.served import Health, ModelDetail, ModelList

if TYPE_CHECKING:
    import httpx

Picture = TypeVar("Picture", bound=PictureLike)
TIMEOUT_S, RETRY_S = 300.0, 60.0
"""Seconds for which nothing may come of a response, and seconds of all pauses for a service that is full."""


class AsyncMirage:
    """A Mirage service, for programs that use asyncio; `Mirage` is the same for all others.

    It belongs to the event loop on which it is first used.

    `url` is the address of the service, such as http://127.0.0.1:8000, which is the default, or unix:/run/mirage.sock;
    without it that of the environment variable MIRAGE_URL is used. `api_key` is needed where the service has keys;
    without it, the variable MIRAGE_API_KEY is used. A request ends after `timeout_s` seconds (300 by default) in which
    nothing comes. Where the service is full, a request is sent again when the service expects to have room, until the
    pauses would take more than `retry_s` seconds (60 by default). `transport` replaces the network, for example by
    `httpx.ASGITransport`. Raises BadAddress.
    """

    fool: AsyncFool
    """Changes a picture so that the model sees another class."""
    ideal: AsyncIdeal
    """Draws the ideal picture of a class or of a channel."""
    explain: AsyncExplain
    """Shows on which parts of a picture a prediction depends."""
    features: AsyncFeatures
    """Shows the feature maps of a layer."""
    curve: AsyncCurve
    """Measures how much the model withstands on one picture."""

    def __init__(
        self,
        url: str | None = None,
        *,
        api_key: str | None = None,
        timeout_s: float = TIMEOUT_S,
        retry_s: float = RETRY_S,
        transport: "httpx.AsyncBaseTransport | None" = None,
    ) -> None:
        self.address: Address = Address.of(url, api_key)
        self._connection = Connection(self.address, timeout_s=timeout_s, retry_s=retry_s, transport=transport)
        self.fool = AsyncFool(self._connection)
        self.ideal = AsyncIdeal(self._connection)
        self.explain = AsyncExplain(self._connection)
        self.features = AsyncFeatures(self._connection)
        self.curve = AsyncCurve(self._connection)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.address)!r})"

    async def close(self) -> None:
        """Close all connections."""
        await self._connection.close()

    async def classify(self, picture: PictureLike, **options: Unpack[ClassifyOptions]) -> Classification:
        """Return the most probable classes of the picture."""
        return await self._connection.result(await asyncio.to_thread(calls.classify, picture, options))

    def classify_many(
        self,
        pictures: Iterable[Picture],
        *,
        concurrency: int = CONCURRENCY,
        **options: Unpack[ClassifyOptions],
    ) -> AsyncIterator[tuple[Picture, Classification | MirageError]]:
        """Classify any number of pictures: each with its result, or with the error that it alone has, in their order.

        `concurrency` requests (16 by default) of up to eight pictures each are under way at a time. `pictures` may be a
        generator: it runs on other threads, and at most four such requests ahead. An error that all others would have,
        too, such as a wrong key, is raised.
        """
        return classify_all(pictures, _WithOptions(self, options), concurrency)

    async def classify_batch(
        self, pictures: Iterable[PictureLike], **options: Unpack[ClassifyOptions]
    ) -> ClassifiedBatch:
        """Return the most probable classes of 1 to 64 pictures in one request; a bad picture fails alone."""
        return await self._connection.result(await asyncio.to_thread(calls.classify_batch, list(pictures), options))

    async def targets(self, picture: PictureLike, **options: Unpack[TargetsOptions]) -> NearestClasses:
        """List the classes that need the smallest change of the picture, nearest first."""
        return await self._connection.result(await asyncio.to_thread(calls.targets, picture, options))

    async def models(self) -> ModelList:
        """List the served models."""
        return await self._connection.result(calls.models())

    async def model(self, name: str) -> ModelDetail:
        """Describe one served model, with its classes and layers."""
        return await self._connection.result(calls.model(name))

    async def model_card(self, name: str) -> str:
        """Return the model card of a checkpoint, in Markdown."""
        return await self._connection.result(calls.model_card(name))

    async def health(self) -> Health:
        """Return the state of the service: whether it is ready, loading, or about to stop."""
        return await self._connection.result(calls.health())


@dataclass(frozen=True)
class _WithOptions:
    """Classifies with the same options each time."""

    client: AsyncMirage
    options: ClassifyOptions

    async def classify(self, picture: bytes) -> Classification:
        return await self.client.classify(picture, **self.options)

    async def classify_batch(self, pictures: Sequence[bytes]) -> ClassifiedBatch:
        return await self.client.classify_batch(pictures, **self.options)
