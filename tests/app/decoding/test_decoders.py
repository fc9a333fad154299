"""Tests the pool of decoder processes: their number, who waits, and what a slow or broken picture costs others."""

import io
import os
import signal
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextvars import copy_context

import pytest
from PIL import Image

from app.decoding import decoders as module
from app.decoding.decoders import Decoders
from app.decoding.process import CannotDecode, DecoderProcess
from app.telemetry.record import Record, begin_record
from models.decoding.levels import Levels
from models.query import DeadlineExceeded
from tests.app.live_service import eventually

Make = Callable[[int], Decoders]


@pytest.fixture
def make() -> Iterator[Make]:
    pools: list[Decoders] = []

    def new(processes: int) -> Decoders:
        pools.append(Decoders(processes))
        return pools[-1]

    yield new
    for pool in pools:
        pool.close()


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (40, 30), (200, 100, 50)).save(file, "PNG")
    return file.getvalue()


def admit_all(pixels: int) -> None:
    """Admit every picture."""


def decode(
    pool: Decoders, file: bytes | None = None, admit: Callable[[int], None] = admit_all, timeout_s: float = 60
) -> Levels:
    file = picture() if file is None else file
    return pool.decode(file, max_pixels=10**6, until=time.monotonic() + timeout_s, admit=admit)


class Held:
    """Keeps pictures in their processes until `go` is set, and counts how many there are at once."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.present = 0

    def __call__(self, pixels: int) -> None:
        self.present += 1
        assert self.go.wait(60)


def test_pictures_are_decoded_at_once_by_as_many_processes(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """None takes the place of one that waits."""
    monkeypatch.setattr(module, "MOST_EXTRA", 0)
    pool, held = make(2), Held()
    futures = [pool.submit(decode, pool, admit=held) for _ in range(5)]
    eventually(lambda: held.present == 2)
    time.sleep(0.05)
    assert held.present == 2 and pool.waiting == 5
    held.go.set()
    assert [future.result(60).width for future in futures] == [40] * 5
    eventually(lambda: pool.waiting == 0)


def test_a_process_that_was_killed_while_idle_costs_no_picture(make: Make) -> None:
    """The operating system may have taken its memory."""
    pool = make(2)
    pool.start()
    eventually(lambda: pool.idle == 2)
    for process in pool._idle:
        os.kill(process.number, signal.SIGKILL)
        eventually(lambda process=process: not process.alive)
    assert decode(pool).width == 40 and decode(pool).width == 40
    assert (pool.idle, pool.ended["crashed"]) == (1, 2)


def test_processes_that_were_started_are_used_again(make: Make) -> None:
    pool = make(2)
    pool.start()
    eventually(lambda: len(pool._idle) == 2)
    numbers = {process.number for process in pool._idle}
    for _ in range(4):
        decode(pool)
    assert {process.number for process in pool._idle} == numbers


def test_a_picture_that_waits_too_long_for_a_process_is_given_up(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_EXTRA", 0)
    pool, held = make(1), Held()
    future = pool.submit(decode, pool, admit=held)
    eventually(lambda: held.present == 1)
    with pytest.raises(DeadlineExceeded, match="waited too long to be decoded"):
        decode(pool, timeout_s=0.05)
    held.go.set()
    future.result(60)


def test_a_process_that_ended_is_replaced(make: Make) -> None:
    pool = make(1)
    decode(pool)
    (process,) = pool._idle
    with pytest.raises(CannotDecode):
        decode(pool, admit=lambda pixels: process._process.kill())
    assert decode(pool).width == 40
    assert [other.number for other in pool._idle] != [process.number]


def test_a_slow_picture_lets_others_pass(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is one process, which counts as slow at once; another one takes its place, and the slow one is ended."""
    monkeypatch.setattr(module, "WATCH_S", 0.01)
    monkeypatch.setattr(module, "SLOW_S", 0.0)
    monkeypatch.setattr("app.decoding.process.PROGRAM", ("-c", WAITING))
    pool = make(1)
    slow = pool.submit(decode, pool, b"slow")
    eventually(lambda: any(process.is_slow for process in pool._busy))
    assert decode(pool, b"quick").width == 2
    assert not slow.done()
    (process,) = pool._busy
    process._process.kill()
    with pytest.raises(CannotDecode):
        slow.result(60)


def test_a_picture_that_waits_for_memory_lets_others_pass(make: Make) -> None:
    pool, held = make(1), Held()
    waiting = pool.submit(decode, pool, admit=held)
    eventually(lambda: held.present == 1)
    assert decode(pool).width == 40
    held.go.set()
    assert waiting.result(60).width == 40


def test_of_many_slow_pictures_the_slowest_is_given_up(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise a handful of them would hold up all decoding for as long as each may take."""
    monkeypatch.setattr(module, "WATCH_S", 0.01)
    monkeypatch.setattr(module, "SLOW_S", 0.0)
    monkeypatch.setattr(module, "MOST_EXTRA", 1)
    monkeypatch.setattr("app.decoding.process.PROGRAM", ("-c", WAITING))
    pool = make(1)
    slow = [pool.submit(decode, pool, b"slow") for _ in range(2)]
    with pytest.raises(DeadlineExceeded, match="others wait"):
        slow[0].result(60)
    assert decode(pool, b"quick").width == 2
    for process in list(pool._busy):
        process._process.kill()


def test_a_picture_whose_client_has_left_is_not_kept(make: Make) -> None:
    """It waits behind pictures that occupy all threads; what it consists of is let go at once."""

    class Work:
        """A call that holds a picture."""

        def __call__(self) -> None:
            pytest.fail("nobody waits for it")

    pool, held = make(1), Held()
    occupied = [pool.submit(held, 0) for _ in range(module.THREADS)]
    work = Work()
    gone, future = weakref.ref(work), pool.submit(work)
    del work
    future.cancel()
    assert gone() is None and pool.waiting == module.THREADS
    held.go.set()
    for one in occupied:
        one.result(60)


def test_an_overdue_picture_is_given_up_while_it_is_decoded(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "WATCH_S", 0.01)
    monkeypatch.setattr("app.decoding.process.PROGRAM", ("-c", WAITING))
    pool = make(1)
    with pytest.raises(DeadlineExceeded, match="not decoded in time"):
        decode(pool, b"slow", timeout_s=2)
    assert decode(pool, b"quick").width == 2


WAITING = """
import time
import numpy as np
from app.decoding import child
from models.decoding.levels import Levels
def read_levels(file, admit, **options):
    time.sleep(600 if file == b"slow" else 0)
    return Levels(np.zeros((3, 2, 2), np.uint8), "PNG", 2, 2)
child.read_levels = read_levels
child.main()
"""
"""A decoder process that takes ten minutes for a slow file."""


def test_an_error_of_the_work_frees_its_place(make: Make) -> None:
    pool = make(1)
    future = pool.submit(decode, pool, b"no picture")
    with pytest.raises(ValueError, match="no picture format"):
        future.result(60)
    eventually(lambda: pool.waiting == 0)


def test_how_long_a_picture_waits_follows_from_those_before(make: Make) -> None:
    pool, held = make(1), Held()
    assert pool.seconds_ahead() == 0
    pool._mean_s = 2.0
    futures = [pool.submit(decode, pool, admit=held) for _ in range(4)]
    eventually(lambda: held.present == 1)
    assert pool.seconds_ahead() == 6.0
    held.go.set()
    for future in futures:
        future.result(60)


def test_closing_finishes_what_was_submitted_and_ends_the_processes() -> None:
    pool, held = Decoders(2), Held()
    futures = [pool.submit(decode, pool, admit=held) for _ in range(3)]
    eventually(lambda: held.present == 2)
    processes: list[DecoderProcess] = list(pool._busy)
    threading.Timer(0.05, held.go.set).start()
    pool.close()
    assert [future.result(0).width for future in futures] == [40] * 3
    assert not any(process.alive for process in processes)


def test_the_ends_of_processes_are_counted_by_their_reason(make: Make) -> None:
    """A picture for which there is no memory, and a process that is killed by somebody else."""
    pool = make(1)

    def refuse(pixels: int) -> None:
        raise MemoryError

    with pytest.raises(MemoryError):
        decode(pool, admit=refuse)
    decode(pool)
    (process,) = pool._idle
    with pytest.raises(CannotDecode):
        decode(pool, admit=lambda pixels: process._process.kill())
    assert +pool.ended == {"refused": 1, "crashed": 1}


def test_waiting_and_decoding_are_noted_for_the_request(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """The one process is busy with a picture of nobody's request, so that the request waits in line, and for memory."""
    monkeypatch.setattr(module, "MOST_EXTRA", 0)  # no other process takes the place of one that waits for memory
    pool, held = make(1), Held()
    other = pool.submit(decode, pool, admit=held)
    eventually(lambda: held.present == 1)

    def in_request() -> Record:
        record = begin_record("id")
        mine = pool.submit(decode, pool, admit=lambda pixels: time.sleep(0.02))
        eventually(lambda: pool.waiting == 2)
        time.sleep(0.02)
        held.go.set()
        mine.result(60)
        return record

    record = copy_context().run(in_request)
    other.result(60)
    assert set(record.seconds) == {"queued", "decoded"}
    assert record.seconds["queued"] >= 0.04 and record.seconds["decoded"] > 0
