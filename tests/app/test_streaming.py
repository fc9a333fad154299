"""Progress on its way to a client."""

import asyncio
import gc
from concurrent.futures import Future

import torch

from app.formats import Format
from app.streaming import KEPT_EVENTS, PREVIEW_SIDE, Inbox, present, thumbnail
from models.query import Progress


def test_a_slow_client_gets_the_latest() -> None:
    """Of 100 steps that nobody fetched the last 32 are kept."""

    async def steps() -> list[int]:
        inbox = Inbox(asyncio.get_running_loop(), previews=False)
        for step in range(100):
            inbox.put(Progress(step, 100))
        await inbox.wait()
        return [progress.step for progress, _ in inbox.take()]

    assert asyncio.run(steps()) == list(range(100 - KEPT_EVENTS, 100))


def test_a_preview_is_small_and_only_kept_where_it_is_wanted() -> None:
    picture = torch.rand(3, 400, 800)

    async def kept(previews: bool) -> tuple[Progress, torch.Tensor | None]:
        inbox = Inbox(asyncio.get_running_loop(), previews=previews)
        inbox.put(Progress(1, 2, shown=picture))
        return inbox.take()[0]

    progress, small = asyncio.run(kept(True))
    assert progress.preview is None and small is not None
    assert tuple(small.shape) == (3, PREVIEW_SIDE // 2, PREVIEW_SIDE)
    assert asyncio.run(kept(False))[1] is None


def test_a_stream_that_never_began_gives_its_task_up() -> None:
    """The client left between the question and the first byte: the response is dropped, and with it the task."""
    future: Future[None] = Future()

    class Submitting:
        def submit(self, *_: object, **__: object) -> Future[None]:
            return future

    async def drop() -> None:
        response = await present(None, Submitting(), None, None, None, format=Format.events)  # type: ignore[arg-type]
        assert not future.cancelled()
        del response
        gc.collect()
        assert future.cancelled()

    asyncio.run(drop())


def test_a_thumbnail_of_a_small_picture_is_the_picture() -> None:
    picture = torch.full((3, 20, 30), 0.2)
    assert (thumbnail(picture, 30) == 51).all() and thumbnail(picture, 30).shape == picture.shape
