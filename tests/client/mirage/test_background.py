"""Coroutines that are run from other threads: their results, their errors, and their end."""

import asyncio
import gc
import os
import threading
from collections.abc import AsyncGenerator, Callable

import pytest

from mirage.background import Background
from mirage.errors import ClientClosed, ConnectionLost


async def waiting(began: threading.Event, ended: list[str]) -> None:
    began.set()
    try:
        await asyncio.sleep(60)
    except asyncio.CancelledError:
        ended.append("cancelled")
        raise


async def nothing() -> None:
    """Clean up nothing."""


def test_results_and_errors_come_back() -> None:
    async def divide(a: int, b: int) -> float:
        await asyncio.sleep(0)
        return a / b

    background = Background()
    assert background.run(divide(3, 2)) == 1.5
    with pytest.raises(ZeroDivisionError):
        background.run(divide(1, 0))
    background.stop(nothing())
    assert not background.is_alive
    with pytest.raises(ClientClosed, match="make a new one"):
        background.run(divide(1, 1))


def test_an_interrupted_thread_cancels_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C raises KeyboardInterrupt in the thread that waits; here its way of waiting does."""
    background, began, ended = Background(), threading.Event(), []  # type: ignore[var-annotated]

    class Interrupted(threading.Event):
        waits = 0

        def wait(self, timeout: float | None = None) -> bool:
            self.waits += 1
            if self.waits == 1:
                assert began.wait(30)
                raise KeyboardInterrupt
            return super().wait(timeout)

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("mirage.background.threading.Event", Interrupted)
        background.run(waiting(began, ended))
    assert ended == ["cancelled"], "also that has happened before the interrupted thread goes on"
    background.stop(nothing())


def test_stopping_cancels_what_runs() -> None:
    background, began, ended = Background(), threading.Event(), []  # type: ignore[var-annotated]
    failed: list[BaseException] = []

    def wait() -> None:
        try:
            background.run(waiting(began, ended))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=wait)
    thread.start()
    assert began.wait(30)
    background.stop(nothing())
    thread.join(30)
    assert ended == ["cancelled"] and [type(error) for error in failed] == [ConnectionLost]


def test_a_client_that_nobody_has_any_more_leaves_no_thread() -> None:
    background = Background()
    thread = background._thread
    del background
    gc.collect()
    thread.join(30)
    assert not thread.is_alive()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_is_told_that_the_client_is_not_its_own() -> None:
    """Its copy of the client has no thread: to wait for it would take for ever."""
    background = Background()
    child = os.fork()
    if child == 0:
        os._exit(7 if not background.is_alive else 8)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 7
    assert background.is_alive
    background.stop(nothing())


def test_threads_that_use_a_client_while_it_is_closed_all_end() -> None:
    """Each gets an answer or an error, however the end of the client falls between its calls."""

    async def answer() -> int:
        await asyncio.sleep(0)
        return 7

    for _ in range(20):
        background, ended = Background(), []  # type: ignore[var-annotated]

        def work(background: Background = background, ended: list[str] = ended) -> None:
            try:
                while background.run(answer()) == 7:
                    pass
            except (ClientClosed, ConnectionLost):
                ended.append("told")

        threads = [threading.Thread(target=work) for _ in range(4)]
        closers = [threading.Thread(target=background.stop, args=[nothing()]) for _ in range(2)]
        for thread in [*threads, *closers]:
            thread.start()
        for thread in [*threads, *closers]:
            thread.join(60)
        assert ended == ["told"] * 4


def test_a_call_from_the_loop_itself_is_refused_and_a_cleanup_is_left_to_it() -> None:
    """Both would wait for themselves: Python collects garbage on any thread, and may clean up there."""
    background, done = Background(), threading.Event()

    async def clean_up() -> None:
        done.set()

    async def inside() -> None:
        background.finish(clean_up())
        background.run(nothing())

    with pytest.raises(ClientClosed, match="its own event loop"):
        background.run(inside())
    assert done.wait(30)
    background.stop(nothing())


def test_a_client_that_is_closed_on_its_own_thread_ends_without_waiting_for_itself() -> None:
    """Python collects garbage on any thread, and what it collects may close the client."""
    background, cleaned = Background(), threading.Event()

    async def clean_up() -> None:
        cleaned.set()

    async def inside() -> None:
        background.stop(clean_up())
        await asyncio.sleep(60)

    with pytest.raises(ConnectionLost):
        background.run(inside())
    background._thread.join(30)
    assert cleaned.is_set() and not background._thread.is_alive()


def test_a_cleanup_in_the_middle_of_another_call_does_not_block_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when garbage is collected there, or a signal handler closes the client; a lock would wait for ever."""
    background, done = Background(), []  # type: ignore[var-annotated]
    call_soon = background._call_soon

    async def clean_up() -> None:
        done.append("cleaned")

    def interrupted(function: Callable[..., None], *arguments: object) -> bool:
        monkeypatch.setattr(background, "_call_soon", call_soon)
        background.finish(clean_up())
        background.stop(clean_up())
        return call_soon(function, *arguments)

    monkeypatch.setattr(background, "_call_soon", interrupted)
    with pytest.raises(ClientClosed):
        background.run(nothing())
    assert done == ["cleaned", "cleaned"]


@pytest.mark.filterwarnings("error")
def test_what_comes_after_the_end_of_the_loop_is_refused_at_once() -> None:
    """At the exit of Python the loop ends before objects that are still there close their clients."""
    background = Background()
    background._loop.call_soon_threadsafe(background._loop.stop)
    background._thread.join(30)
    background.finish(nothing())
    background.stop(nothing())
    with pytest.raises(ClientClosed):
        background.run(nothing())


def test_generators_that_were_left_in_the_middle_leave_no_task(caplog: pytest.LogCaptureFixture) -> None:
    """One inside the other, as those of httpx. What is left pending, asyncio complains of in its log."""

    async def nested(depth: int) -> AsyncGenerator[int, None]:
        try:
            if depth:
                async for number in nested(depth - 1):
                    yield number
            else:
                yield 1
                yield 2
        finally:
            await asyncio.sleep(0)

    async def leave() -> None:
        async for _ in nested(3):
            return

    for _ in range(20):
        background = Background()
        background.run(leave())
        background.stop(leave())  # as does httpx when it closes its connections
    gc.collect()
    assert "destroyed" not in caplog.text
