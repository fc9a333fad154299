"""Tests the questions to other models: a model that fails or is slow does not affect the answers of the others."""

import asyncio
from concurrent.futures import Future
from types import SimpleNamespace

import pytest

from app.web.second_opinions import ModelTasks, second_opinions
from models.query import Task


def task(number: int) -> Task[int]:
    """Return a stand-in for a task; the fake service answers it by its number."""
    return number  # type: ignore[return-value]


class Service:
    """Answers a task with ten times its number at once; the tasks in `broken` fail, and those in `slow` never end."""

    def __init__(self, broken: frozenset[int] = frozenset(), slow: frozenset[int] = frozenset()) -> None:
        self.broken, self.slow = broken, slow
        self.futures: dict[int, Future[int]] = {}

    @property
    def engine(self) -> "Service":
        return self

    def submit(self, number: int, network: object, *, deadline_s: float, sequel: bool) -> "Future[int]":
        assert sequel, "a task is admitted even when the service is full"
        future = self.futures[number] = Future()
        if number in self.broken:
            future.set_exception(RuntimeError("out of order"))
        elif number not in self.slow:
            future.set_result(10 * number)
        return future


def model_tasks(name: str, *numbers: int) -> ModelTasks[int]:
    return ModelTasks(SimpleNamespace(name=name, classifier=None), [task(number) for number in numbers])  # type: ignore[arg-type]


def ask(service: Service, *tasks_by_model: ModelTasks[int]) -> list[list[int] | None]:
    async def run() -> list[list[int] | None]:
        answers = await second_opinions(service, tasks_by_model)  # type: ignore[arg-type]
        await asyncio.sleep(0)  # a cancellation reaches the futures of the engine in the next turn of the loop
        return answers

    return asyncio.run(run())


def test_every_model_answers_in_the_order_of_the_questions() -> None:
    assert ask(Service(), model_tasks("a", 2, 1), model_tasks("b"), model_tasks("c", 3)) == [[20, 10], [], [30]]


def test_without_questions_there_are_no_answers() -> None:
    assert ask(Service()) == []


def test_a_model_that_fails_has_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    """The other models answer, and the reason is logged."""
    service = Service(broken=frozenset([2]))
    assert ask(service, model_tasks("a", 1, 2, 3), model_tasks("b", 4)) == [None, [40]]
    assert "a could not be asked" in caplog.text and "out of order" in caplog.text
    assert "b could not be asked" not in caplog.text


def test_a_model_that_is_slow_has_no_answer(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """The time limit is for all models together; unfinished tasks are cancelled."""
    monkeypatch.setattr("app.web.second_opinions.TIMEOUT_S", 0.05)
    service = Service(slow=frozenset([2, 4, 5]))
    assert ask(service, model_tasks("a", 1, 2), model_tasks("b", 3), model_tasks("c", 4, 5)) == [None, [30], None]
    assert [number for number, future in service.futures.items() if future.cancelled()] == [2, 4, 5]
    assert "a could not be asked" in caplog.text and "c could not be asked" in caplog.text


def test_a_model_that_refuses_a_task_has_no_answer(caplog: pytest.LogCaptureFixture) -> None:
    """This happens while the service shuts down."""

    class Closed(Service):
        def submit(self, number: int, network: object, *, deadline_s: float, sequel: bool) -> "Future[int]":
            if number == 2:
                raise RuntimeError("no new work")
            return super().submit(number, network, deadline_s=deadline_s, sequel=sequel)

    service = Closed(slow=frozenset([1]))
    assert ask(service, model_tasks("a", 1, 2), model_tasks("b", 3)) == [None, [30]]
    assert service.futures[1].cancelled() and "no new work" in caplog.text


def test_cancelling_the_wait_cancels_all_tasks() -> None:
    service = Service(slow=frozenset([1, 2]))

    async def leave() -> None:
        waiting = asyncio.ensure_future(second_opinions(service, [model_tasks("a", 1), model_tasks("b", 2)]))  # type: ignore[arg-type]
        while len(service.futures) < 2:
            await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(0)

    asyncio.run(leave())
    assert all(future.cancelled() for future in service.futures.values())
