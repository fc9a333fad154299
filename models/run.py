"""Drivers of tasks: `run` and `run_all` for scripts and tests, and what the engine of the service shares with them.

Only `Conversation` sends answers to a task; only `next_batch` decides which queries the network answers together.
"""

import math
import time
from collections import deque
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from itertools import islice
from typing import Any, Generic, TypeVar, cast

from models.pass_times import answer_batch, most_rows, times_of
from models.query import GRACE, Answer, DeadlineExceeded, Network, Progress, Query, Result, Task


class Conversation(Generic[Result]):
    """A task while it is driven: it waits for the answer to its `query` until it is `done` and has a `result`.

    A query with more rows than the network answers well at once (`most_rows`) is asked in parts, one after the other:
    so a driver can answer other tasks between them. `query` is the part that is to be answered next.

    The driver calls `advance` with None to start the task and then with the answer to each query. `advance` and
    `expire` raise what the task or `on_progress` raises; after an error the driver may only call `close`.
    """

    def __init__(
        self,
        task: Task[Result],
        network: Network | None = None,
        on_progress: Callable[[Progress], None] | None = None,
    ) -> None:
        self.task = task
        self.network = network
        self.on_progress = on_progress
        self.begun = time.monotonic()
        self.deadline = math.inf
        """When the task's time is up, on the clock of time.monotonic()."""
        self.done = False
        self.times = times_of(network)
        self._parts: deque[Query] = deque()
        self._answers: list[Answer] = []  # to the parts before
        self._result: Result | None = None
        self._queries_left: int | None = None  # counted once the deadline has passed

    @property
    def query(self) -> Query:
        """The query that waits for its answer; only between the first `advance` and the end of the task."""
        assert self._parts, "a conversation that has begun and is not done has a query"
        return self._parts[0]

    @property
    def result(self) -> Result:
        """What the task returned, once it is done."""
        assert self.done, "a conversation that is not done has no result"
        return cast(Result, self._result)

    @property
    def wants_gradients(self) -> bool:
        """Whether the query has an objective, so that its answer takes a backward pass."""
        return self.query.objective is not None

    @property
    def fill(self) -> int | None:
        """How many rows a batch that begins with this query shall have at most (BatchTimes.fill); None if unknown."""
        return None if self.times is None else self.times.of(gradients=self.wants_gradients).fill

    @property
    def batch_key(self) -> Hashable:
        """Conversations with equal keys may share a batch; the key of a query with `apart` equals no other key."""
        query = self.query
        return id(self.network), query.objective is None, id(self) if query.apart else None

    def is_overdue(self, now: float) -> bool:
        """Whether the deadline has passed at a time of time.monotonic(), and `expire` has not been called yet."""
        return self._queries_left is None and now > self.deadline

    @property
    def has_expired(self) -> bool:
        """Whether the deadline has passed, so that the task may ask a few queries only."""
        return self._queries_left is not None

    def advance(self, answer: Answer | None = None) -> None:
        """Send the answer to the query (None starts the task) and take the next query or the result.

        Raises DeadlineExceeded when an expired task asks more than GRACE queries.
        """
        if answer is not None:
            self._answers.append(answer)
            self._parts.popleft()
            if self._parts:
                return
            answer = Answer.join(self._answers)
        self._resume(self.task.send, answer)

    def expire(self) -> None:
        """Throw DeadlineExceeded into the task in place of an answer; it may ask up to GRACE queries more."""
        self._queries_left = GRACE
        self._resume(self.task.throw, self._deadline_exceeded())

    def close(self) -> None:
        """Close the task: it runs its `finally` blocks, whose errors are raised."""
        self.task.close()

    def _resume(self, resume: Callable[[Any], Query | Progress], value: Answer | Exception | None) -> None:
        self._parts, self._answers = deque(), []
        try:
            message = resume(value)
            while isinstance(message, Progress):
                if self.on_progress is not None:
                    self.on_progress(message)
                message = self.task.send(None)
        except StopIteration as stop:
            self._result, self.done = stop.value, True
            return
        if not isinstance(message, Query):  # without this check, the engine would fail, and every other task with it
            raise TypeError(f"a task yields a Query or a Progress, not {type(message).__name__}")
        if self._queries_left is not None:
            self._queries_left -= 1
            if self._queries_left < 0:
                raise self._deadline_exceeded()
        most = None if self.network is None else most_rows(message, self.times)
        self._parts = deque([message] if most is None else message.parts(most))

    def _deadline_exceeded(self) -> DeadlineExceeded:
        return DeadlineExceeded(
            f"not done after {time.monotonic() - self.begun:.1f} s: ask for fewer steps, or allow more time"
        )


AnyConversation = TypeVar("AnyConversation", bound=Conversation[Any])


def next_batch(waiting: Iterable[AnyConversation], max_rows: int | None = None) -> list[AnyConversation]:
    """The first of the waiting conversations, and all later ones that may share its batch and fit into it.

    A batch has at most `max_rows` rows (None: any number), and no more than pay off, as far as that is known, unless
    the first query alone has more.
    """
    batch: list[AnyConversation] = []
    most = math.inf if max_rows is None else max_rows
    rows, key = 0, None
    for conversation in waiting:
        size = conversation.query.pixels.shape[0]  # a third of the time of len()
        if not batch:
            key = conversation.batch_key
            most = min(most, conversation.fill or most)
        elif rows + size > most or conversation.batch_key != key:
            continue
        batch.append(conversation)
        rows += size
        if rows >= most:
            break
    return batch


def run(
    task: Task[Result],
    network: Network,
    on_progress: Callable[[Progress], None] | None = None,
    *,
    deadline_s: float = math.inf,
) -> Result:
    """Drive one task alone and return its result.

    DeadlineExceeded is thrown into the task when `deadline_s` seconds have passed since its first query, and raised
    here if the task does not return a result then.
    """
    ((_, result),) = run_all([task], network, on_progress, deadline_s=deadline_s)
    return result


def run_all(
    tasks: Iterable[Task[Result]],
    network: Network,
    on_progress: Callable[[Progress], None] | None = None,
    *,
    at_once: int = 8,
    deadline_s: float = math.inf,
) -> Iterator[tuple[int, Result]]:
    """Drive many tasks, `at_once` of them in shared batches, and yield each task's number and result as it is done.

    Tasks are taken from the iterable as others end. An error of one task is raised here, and closes the others.
    `deadline_s` counts in seconds from each task's own first query. Raises ValueError if `at_once` is below 1.
    """
    if at_once < 1:
        raise ValueError(f"at_once is 1 or more, not {at_once}")
    numbered = enumerate(tasks)
    alive: dict[int, Conversation[Result]] = {}
    try:
        while True:
            room = at_once - len(alive)
            new = {number: Conversation(task, network, on_progress) for number, task in islice(numbered, room)}
            alive |= new
            for conversation in new.values():
                conversation.advance()
                conversation.deadline = time.monotonic() + deadline_s
            for number in [number for number, conversation in alive.items() if conversation.done]:
                yield number, alive.pop(number).result
            if alive:
                _answer_each(alive.values(), network)
            elif room and not new:  # without room, all that were alive have ended in the same batch
                return
    finally:
        for conversation in alive.values():
            conversation.close()


def _answer_each(conversations: Collection[Conversation[Any]], network: Network) -> None:
    """Answer the query of each conversation in as few batches as possible; queries without gradients come first."""
    waiting = sorted(conversations, key=lambda conversation: conversation.wants_gradients)
    while waiting:
        batch = next_batch(waiting)
        in_batch = set(batch)
        waiting = [conversation for conversation in waiting if conversation not in in_batch]
        answers = answer_batch(network, [conversation.query for conversation in batch])
        for conversation, answer in zip(batch, answers, strict=True):
            conversation.advance(answer)
            if not conversation.done and conversation.is_overdue(time.monotonic()):
                conversation.expire()
