"""One computation for all who ask the same: begun once, heard by all, ended with the last."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from app.engine.progress import Listener
from app.engine.shared_computations import SharedComputations
from models.query import Progress


class Work:
    """A computation that tells two steps, waits to be let go, and counts how often it was begun and cancelled."""

    def __init__(self, result: str | Exception = "done") -> None:
        self.result = result
        self.begun = self.cancelled = 0
        self.go = asyncio.Event()

    async def __call__(self, tell: Listener) -> str:
        self.begun += 1
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        for step in (1, 2):
            await asyncio.to_thread(tell, Progress(step, 2))  # as the engine does: from a thread of its own
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


async def turn() -> None:
    """Let everything happen that is ready to."""
    for _ in range(5):
        await asyncio.sleep(0)


Test = Callable[[], Coroutine[Any, Any, None]]


def on_a_loop(test: Test) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@on_a_loop
async def test_requests_of_the_same_key_share_one_computation() -> None:
    shared: SharedComputations[str] = SharedComputations()
    work, other = Work(), Work("other")
    subscriptions = [shared.join("key", work) for _ in range(5)]
    apart = shared.join("another key", other)
    work.go.set()
    other.go.set()
    assert [await subscription.task for subscription in subscriptions] == ["done"] * 5 and await apart.task == "other"
    assert work.begun == other.begun == 1


@on_a_loop
async def test_a_finished_computation_is_forgotten() -> None:
    """That is the cache's business; the next asker's computation is a new one."""
    shared: SharedComputations[str] = SharedComputations()
    work = Work()
    work.go.set()
    for times in (1, 2):
        subscription = shared.join("key", work)
        assert await subscription.task == "done"
        subscription.leave()
        assert work.begun == times


@on_a_loop
async def test_progress_reaches_each_listener() -> None:
    """Also one that joins later, and none that has left."""
    shared: SharedComputations[str] = SharedComputations()
    work = Work()
    heard: dict[str, list[int]] = {"first": [], "second": [], "gone": []}

    def listener(name: str) -> Listener:
        return lambda progress: heard[name].append(progress.step)

    subscription = shared.join("key", work, listener("first"))
    gone = shared.join("key", work, listener("gone"))
    shared.join("key", work)
    await turn()
    shared.join("key", work, listener("second"))
    gone.leave()
    work.go.set()
    await subscription.task
    assert heard == {"first": [1, 2], "second": [1, 2], "gone": []}


def test_a_listener_that_raises_affects_no_other(caplog: pytest.LogCaptureFixture) -> None:
    """The others hear every step and all get the result; it is logged once, and the listener hears no more."""

    async def listen() -> None:
        shared: SharedComputations[str] = SharedComputations()
        work = Work()
        heard: list[int] = []
        asked: list[int] = []

        def deaf(progress: Progress) -> None:
            asked.append(progress.step)
            raise RuntimeError("I cannot hear")

        subscriptions = [
            shared.join("key", work, listener)
            for listener in (lambda progress: heard.append(progress.step), deaf, lambda each: heard.append(each.step))
        ]
        work.go.set()
        assert [await subscription.task for subscription in subscriptions] == ["done"] * 3
        assert heard == [1, 1, 2, 2] and asked == [1]

    asyncio.run(listen())
    assert [record.message for record in caplog.records] == ["a listener failed; the task goes on without it"]


@on_a_loop
async def test_the_computation_is_cancelled_when_the_last_subscription_leaves() -> None:
    shared: SharedComputations[str] = SharedComputations()
    work = Work()
    first, second = shared.join("key", work), shared.join("key", work)
    await turn()
    first.leave()
    await turn()
    assert not first.task.done()
    second.leave()
    await turn()
    assert second.task.cancelled() and (work.begun, work.cancelled) == (1, 1)


@on_a_loop
async def test_a_second_call_of_leave_does_nothing() -> None:
    """Neither does it take another's place, nor cancel what the computation does after it was cancelled."""
    shared: SharedComputations[str] = SharedComputations()
    work = Work()
    first, second = shared.join("key", work), shared.join("key", work)
    first.leave()
    first.leave()
    await turn()
    assert not second.task.done()

    tidied = asyncio.Event()

    async def tidy(_: Listener) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            tidied.set()
        return ""

    subscription = shared.join("other key", tidy)
    await turn()
    for _ in range(3):
        subscription.leave()
        await asyncio.sleep(0)
    await turn()
    assert subscription.task.cancelled() and tidied.is_set()


@on_a_loop
async def test_leaving_a_finished_computation_changes_nothing() -> None:
    shared: SharedComputations[str] = SharedComputations()
    work = Work()
    work.go.set()
    subscription = shared.join("key", work)
    await subscription.task
    subscription.leave()
    assert subscription.task.result() == "done"


@on_a_loop
async def test_joining_after_the_last_has_left_starts_a_new_computation() -> None:
    """The first computation is still tidying up; when it ends, it does not take the second one's place."""
    shared: SharedComputations[str] = SharedComputations()
    tidy = asyncio.Event()

    async def slow(_: Listener) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            await tidy.wait()
        return ""

    gone = shared.join("key", slow)
    await turn()
    gone.leave()
    work = Work()
    subscription = shared.join("key", work)
    assert subscription.task is not gone.task
    tidy.set()
    await turn()
    assert gone.task.cancelled() and not subscription.task.done()
    assert shared.join("key", work).task is subscription.task


@on_a_loop
async def test_an_error_reaches_all_subscriptions() -> None:
    shared: SharedComputations[str] = SharedComputations()
    work = Work(ValueError("broken"))
    subscriptions = [shared.join("key", work) for _ in range(3)]
    work.go.set()
    for subscription in subscriptions:
        with pytest.raises(ValueError, match="broken"):
            await subscription.task


@on_a_loop
async def test_joining_after_a_failure_starts_a_new_computation() -> None:
    shared: SharedComputations[str] = SharedComputations()
    work = Work(ValueError("broken"))
    work.go.set()
    subscription = shared.join("key", work)
    with pytest.raises(ValueError, match="broken"):
        await subscription.task
    assert shared.join("key", Work()).task is not subscription.task


@on_a_loop
async def test_joining_in_the_moment_of_a_failure_starts_a_new_computation() -> None:
    """Before the event loop has come to forgetting it."""
    shared: SharedComputations[str] = SharedComputations()
    now = asyncio.Event()

    async def fail(_: Listener) -> str:
        await now.wait()
        raise ValueError("broken")

    async def join() -> tuple[bool, Awaitable[str]]:
        await now.wait()
        return failing.task.done(), shared.join("key", work).task

    work = Work()
    work.go.set()
    failing = shared.join("key", fail)
    await turn()
    joining = asyncio.ensure_future(join())
    await turn()
    now.set()
    failed_before, task = await joining
    assert failed_before and await task == "done"
    with pytest.raises(ValueError, match="broken"):
        failing.task.result()


@on_a_loop
async def test_running_computations_are_contained() -> None:
    shared: SharedComputations[str] = SharedComputations()
    work = Work()
    assert "key" not in shared
    subscription = shared.join("key", work)
    assert "key" in shared and "other key" not in shared
    work.go.set()
    await subscription.task
    await turn()
    assert "key" not in shared
