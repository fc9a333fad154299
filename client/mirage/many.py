"""Many pictures at a time: as many requests as keep the service busy, and no more in memory than these hold."""

import asyncio
import itertools
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Iterable, Iterator, Sequence
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from mirage.daemon_thread import on_daemon_thread
from mirage.errors import (
    BadPicture,
    ConnectionLost,
    DeadlinePassed,
    MirageError,
    ProblemError,
    ServiceFailed,
    TimedOut,
    UnexpectedResponse,
    of_problem,
)
from mirage.pictures import PictureLike, to_file
from mirage.results.classification import Classification, ClassifiedBatch

Picture = TypeVar("Picture", bound=PictureLike)
Answer = TypeVar("Answer")
Result: TypeAlias = Classification | MirageError
CONCURRENCY = 16
"""Requests at the same time: a quarter of the places that the service has by default (MIRAGE_MAX_WAITING)."""
GROUP = 8
"""Pictures in one request. With so many requests of so many pictures, as many wait at any time as the service puts into
its largest batches, and those for the next batch are decoded meanwhile."""
AHEAD = 4
"""Groups that may be finished while the first one in order is not."""
GROUP_BYTES = 4_000_000
"""Size of the pictures in one request, from which on no further one is added."""

LARGE_BYTES = 16_000_000
"""Size from which on a request may be larger than the service takes: MIRAGE_MAX_BYTES is 20,000,000 by default."""


class Classify(Protocol):
    """Classifies one picture, or several in one request, given as the bytes of their files."""

    async def classify(self, picture: bytes, /) -> Classification:
        """The classes of one picture."""
        ...

    async def classify_batch(self, pictures: Sequence[bytes], /) -> ClassifiedBatch:
        """The classes of each picture, or its problem, in their order."""
        ...


async def classify_all(
    pictures: Iterable[Picture], service: Classify, concurrency: int
) -> AsyncIterator[tuple[Picture, Result]]:
    """Each picture with its result, or with the error that it alone has, in the order of the pictures.

    At most `concurrency` requests are under way. `concurrency` + AHEAD groups of pictures are taken from the iterable,
    on other threads, before the results of the first of these are given. What the iterable raises is raised after the
    results of the pictures before. An error that all others would have, too, such as a wrong key, is raised at once.
    Leaving the loop cancels what is under way.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency is {concurrency}: at least one request has to be under way at a time")
    slots, source = asyncio.Semaphore(concurrency), _Source(pictures)

    async def classified(group: list[Picture]) -> list[Result]:
        async with slots:
            return await _Group(service, group).results()

    pending: deque[tuple[list[Picture], asyncio.Task[list[Result]]]] = deque()
    try:
        while True:
            if len(pending) < concurrency + AHEAD:
                source.begin_next()
            awaited: list[asyncio.Task[Any]] = [*source.under_way, *(task for _, task in itertools.islice(pending, 1))]
            if not awaited:
                source.raise_error()
                return
            await asyncio.wait(awaited, return_when=asyncio.FIRST_COMPLETED)
            if group := source.taken():
                task = asyncio.create_task(classified(group))
                # Where Python exits in the middle of the loop, nobody asks for the error that this brings.
                task.add_done_callback(lambda task: task.cancelled() or task.exception())
                pending.append((group, task))
            if pending and pending[0][1].done():
                group, task = pending.popleft()
                for picture, result in zip(group, task.result(), strict=True):
                    yield picture, result
    finally:
        left: list[asyncio.Task[Any]] = [*source.under_way, *(task for _, task in pending)]
        for each in left:
            each.cancel()
        await asyncio.gather(*left, return_exceptions=True)


class _Source(Generic[Picture]):
    """The iterable of pictures, of which groups are taken one after another, each on another thread than the loop's.

    The iterable may take its time, or use the client itself.
    """

    def __init__(self, pictures: Iterable[Picture]) -> None:
        self._pictures = iter(pictures)
        self._task: asyncio.Task[tuple[list[Picture], Exception | None]] | None = None
        self._ended = False
        self._error: Exception | None = None

    @property
    def under_way(self) -> "list[asyncio.Task[tuple[list[Picture], Exception | None]]]":
        """The task that takes the next group, if there is one."""
        return [] if self._task is None else [self._task]

    def begin_next(self) -> None:
        """Begin to take the next group, unless one is being taken or the last one was."""
        if self._task is None and not self._ended:
            self._task = asyncio.create_task(on_daemon_thread(lambda: _next_group(self._pictures)))

    def taken(self) -> list[Picture]:
        """The group that was taken, once; empty if there is none. A group that is not full is the last."""
        if self._task is None or not self._task.done():
            return []
        task, self._task = self._task, None
        group, self._error = task.result()
        self._ended = len(group) < GROUP
        return group

    def raise_error(self) -> None:
        """Raise what the iterable raised, if it did; the pictures before it have their results by then."""
        if self._error is not None:
            raise self._error


def _next_group(pictures: Iterator[Picture]) -> tuple[list[Picture], Exception | None]:
    """The next pictures, at most GROUP, and what the iterator raised after them."""
    group: list[Picture] = []
    try:
        for picture in itertools.islice(pictures, GROUP):
            group.append(picture)
    except Exception as error:
        return group, error
    except BaseException as error:  # it would end the event loop, not the program
        stopped = RuntimeError("the iterable of pictures was ended by an exception that is to end the program")
        stopped.__cause__ = error
        return group, stopped
    return group, None


class _Group:
    """Pictures that are sent in one request, or in several where they are large."""

    def __init__(self, service: Classify, pictures: Sequence[PictureLike]) -> None:
        self._service, self._pictures = service, pictures
        self._results: list[Result | None] = [None] * len(pictures)

    async def results(self) -> list[Result]:
        """The result of each picture, or the error that it alone has."""
        files: dict[int, bytes] = {}
        for number, picture in enumerate(self._pictures):
            try:
                files[number] = await asyncio.to_thread(to_file, picture)
            except BadPicture as error:
                self._results[number] = error
            if sum(map(len, files.values())) >= GROUP_BYTES:
                await self._send(files)
                files = {}
        if files:
            await self._send(files)
        assert None not in self._results
        return self._results  # type: ignore[return-value]

    async def _send(self, files: dict[int, bytes]) -> None:
        """Send these pictures together; where the service refuses them so, each alone."""
        if len(files) > 1 and await self._send_together(files):
            return
        for number, file in files.items():
            self._results[number] = await self._alone(file)

    async def _alone(self, file: bytes) -> Result:
        try:
            return await _or_own_error(self._service.classify(file))
        except TimedOut:  # the service hangs, whatever the size
            raise
        except ConnectionLost as error:
            if len(file) < LARGE_BYTES:
                raise
            # A service that takes no such files closes the connection while they are still sent.
            return BadPicture(f"{error}; the file has {len(file):,} bytes, which may be more than the service takes")

    async def _send_together(self, files: dict[int, bytes]) -> bool:
        try:
            batch = await _or_own_error(self._service.classify_batch(list(files.values())))
        except TimedOut:
            raise
        except ConnectionLost:
            if sum(map(len, files.values())) < LARGE_BYTES:
                raise
            return False
        if isinstance(batch, MirageError):
            return False
        if len(batch.results) != len(files):
            raise UnexpectedResponse(f"the response has {len(batch.results)} results for {len(files)} pictures")
        for number, result in zip(files, batch.results, strict=True):
            self._results[number] = result if isinstance(result, Classification) else of_problem(result.problem)
        return True


async def _or_own_error(awaitable: Awaitable[Answer]) -> Answer | MirageError:
    """What is awaited, or the error of this request, unless all others would have it, too."""
    try:
        return await awaitable
    except MirageError as error:
        if is_of_one_picture(error):
            return error
        raise


def is_of_one_picture(error: MirageError) -> bool:
    """Whether the error says something about this picture, and not about the service or about all requests."""
    if isinstance(error, BadPicture | DeadlinePassed | ServiceFailed):
        return True
    # 422 without a kind of its own is an option that is not valid, which all requests have.
    return isinstance(error, ProblemError) and (
        error.problem.status in (413, 415) or (error.problem.status == 422 and error.kind != "unprocessable-content")
    )
