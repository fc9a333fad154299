"""A task that is watched while it runs: its progress, and then its result."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable, Iterator
from typing import Any, Generic, Self, TypeVar

from mirage.background import Background
from mirage.calls import Call
from mirage.connection import EVENTS, Connection
from mirage.errors import BadOption, ConnectionLost, of_problem
from mirage.events import Event, EventReader
from mirage.problem import Problem
from mirage.results.reading import parse, read
from mirage.results.shared import ProgressEvent

Result = TypeVar("Result")


class AsyncSteps(Generic[Result]):
    """The progress of a task: `async with` begins it, `async for` gives each step, `result` is there at the end.

    Leaving the block before the end closes the connection, and the service drops the task.
    """

    def __init__(self, connection: Connection, make_call: Callable[[], Call[Result]]) -> None:
        self._connection, self._make_call = connection, make_call
        self._call: Call[Result] | None = None
        self._events: AsyncGenerator[Event, None] | None = None
        self._result: Result | None = None
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._call = await asyncio.to_thread(self._make_call)  # it reads the picture
        response = await self._stack.enter_async_context(self._connection.response(self._call, EVENTS))
        self._events = self._read(self._connection.pieces(response))
        return self

    async def __aexit__(self, *_: object) -> None:
        events, self._events = self._events, None
        if events is not None:
            # It still runs if the wait for it was interrupted twice; it ends with the response.
            with contextlib.suppress(RuntimeError):
                await events.aclose()
        await self._stack.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ProgressEvent:
        """The next step. Raises the errors of `mirage.errors` where the task fails or the connection ends."""
        if self._result is not None:
            raise StopAsyncIteration
        if self._events is None or self._call is None:
            raise BadOption("the task has not begun or was left: use `with ... as steps`, and its steps inside it")
        async for event in self._events:
            if event.kind == "progress":
                return await asyncio.to_thread(read, ProgressEvent, self._parsed(event))
            if event.kind == "problem":
                raise of_problem(read(Problem, self._parsed(event)))
            if event.kind == "result":
                # On another thread, as are previews: it decodes pictures.
                self._result = await asyncio.to_thread(self._call.result, self._parsed(event))
                raise StopAsyncIteration
        raise ConnectionLost("the connection ended before the result: start the task again")

    async def finish(self) -> Result:
        """Wait for the end of the task and return its result, without a look at the steps that are left."""
        async for _ in self:
            pass
        return self.result

    @property
    def result(self) -> Result:
        """The result. Raises BadOption before the last step."""
        if self._result is None:
            raise BadOption("the task has not ended: go through all of its steps, or call finish()")
        return self._result

    def _parsed(self, event: Event) -> object:
        return parse(event.data, str(self._connection.address))

    async def _read(self, pieces: AsyncGenerator[bytes, None]) -> AsyncGenerator[Event, None]:
        reader = EventReader()
        async with contextlib.aclosing(pieces):
            async for piece in pieces:
                for event in reader.feed(piece):
                    yield event


class Steps(Generic[Result]):
    """The progress of a task: `with` begins it, `for` gives each step, `result` is there at the end.

    Leaving the block before the end closes the connection, and the service drops the task.
    """

    def __init__(self, background: Background, steps: AsyncSteps[Result]) -> None:
        self._background, self._steps = background, steps

    def __enter__(self) -> Self:
        self._background.run(self._steps.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._background.finish(self._steps.__aexit__())

    def __iter__(self) -> Iterator[ProgressEvent]:
        return self

    def __next__(self) -> ProgressEvent:
        """The next step. Raises the errors of `mirage.errors` where the task fails or the connection ends."""
        step = self._background.run(_next(self._steps))
        if step is None:
            raise StopIteration
        return step

    def finish(self) -> Result:
        """Wait for the end of the task and return its result, without a look at the steps that are left."""
        return self._background.run(self._steps.finish())

    @property
    def result(self) -> Result:
        """The result. Raises BadOption before the last step."""
        return self._steps.result


async def _next(steps: AsyncSteps[Any]) -> ProgressEvent | None:
    """The next step, or None at the end: StopAsyncIteration cannot leave a task."""
    return await anext(steps, None)
