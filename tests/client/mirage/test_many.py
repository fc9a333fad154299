"""Many pictures at a time: their order, how many are under way, and which errors end everything."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence

import httpx
import pytest

from mirage.errors import (
    BadPicture,
    ConnectionLost,
    KeyRefused,
    MirageError,
    NotReached,
    TimedOut,
    UnexpectedResponse,
    of_problem,
)
from mirage.many import AHEAD, GROUP, GROUP_BYTES, LARGE_BYTES, Classify, Result, classify_all, is_of_one_picture
from mirage.problem import Problem
from mirage.results.classification import Classification, ClassifiedBatch, FailedPicture


def failure(status: int, kind: str = "a-kind") -> MirageError:
    return of_problem(Problem(f"urn:mirage:problem:{kind}", "", status, "", ""))


def classified(picture: bytes) -> Classification:
    return Classification(picture.decode(), "v", 1, 1, ())


class Service(Classify):
    """Answers each request by a function of its pictures, and keeps the requests."""

    def __init__(self, answer: Callable[[Sequence[bytes]], Awaitable[object]]) -> None:
        self._answer = answer
        self.requests: list[list[bytes]] = []

    async def classify(self, picture: bytes, /) -> Classification:
        self.requests.append([picture])
        await self._answer([picture])
        return classified(picture)

    async def classify_batch(self, pictures: Sequence[bytes], /) -> ClassifiedBatch:
        self.requests.append(list(pictures))
        await self._answer(pictures)
        failed = FailedPicture(Problem("urn:mirage:problem:broken-picture", "", 422, "", ""))
        return ClassifiedBatch("m", "v", tuple(failed if b"broken" in item else classified(item) for item in pictures))


async def at_once(_: Sequence[bytes]) -> None:
    await asyncio.sleep(0)


def run(
    pictures: Iterable[bytes], service: Service, concurrency: int = 3, most: int | None = None
) -> list[tuple[bytes, Result]]:
    async def collect() -> list[tuple[bytes, Result]]:
        results: list[tuple[bytes, Result]] = []
        items = classify_all(pictures, service, concurrency)
        async for item in items:
            results.append(item)
            if most is not None and len(results) == most:
                break
        await items.aclose()  # type: ignore[attr-defined]
        return results

    return asyncio.run(collect())


def numbered(count: int) -> list[bytes]:
    return [str(number).encode() for number in range(count)]


def test_results_come_in_the_order_of_the_pictures() -> None:
    """The first requests take longest."""

    async def answer(pictures: Sequence[bytes]) -> None:
        await asyncio.sleep(0.03 / (1 + int(pictures[0])))

    assert run(numbered(50), Service(answer)) == [(picture, classified(picture)) for picture in numbered(50)]


def test_pictures_share_requests_as_long_as_they_are_small() -> None:
    """A group of eight; then eight that are so large that each request holds two; then one alone."""
    small, large = numbered(GROUP), [b"x" * (GROUP_BYTES // 2)] * GROUP
    service = Service(at_once)
    assert len(run([*small, *large, b"last"], service, concurrency=1)) == 2 * GROUP + 1
    assert [len(request) for request in service.requests] == [GROUP, *[2] * (GROUP // 2), 1]


def test_no_more_requests_and_no_more_pictures_than_allowed() -> None:
    """Three requests at a time; seven groups are taken from the source until the first one, which is slow, is done."""
    running, most_running, taken = 0, 0, 0
    first = asyncio.Event()

    def source() -> Iterator[bytes]:
        nonlocal taken
        for number in range(10_000):
            taken += 1
            yield str(number).encode()

    async def answer(pictures: Sequence[bytes]) -> None:
        nonlocal running, most_running
        running += 1
        most_running = max(most_running, running)
        if pictures[0] == b"0":
            await first.wait()
        else:
            await asyncio.sleep(0.05)
            if int(pictures[0]) == (2 + AHEAD) * GROUP:  # the last group that may begin before the first one has ended
                first.set()
        running -= 1

    assert len(run(source(), Service(answer), most=1)) == 1
    assert (most_running, taken) == (3, (3 + AHEAD) * GROUP)


def test_an_error_of_one_picture_stands_in_its_place() -> None:
    """One that cannot be read here, and one that the service cannot decode."""
    results = run([b"a", "missing.png", b"broken", b"d"], Service(at_once))  # type: ignore[list-item]
    assert [type(result) for _, result in results][::3] == [Classification, Classification]
    assert isinstance(results[1][1], BadPicture)
    assert isinstance(results[2][1], MirageError) and results[2][1].kind == "broken-picture"  # type: ignore[attr-defined]


def test_pictures_that_are_refused_together_are_sent_alone() -> None:
    """Together they are too large for the service's limit; one is so even alone."""

    async def answer(pictures: Sequence[bytes]) -> None:
        if sum(map(len, pictures)) > 10:
            raise failure(413)

    service = Service(answer)
    results = run([b"aaaa", b"bbbb", b"c" * 11, b"dddd"], service)
    assert [isinstance(result, Classification) for _, result in results] == [True, True, False, True]
    assert len(service.requests) == 5


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (failure(413), True), (failure(415), True), (failure(422, "broken-picture"), True), (failure(500), True),
        (failure(504), True), (BadPicture(""), True), (failure(422, "unprocessable-content"), False),
        (failure(401), False), (failure(404), False), (failure(503), False), (NotReached(""), False),
    ],
)  # fmt: skip
def test_which_errors_are_of_one_picture(error: MirageError, expected: bool) -> None:
    """An option that is not valid, a wrong key or a service that is gone would fail for all others, too."""
    assert is_of_one_picture(error) is expected


def waits_for_ever(cancelled: list[bytes], unless: bytes, error: Exception | None) -> Service:
    """A service that answers one request alone, and notes which of the others were cancelled."""

    async def answer(pictures: Sequence[bytes]) -> None:
        if pictures[0] == unless:
            await asyncio.sleep(0.05)
            if error is not None:
                raise error
            return
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(pictures[0])
            raise

    return Service(answer)


def test_any_other_error_ends_everything_and_cancels_what_is_under_way() -> None:
    cancelled: list[bytes] = []
    with pytest.raises(KeyRefused):
        run(numbered(9 * GROUP), waits_for_ever(cancelled, b"0", failure(401)))
    assert {str(GROUP).encode(), str(2 * GROUP).encode()} <= set(cancelled)


def test_leaving_the_loop_cancels_what_is_under_way() -> None:
    cancelled: list[bytes] = []
    assert run(numbered(9 * GROUP), waits_for_ever(cancelled, b"0", None), most=1) == [(b"0", classified(b"0"))]
    assert {str(GROUP).encode(), str(2 * GROUP).encode()} <= set(cancelled)


def test_a_service_that_answers_for_fewer_pictures_is_not_believed() -> None:
    class Forgetful(Service):
        async def classify_batch(self, pictures: Sequence[bytes], /) -> ClassifiedBatch:
            return await super().classify_batch(pictures[1:])

    with pytest.raises(UnexpectedResponse, match="1 results for 2 pictures"):
        run(numbered(2), Forgetful(at_once))


def test_results_do_not_wait_for_pictures_that_are_still_to_come() -> None:
    """The iterable gives the second group only after the first result was taken."""
    taken = threading.Event()

    def source() -> Iterator[bytes]:
        yield from numbered(GROUP)
        assert taken.wait(30)
        yield b"last"

    async def collect() -> list[bytes]:
        pictures = []
        async for picture, _ in classify_all(source(), Service(at_once), 3):
            pictures.append(picture)
            taken.set()
        return pictures

    assert asyncio.run(collect()) == [*numbered(GROUP), b"last"]


def test_what_the_iterable_raises_comes_after_the_results_before_it() -> None:
    def source() -> Iterator[bytes]:
        yield from numbered(2 * GROUP + 3)
        raise LookupError("no more")

    results: list[tuple[bytes, Result]] = []

    async def collect() -> None:
        async for item in classify_all(source(), Service(at_once), 3):
            results.append(item)

    with pytest.raises(LookupError, match="no more"):
        asyncio.run(collect())
    assert [picture for picture, _ in results] == numbered(2 * GROUP + 3)


def test_at_least_one_request_at_a_time() -> None:
    with pytest.raises(ValueError, match="at least one"):
        run([b"a"], Service(at_once), concurrency=0)


def test_the_iterable_may_take_its_time_and_ask_the_service_itself() -> None:
    """It runs on another thread than the requests: a pipeline of two stages ends."""
    from mirage import Mirage
    from tests.client.answers import CLASSIFICATION, URL, Answers, success

    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/classify":
            return success()
        return success(
            {"model": "m", "version": "v", "results": [CLASSIFICATION] * request.content.count(b'name="image')}
        )

    with Mirage(URL, transport=Answers(answer)) as client:
        first = (picture for picture, _ in client.classify_many([b"p"] * 20))
        second = [picture for picture, _ in client.classify_many(p for p in first if client.classify(p).model)]
        assert second == [b"p"] * 20


def test_large_pictures_that_the_service_does_not_take_fail_alone() -> None:
    """It closes the connection while they are still sent, so that the reason cannot be read."""

    async def answer(pictures: Sequence[bytes]) -> None:
        if sum(map(len, pictures)) >= LARGE_BYTES:
            raise ConnectionLost("reset")

    results = run([b"a", b"x" * LARGE_BYTES, b"c"], Service(answer))
    assert [type(result) for _, result in results] == [Classification, BadPicture, Classification]
    assert "16,000,000 bytes" in str(results[1][1])


@pytest.mark.parametrize("pictures", [[b"x" * LARGE_BYTES], [b"x" * (LARGE_BYTES // 2)] * 2])
def test_a_service_that_hangs_is_no_fault_of_a_large_picture(pictures: list[bytes]) -> None:
    async def answer(_: Sequence[bytes]) -> None:
        raise TimedOut("nothing came")

    with pytest.raises(TimedOut):
        run(pictures, Service(answer))


def test_a_program_ends_although_its_iterable_of_pictures_does_not() -> None:
    """At its exit, Python waits for some threads: not for the one on which the iterable blocks."""
    program = """
import threading
from mirage import Mirage

blocked = threading.Event()


def pictures():
    blocked.set()
    threading.Event().wait()
    yield b""


client = Mirage("http://127.0.0.1:9")
threading.Thread(target=lambda: list(client.classify_many(pictures())), daemon=True).start()
blocked.wait()
"""
    assert subprocess.run([sys.executable, "-c", program], timeout=60).returncode == 0
