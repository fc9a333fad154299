"""Several tasks as one task that asks their queries in shared batches, as `asyncio.gather` does with coroutines."""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from functools import partial

from models.query import Answer, DeadlineExceeded, Progress, Query, Result, Task
from models.run import Conversation, next_batch

MAX_ROWS = 32
"""Usual number of rows that a shared batch has at most; a single query may have more."""


def gather(
    tasks: Sequence[Task[Result]],
    merge_progress: Callable[[Sequence[Progress | None]], Progress],
    *,
    max_rows: int = MAX_ROWS,
) -> Task[list[Result]]:
    """Drive the tasks together and return the list of their results; a single task asks exactly its own queries.

    `merge_progress` makes one report of the latest report of each task (None for a task that has made none yet). It is
    called after each step in which a task reported. A shared batch has up to `max_rows` rows. An error of one task
    closes the others and is raised here. DeadlineExceeded is thrown into every task that has begun; it is raised here
    in the end, unless all tasks return a result.
    """
    reports: list[Progress | None] = [None] * len(tasks)
    members = [_Member(task, on_progress=partial(reports.__setitem__, number)) for number, task in enumerate(tasks)]
    not_begun = deque(members)
    overdue: DeadlineExceeded | None = None
    try:
        waiting: list[_Member[Result]] = []
        while waiting or not_begun:
            previous_reports = list(reports)
            answered: list[_Member[Result]] = []
            while _begin_for_next_batch(waiting, not_begun, max_rows):
                batch = next_batch(waiting, max_rows)
                try:
                    answer = yield Query.join([member.query for member in batch])
                except DeadlineExceeded as error:
                    overdue, max_rows = error, MAX_ROWS  # few queries are left
                    not_begun.clear()
                    answered, waiting = _expire([*waiting, *answered]), []
                    break
                assert isinstance(answer, Answer), "a query is answered by an Answer"
                parts = answer.parts([len(member.query.pixels) for member in batch])
                for member, part in zip(batch, parts, strict=True):
                    member.advance(part)
                waiting = [member for member in waiting if member not in batch]
                answered += [member for member in batch if not member.done]
            waiting = [member for member in members if member in answered]
            if any(report is not previous for report, previous in zip(reports, previous_reports, strict=True)):
                yield merge_progress(reports)
        if overdue is not None and not all(member.done for member in members):
            raise overdue
        return [member.result for member in members]
    finally:
        for member in members:
            member.close()


class _Member(Conversation[Result]):
    @property
    def batch_key(self) -> Hashable:
        """Queries with equal keys can be joined; inside one group that includes those with `apart`."""
        return self.query.objective is None, self.query.layer, self.query.within, self.query.apart


def _expire(members: list[_Member[Result]]) -> list[_Member[Result]]:
    """Throw DeadlineExceeded into the members, and return those that ask for more to return a result."""
    asking = []
    for member in members:
        try:
            member.expire()
        except DeadlineExceeded:
            continue
        if not member.done:
            asking.append(member)
    return asking


def _begin_for_next_batch(waiting: list[_Member[Result]], not_begun: deque[_Member[Result]], max_rows: int) -> bool:
    """Begin tasks until more rows wait than a batch holds; False if no task waits then.

    Not all tasks begin at once, because what they prepare takes the engine's thread from other tasks.
    """
    while not_begun and sum(len(member.query.pixels) for member in waiting) <= max_rows:
        member = not_begun.popleft()
        member.advance()
        if not member.done:
            waiting.append(member)
    return bool(waiting)
