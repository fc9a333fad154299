"""Tests sharing one computation between equal requests: started once, reported to all, ended with the last."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from app.engine.deadline import Deadline
from app.engine.progress import Listener
from app.engine.shared_computations import SharedComputations
from models.query import Progress


class Work:
    """A computation that waits for `may_end`, reports two steps, and counts its starts and cancellations."""

    def __init__(self, result: str | Exception = "done") -> None:
        self.result = result
        self.starts = self.cancellations = 0
        self.may_end = asyncio.Event()

    async def __call__(self, report: Listener, _: Deadline) -> str:
        self.starts += 1
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.cancellations += 1
            raise
        for step in (1, 2):
            await asyncio.to_thread(report, Progress(step, 2))  # from another thread, as the engine does
        if isinstance(self.result, Exception):
            raise self.result
        return self.result


async def run_ready_callbacks() -> None:
    """Let the event loop run all callbacks that are ready."""
    for _ in range(5):
        await asyncio.sleep(0)


Test = Callable[[], Coroutine[Any, Any, None]]


def in_event_loop(test: Test) -> Callable[[], None]:
    def run() -> None:
        asyncio.run(test())

    run.__name__, run.__doc__ = test.__name__, test.__doc__
    return run


@in_event_loop
async def test_requests_of_the_same_key_share_one_computation() -> None:
    shared: SharedComputations[str] = SharedComputations()
    work, other = Work(), Work("other")
    subscriptions = [shared.join("key", work) for _ in range(5)]
    apart = shared.join("another key", other)
    work.may_end.set()
    other.may_end.set()
    assert [await subscription.task for subscription in subscriptions] == ["done"] * 5 and await apart.task == "other"
    assert work.starts == other.starts == 1


@in_event_loop
async def test_a_finished_computation_is_forgotten() -> None:
    """Results are kept by the cache, so the next request starts a new computation."""
    shared: SharedComputations[str] = SharedComputations()
    work = Work()
    work.may_end.set()
    for times in (1, 2):
        subscription = shared.join("key", work)
        assert await subscription.task == "done"
        subscription.leave()
        assert work.starts == times


@in_event_loop
async def test_progress_reaches_every_listener() -> None:
    """It also reaches a listener that joins later, and none that has left."""
    shared: SharedComputations[str] = SharedComputations()
    work = Work()
    steps: dict[str, list[int]] = {"first": [], "second": [], "gone": []}

    def listener(name: str) -> Listener:
        return lambda progress: steps[name].append(progress.step)

    subscription = shared.join("key", work, listener("first"))
    left_subscription = shared.join("key", work, listener("gone"))
    shared.join("key", work)
    await run_ready_callbacks()
    shared.join("key", work, listener("second"))
    left_subscription.leave()
    work.may_end.set()
    await subscription.task
    assert steps == {"first": [1, 2], "second": [1, 2], "gone": []}


def test_a_listener_that_raises_affects_no_other_listener(caplog: pytest.LogCaptureFixture) -> None:
    """The other listeners get every step and all get the result; the error is logged once, and its listener removed."""

    async def listen() -> None:
        shared: SharedComputations[str] = SharedComputations()
        work = Work()
        steps: list[int] = []
        calls: list[int] = []

        def raising_listener(progress: Progress) -> None:
            calls.append(progress.step)
            raise RuntimeError("broken listener")

        subscriptions = [
            shared.join("key", work, listener)
            for listener in (
                lambda progress: steps.append(progress.step),
                raising_listener,
                lambda progress: steps.append(progress.step),
            )
        ]
        work.may_end.set()
        assert [await subscription.task for subscription in subscriptions] == ["done"] * 3
        assert steps == [1, 1, 2, 2] and calls == [1]

    asyncio.run(listen())
    assert [record.message for record in caplog.records] == ["a listener failed; the task goes on without it"]


@in_event_loop
async def test_the_computation_is_cancelled_when_the_last_subscription_leaves() -> None:
    shared: SharedComputations[str] = SharedComputations()
    work = Work()
    first, second = shared.join("key", work), shared.join("key", work)
    await run_ready_callbacks()
    first.leave()
    await run_ready_callbacks()
    assert not first.task.done()
    second.leave()
    await run_ready_callbacks()
    assert second.task.cancelled() and (work.starts, work.cancellations) == (1, 1)


@in_event_loop
async def test_a_second_call_of_leave_does_nothing() -> None:
    """It neither ends the subscription of another, nor cancels the clean-up of a cancelled computation."""
    shared: SharedComputations[str] = SharedComputations()
    work = Work()
    first, second = shared.join("key", work), shared.join("key", work)
    first.leave()
    first.leave()
    await run_ready_callbacks()
    assert not second.task.done()

    cleaned_up = asyncio.Event()

    async def clean_up(_: Listener, __: Deadline) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned_up.set()
        return ""

    subscription = shared.join("other key", clean_up)
    await run_ready_callbacks()
    for _ in range(3):
        subscription.leave()
        await asyncio.sleep(0)
    await run_ready_callbacks()
    assert subscription.task.cancelled() and cleaned_up.is_set()


@in_event_loop
async def test_leaving_a_finished_computation_changes_nothing() -> None:
    shared: SharedComputations[str] = SharedComputations()
    work = Work()
    work.may_end.set()
    subscription = shared.join("key", work)
    await subscription.task
    subscription.leave()
    assert subscription.task.result() == "done"


@in_event_loop
async def test_joining_after_the_last_has_left_starts_a_new_computation() -> None:
    """The first computation is still cleaning up; when it ends, the second one must not be removed."""
    shared: SharedComputations[str] = SharedComputations()
    may_finish = asyncio.Event()

    async def slow_to_finish(_: Listener, __: Deadline) -> str:
        try:
            await asyncio.Event().wait()
        finally:
            await may_finish.wait()
        return ""

    left_subscription = shared.join("key", slow_to_finish)
    await run_ready_callbacks()
    left_subscription.leave()
    work = Work()
    subscription = shared.join("key", work)
    assert subscription.task is not left_subscription.task
    may_finish.set()
    await run_ready_callbacks()
    assert left_subscription.task.cancelled() and not subscription.task.done()
    assert shared.join("key", work).task is subscription.task


@in_event_loop
async def test_an_error_reaches_all_subscriptions() -> None:
    shared: SharedComputations[str] = SharedComputations()
    work = Work(ValueError("broken"))
    subscriptions = [shared.join("key", work) for _ in range(3)]
    work.may_end.set()
    for subscription in subscriptions:
        with pytest.raises(ValueError, match="broken"):
            await subscription.task


@in_event_loop
async def test_joining_after_a_failure_starts_a_new_computation() -> None:
    shared: SharedComputations[str] = SharedComputations()
    work = Work(ValueError("broken"))
    work.may_end.set()
    subscription = shared.join("key", work)
    with pytest.raises(ValueError, match="broken"):
        await subscription.task
    assert shared.join("key", Work()).task is not subscription.task


@in_event_loop
async def test_joining_at_the_moment_of_a_failure_starts_a_new_computation() -> None:
    """The computation has failed, but the event loop has not yet removed it."""
    shared: SharedComputations[str] = SharedComputations()
    may_fail = asyncio.Event()

    async def fail(_: Listener, __: Deadline) -> str:
        await may_fail.wait()
        raise ValueError("broken")

    async def join() -> tuple[bool, Awaitable[str]]:
        await may_fail.wait()
        return failing.task.done(), shared.join("key", work).task

    work = Work()
    work.may_end.set()
    failing = shared.join("key", fail)
    await run_ready_callbacks()
    joining = asyncio.ensure_future(join())
    await run_ready_callbacks()
    may_fail.set()
    failed_before, task = await joining
    assert failed_before and await task == "done"
    with pytest.raises(ValueError, match="broken"):
        failing.task.result()


@in_event_loop
async def test_running_computations_are_contained() -> None:
    shared: SharedComputations[str] = SharedComputations()
    work = Work()
    assert "key" not in shared
    subscription = shared.join("key", work)
    assert "key" in shared and "other key" not in shared
    work.may_end.set()
    await subscription.task
    await run_ready_callbacks()
    assert "key" not in shared


@in_event_loop
async def test_the_deadline_is_the_latest_of_all_who_wait() -> None:
    """Whoever has an earlier one leaves then, and the last one to leave cancels the computation."""
    shared: SharedComputations[str] = SharedComputations()
    deadlines: list[Deadline] = []

    async def work(_: Listener, deadline: Deadline) -> str:
        deadlines.append(deadline)
        await asyncio.Event().wait()
        return ""

    now = time.monotonic()
    subscriptions = [shared.join("key", work, until=now + seconds) for seconds in (100, 300, 200)]
    await run_ready_callbacks()
    assert [deadline.until for deadline in deadlines] == [now + 300]
    for subscription in subscriptions:
        subscription.leave()
    assert subscriptions[0].task.cancelling()


@in_event_loop
async def test_a_computation_whose_time_is_up_is_not_joined() -> None:
    """It has not ended yet, but whoever comes later must not share its fate."""
    shared: SharedComputations[str] = SharedComputations()
    overdue = shared.join("key", Work(), until=time.monotonic() - 1)
    later = shared.join("key", Work(), until=time.monotonic() + 100)
    assert later.task is not overdue.task
    overdue.leave()
    assert shared.join("key", Work(), until=time.monotonic() + 50).task is later.task
