"""Tests the event stream: progress, previews, the result, and clients that disconnect."""

import asyncio

import pytest
import torch

from app.web.events import MAX_PENDING_EVENTS, PREVIEW_SIDE, Inbox, Update
from models.query import Progress


def test_a_slow_client_gets_the_latest_events() -> None:
    """Of 100 steps that the client has not read, the last MAX_PENDING_EVENTS remain."""

    async def steps() -> list[int]:
        inbox = Inbox(asyncio.get_running_loop(), previews=False)
        for step in range(100):
            inbox.put(Progress(step, 100))
        await inbox.wait()
        return [update.progress.step for update in inbox.take()]

    assert asyncio.run(steps()) == list(range(100 - MAX_PENDING_EVENTS, 100))


def update_of(progress: Progress, *, previews: bool) -> Update:
    """What an inbox makes of the progress."""

    async def put() -> Update:
        inbox = Inbox(asyncio.get_running_loop(), previews=previews)
        inbox.put(progress)
        return inbox.take()[0]

    return asyncio.run(put())


def test_pictures_are_reduced_and_only_made_on_request() -> None:
    """Only the small copies remain: the progress itself has no pictures any more."""
    picture = torch.rand(3, 400, 800)
    progress = Progress(1, 2, picture=picture, start=lambda: torch.zeros(3, 400, 800))
    update = update_of(progress, previews=True)
    assert update.preview is not None and update.change is not None
    assert tuple(update.preview.shape) == tuple(update.change.shape) == (3, PREVIEW_SIDE // 2, PREVIEW_SIDE)
    without = update_of(progress, previews=False)
    assert without.preview is None and without.change is None
    for stored in (update.progress, without.progress):
        assert stored.render() is None and stored.render_start() is None


def test_a_change_of_a_hundredth_of_a_level_is_amplified_to_the_full_range() -> None:
    """One half rises by it, one quarter falls by half of it, and the last quarter is unchanged: 255, 64 and 128."""
    start = torch.full((3, 320, 640), 0.5)
    picture = start.clone()
    picture[..., :320] += 0.01 / 255
    picture[..., 320:480] -= 0.005 / 255
    change = update_of(Progress(1, 2, picture=picture, start=lambda: start), previews=True).change
    assert change is not None and tuple(change.shape) == (3, PREVIEW_SIDE // 2, PREVIEW_SIDE)
    for columns, level in ((slice(2, 238), 255), (slice(242, 358), 64), (slice(362, 480), 128)):
        assert (change[..., columns].int() - level).abs().max() <= (level != 128)  # float32 rounds the two changes


def test_no_change_is_grey_and_a_task_without_a_start_has_none() -> None:
    picture = torch.rand(3, 200, 300)
    change = update_of(Progress(1, 2, picture=picture, start=picture.clone), previews=True).change
    assert change is not None and change.unique().tolist() == [128]
    update = update_of(Progress(1, 2, picture=picture), previews=True)
    assert update.preview is not None and update.change is None


def test_a_preview_is_drawn_once_and_only_on_request() -> None:
    drawn: list[int] = []

    def preview() -> torch.Tensor:
        drawn.append(1)
        return torch.zeros(3, 8, 8)

    async def put(previews: bool) -> None:
        Inbox(asyncio.get_running_loop(), previews=previews).put(Progress(1, 2, picture=preview))

    for previews, times in ((False, 0), (True, 1)):
        asyncio.run(put(previews))
        assert len(drawn) == times


def test_previews_come_at_most_ten_times_a_second_and_with_the_last_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps at 0, 0.05, 0.1, 0.19 and 0.195 s: the third is a tenth of a second after the first, the fifth the last."""
    times = [0.0, 0.05, 0.1, 0.19, 0.195]
    clock = [100.0]
    monkeypatch.setattr("app.web.events.time.monotonic", lambda: clock[0])

    async def put_all() -> list[Update]:
        inbox = Inbox(asyncio.get_running_loop(), previews=True)
        for step, seconds in enumerate(times, start=1):
            clock[0] = 100 + seconds
            inbox.put(Progress(step, len(times), picture=torch.zeros(3, 8, 8)))
        return inbox.take()

    # asyncio.run would read the changed clock, which stands still between steps: no coroutine here waits.
    updates = asyncio.run(put_all())
    assert [update.preview is not None for update in updates] == [True, False, True, False, True]
