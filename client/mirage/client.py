"""Mirage: the client."""

from collections.abc import AsyncIterator, Generator, Iterable
from typing import TYPE_CHECKING, Any, Self, TypeVar, Unpack

from mirage.address import Address
from mirage.async_client import RETRY_S, TIMEOUT_S, AsyncMirage
from mirage.background import Background
from mirage.errors import MirageError
from mirage.many import CONCURRENCY
from mirage.operations import Curve, Explain, Features, Fool, Ideal
from mirage.options import ClassifyOptions, TargetsOptions
from mirage.pictures import PictureLike
from mirage.progress_bar import with_progress_bar
from mirage.results.classification import Classification, ClassifiedBatch
from mirage.results.curves import NearestClasses
from mirage.results.served import Health, ModelDetail, ModelList

if TYPE_CHECKING:
    import httpx

Item = TypeVar("Item")
Picture = TypeVar("Picture", bound=PictureLike)
END: Any = object()


class Mirage:
    """A Mirage service.

    `url` is the address of the service, such as http://127.0.0.1:8000, which is the default, or unix:/run/mirage.sock;
    without it that of the environment variable MIRAGE_URL is used. `api_key` is needed where the service has keys;
    without it, the variable MIRAGE_API_KEY is used. A request ends after `timeout_s` seconds (300 by default) in which
    nothing comes. Where the service is full, a request is sent again when the service expects to have room, until the
    pauses would take more than `retry_s` seconds (60 by default). `transport` replaces the network, for example by
    `httpx.ASGITransport`. Raises BadAddress.

    It may be used from several threads at the same time. Every method raises the errors of `mirage.errors`.
    """

    fool: Fool
    """Changes a picture so that the model sees another class."""
    ideal: Ideal
    """Draws the ideal picture of a class or of a channel."""
    explain: Explain
    """Shows on which parts of a picture a prediction depends."""
    features: Features
    """Shows the feature maps of a layer."""
    curve: Curve
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
        self._client = AsyncMirage(url, api_key=api_key, timeout_s=timeout_s, retry_s=retry_s, transport=transport)
        self.address: Address = self._client.address
        self._background = Background()
        self.fool = Fool(self._background, self._client.fool)
        self.ideal = Ideal(self._background, self._client.ideal)
        self.explain = Explain(self._background, self._client.explain)
        self.features = Features(self._background, self._client.features)
        self.curve = Curve(self._background, self._client.curve)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self.address)!r})"

    def close(self) -> None:
        """Close all connections; what is under way is cancelled, and the service drops its work for it."""
        self._background.stop(self._client.close())

    def classify(self, picture: PictureLike, **options: Unpack[ClassifyOptions]) -> Classification:
        """Return the most probable classes of the picture."""
        return self._background.run(self._client.classify(picture, **options))

    def classify_many(
        self,
        pictures: Iterable[Picture],
        *,
        concurrency: int = CONCURRENCY,
        progress: bool = False,
        **options: Unpack[ClassifyOptions],
    ) -> Generator[tuple[Picture, Classification | MirageError], None, None]:
        """Classify any number of pictures: each with its result, or with the error that it alone has, in their order.

        `concurrency` requests (16 by default) of up to eight pictures each are under way at a time. `pictures` may be a
        generator: it runs on other threads, and at most four such requests ahead. With `progress` a bar on standard
        error shows how many are done. An error that all others would have, too, such as a wrong key, is raised.
        """
        results = self._each(self._client.classify_many(pictures, concurrency=concurrency, **options))
        return with_progress_bar(results, pictures) if progress else results

    def classify_batch(self, pictures: Iterable[PictureLike], **options: Unpack[ClassifyOptions]) -> ClassifiedBatch:
        """Return the most probable classes of 1 to 64 pictures in one request; a bad picture fails alone."""
        return self._background.run(self._client.classify_batch(pictures, **options))

    def targets(self, picture: PictureLike, **options: Unpack[TargetsOptions]) -> NearestClasses:
        """List the classes that need the smallest change of the picture, nearest first."""
        return self._background.run(self._client.targets(picture, **options))

    def models(self) -> ModelList:
        """List the served models."""
        return self._background.run(self._client.models())

    def model(self, name: str) -> ModelDetail:
        """Describe one served model, with its classes and layers."""
        return self._background.run(self._client.model(name))

    def model_card(self, name: str) -> str:
        """Return the model card of a checkpoint, in Markdown."""
        return self._background.run(self._client.model_card(name))

    def health(self) -> Health:
        """Return the state of the service: whether it is ready, loading, or about to stop."""
        return self._background.run(self._client.health())

    def _each(self, items: AsyncIterator[Item]) -> Generator[Item, None, None]:
        """The items of an asynchronous iterator; leaving the loop ends that iterator, too."""
        try:
            while (item := self._background.run(_next(items))) is not END:
                yield item
        finally:
            self._background.finish(_end(items))


async def _next(items: AsyncIterator[Any]) -> Any:
    """The next item, or END: StopAsyncIteration cannot leave a task."""
    return await anext(items, END)


async def _end(items: Any) -> None:
    await items.aclose()
