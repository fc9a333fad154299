"""Many pictures at a time: as many requests as keep the service busy, and no more pictures in memory than that."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator
from typing import Any, TypeVar

from mirage.errors import BadPicture, DeadlinePassed, MirageError, ProblemError, ServiceFailed
from mirage.pictures import PictureLike

Picture = TypeVar("Picture", bound=PictureLike)
Result = TypeVar("Result")
CONCURRENCY = 16
"""Requests at the same time. The service makes batches of those that wait: with fewer it has none to make, and with
more than its MIRAGE_MAX_WAITING it refuses some."""
AHEAD = 2
"""Pictures that may be finished before the next one in order is, as a multiple of the requests at the same time."""


async def in_order(
    pictures: Iterable[Picture],
    ask: Callable[[Picture], Coroutine[Any, Any, Result]],
    concurrency: int,
) -> AsyncIterator[tuple[Picture, Result | MirageError]]:
    """Each picture with its result, or with the error that it alone has, in the order of the pictures.

    An error that all others would have, too, such as a wrong key, is raised. Leaving the loop cancels what is under
    way.
    """
    if concurrency < 1:
        raise ValueError(f"concurrency is {concurrency}: at least one request has to be under way at a time")
    slots, source = asyncio.Semaphore(concurrency), iter(pictures)
    pending: deque[tuple[Picture, asyncio.Task[Result | MirageError]]] = deque()

    async def one(picture: Picture) -> Result | MirageError:
        async with slots:
            try:
                return await ask(picture)
            except MirageError as error:
                if is_of_one_picture(error):
                    return error
                raise

    try:
        while True:
            for picture in _take(source, AHEAD * concurrency - len(pending)):
                pending.append((picture, asyncio.create_task(one(picture))))
            if not pending:
                return
            picture, task = pending[0]
            result = await task
            pending.popleft()
            yield picture, result
    finally:
        for _, task in pending:
            task.cancel()
        await asyncio.gather(*(task for _, task in pending), return_exceptions=True)


def _take(source: Iterator[Picture], count: int) -> Iterator[Picture]:
    for _, picture in zip(range(count), source, strict=False):
        yield picture


def is_of_one_picture(error: MirageError) -> bool:
    """Whether the error says something about this picture, and not about the service or about all requests."""
    if isinstance(error, BadPicture | DeadlinePassed | ServiceFailed):
        return True
    # 422 without a kind of its own is an option that is not valid, which all requests have.
    return isinstance(error, ProblemError) and (
        error.problem.status in (413, 415) or (error.problem.status == 422 and error.kind != "unprocessable-content")
    )
