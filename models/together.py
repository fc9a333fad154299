"""Several tasks as one: their queries are asked in shared batches."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from models.query import Answer, Progress, Query, Result, Task

ROWS = 32
"""Rows that are asked about at once, unless a single query has more."""


def together(
    tasks: Sequence[Task[Result]], retell: Callable[[Sequence[Progress | None]], Progress]
) -> Task[list[Result]]:
    """Drive the tasks side by side, in step, to the list of their results; a lone one asks what it asks by itself.

    `retell` makes one report of the latest that each has told. What one raises closes the others and is raised here.
    """
    told: list[Progress | None] = [None] * len(tasks)
    results: dict[int, Result] = {}

    def advance(number: int, answer: Answer | None) -> Query | None:
        """Send one task its answer; the query that it goes on with, or None where it is done."""
        try:
            said = tasks[number].send(answer)
            while isinstance(said, Progress):
                told[number] = said
                said = tasks[number].send(None)
            return said
        except StopIteration as stop:
            results[number] = stop.value
            return None

    try:
        waiting = _those(advance(number, None) for number in range(len(tasks)))
        while waiting:
            asked: dict[int, Query | None] = {}
            before = list(told)
            for numbers in _batches(waiting):
                queries = [waiting[number] for number in numbers]
                answer = yield Query.join(queries)
                assert isinstance(answer, Answer), "a query is answered by an Answer"
                parts = answer.parts([len(query.pixels) for query in queries])
                asked |= {number: advance(number, part) for number, part in zip(numbers, parts, strict=True)}
            waiting = {number: query for number, query in sorted(asked.items()) if query is not None}
            if any(now is not then for now, then in zip(told, before, strict=True)):
                yield retell(told)
        return [results[number] for number in range(len(tasks))]
    finally:
        for task in tasks:
            task.close()


def _those(queries: Iterator[Query | None]) -> dict[int, Query]:
    return {number: query for number, query in enumerate(queries) if query is not None}


def _batches(waiting: Mapping[int, Query]) -> Iterator[list[int]]:
    """The numbers of those that can be asked in one query: alike in what they want, ROWS rows or a single one."""
    kinds: dict[tuple[object, ...], list[int]] = {}
    for number, query in waiting.items():
        kinds.setdefault((query.objective is None, query.layer, query.within, query.apart), []).append(number)
    for numbers in kinds.values():
        batch: list[int] = []
        rows = 0
        for number in numbers:
            size = len(waiting[number].pixels)
            if batch and rows + size > ROWS:
                yield batch
                batch, rows = [], 0
            batch.append(number)
            rows += size
        yield batch
