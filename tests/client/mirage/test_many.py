"""Many pictures at a time: their order, how many are under way, and which errors end everything."""

import asyncio
from collections.abc import Iterator

import pytest

from mirage.errors import BadPicture, KeyRefused, MirageError, NotReached, Overloaded, of_problem
from mirage.many import in_order, is_of_one_picture
from mirage.results.problem import Problem


def failure(status: int, kind: str = "a-kind") -> MirageError:
    return of_problem(Problem(f"urn:mirage:problem:{kind}", "", status, "", ""))


def run(
    pictures: "list[str] | Iterator[str]", ask: object, concurrency: int = 3, most: int | None = None
) -> list[object]:
    async def collect() -> list[object]:
        results: list[object] = []
        async for item in in_order(pictures, ask, concurrency):  # type: ignore[arg-type]
            results.append(item)
            if most is not None and len(results) == most:
                break
        return results

    return asyncio.run(collect())


def test_results_come_in_the_order_of_the_pictures() -> None:
    """The first ones take longest."""

    async def ask(picture: str) -> str:
        await asyncio.sleep(0.03 / (1 + int(picture)))
        return picture * 2

    assert run([str(number) for number in range(9)], ask) == [(str(k), str(k) * 2) for k in range(9)]


def test_no_more_requests_and_no_more_pictures_than_allowed() -> None:
    """At most 3 requests at a time, and 6 pictures beyond what was given back, however slow the first one is."""
    running, most_running, taken = 0, 0, 0
    first = asyncio.Event()

    def source() -> Iterator[str]:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield str(number)

    async def ask(picture: str) -> str:
        nonlocal running, most_running
        running += 1
        most_running = max(most_running, running)
        if picture == "0":
            await first.wait()
        else:
            await asyncio.sleep(0)
            if picture == "5":  # the last one that may begin before the first has ended
                first.set()
        running -= 1
        return picture

    assert len(run(source(), ask, most=1)) == 1
    assert (most_running, taken) == (3, 6)


def test_an_error_of_one_picture_stands_in_its_place() -> None:
    async def ask(picture: str) -> str:
        if picture == "bad":
            raise BadPicture("no file")
        return picture

    (_, first), (_, second), (_, third) = run(["a", "bad", "c"], ask)  # type: ignore[misc]
    assert (first, third) == ("a", "c") and isinstance(second, BadPicture)


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


def test_any_other_error_ends_everything_and_cancels_what_is_under_way() -> None:
    cancelled: list[str] = []

    async def ask(picture: str) -> str:
        if picture == "0":
            await asyncio.sleep(0)
            raise failure(401)
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(picture)
            raise
        return picture

    with pytest.raises(KeyRefused):
        run([str(number) for number in range(9)], ask)
    assert {"1", "2"} <= set(cancelled)


def test_leaving_the_loop_cancels_what_is_under_way() -> None:
    cancelled: list[str] = []

    async def ask(picture: str) -> str:
        try:
            await asyncio.sleep(0 if picture == "0" else 60)
        except asyncio.CancelledError:
            cancelled.append(picture)
            raise
        return picture

    assert run([str(number) for number in range(9)], ask, most=1) == [("0", "0")]
    assert "1" in cancelled and "2" in cancelled


def test_at_least_one_request_at_a_time() -> None:
    async def ask(picture: str) -> str:
        return picture

    with pytest.raises(ValueError, match="at least one"):
        run(["a"], ask, concurrency=0)
    assert isinstance(failure(503), Overloaded)
