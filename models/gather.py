"""Several tasks as one task that asks their queries in shared batches, as `asyncio.gather` does with coroutines."""

from collections import deque
from collections.abc import Callable, Hashable, Sequence
from functools import partial

from models.query import Answer, Progress, Query, Result, Task
from models.run import Conversation, next_batch

MAX_ROWS = 32
"""Largest number of rows in a shared batch; a single query may have more."""


def gather(
    tasks: Sequence[Task[Result]], merge_progress: Callable[[Sequence[Progress | None]], Progress]
) -> Task[list[Result]]:
    """Drive the tasks together and return the list of their results; a single task asks exactly its own queries.

    `merge_progress` makes one report of the latest report of each task (None for a task that has made none yet). It is
    called after each step in which a task reported. An error of one task closes the others and is raised here.
    """
    reports: list[Progress | None] = [None] * len(tasks)
    members = [_Member(task, on_progress=partial(reports.__setitem__, number)) for number, task in enumerate(tasks)]
    not_begun = deque(members)
    try:
        waiting: list[_Member[Result]] = []
        while waiting or not_begun:
            previous_reports = list(reports)
            answered: list[_Member[Result]] = []
            while _begin_for_next_batch(waiting, not_begun):
                batch = next_batch(waiting, MAX_ROWS)
                answer = yield Query.join([member.query for member in batch])
                assert isinstance(answer, Answer), "a query is answered by an Answer"
                parts = answer.parts([len(member.query.pixels) for member in batch])
                for member, part in zip(batch, parts, strict=True):
                    member.advance(part)
                waiting = [member for member in waiting if member not in batch]
                answered += batch
            waiting = [member for member in members if member in answered and not member.done]
            if any(report is not previous for report, previous in zip(reports, previous_reports, strict=True)):
                yield merge_progress(reports)
        return [member.result for member in members]
    finally:
        for member in members:
            member.close()


class _Member(Conversation[Result]):
    @property
    def batch_key(self) -> Hashable:
        """Queries with equal keys can be joined; inside one group that includes those with `apart`."""
        return self.query.objective is None, self.query.layer, self.query.within, self.query.apart


def _begin_for_next_batch(waiting: list[_Member[Result]], not_begun: deque[_Member[Result]]) -> bool:
    """Begin tasks until more rows wait than a batch holds; False if no task waits then.

    Not all tasks begin at once, because what they prepare takes the engine's thread from other tasks.
    """
    while not_begun and sum(len(member.query.pixels) for member in waiting) <= MAX_ROWS:
        member = not_begun.popleft()
        member.advance()
        if not member.done:
            waiting.append(member)
    return bool(waiting)
