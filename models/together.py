"""Several tasks as one: their queries are asked in shared batches."""

from collections.abc import Callable, Iterable, Iterator, Sequence

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
        # One after the other, as their first batch fills: what they prepare takes the thread from other tasks.
        waiting = _those((number, advance(number, None)) for number in range(len(tasks)))
        while len(results) < len(tasks):
            before, following = list(told), []
            for batch in _batches(waiting):
                answer = yield Query.join([query for _, query in batch])
                assert isinstance(answer, Answer), "a query is answered by an Answer"
                parts = answer.parts([len(query.pixels) for _, query in batch])
                following += [(number, advance(number, part)) for (number, _), part in zip(batch, parts, strict=True)]
            waiting = _those(sorted(following, key=lambda each: each[0]))
            if any(now is not then for now, then in zip(told, before, strict=True)):
                yield retell(told)
        return [results[number] for number in range(len(tasks))]
    finally:
        for task in tasks:
            task.close()


def _those(queries: Iterable[tuple[int, Query | None]]) -> Iterator[tuple[int, Query]]:
    return ((number, query) for number, query in queries if query is not None)


def _batches(waiting: Iterator[tuple[int, Query]]) -> Iterator[list[tuple[int, Query]]]:
    """Those that can be asked in one query, by number: alike in what they want, ROWS rows or a single one."""
    kinds: dict[tuple[object, ...], list[tuple[int, Query]]] = {}
    for number, query in waiting:
        kind = (query.objective is None, query.layer, query.within, query.apart)
        batch = kinds.setdefault(kind, [])
        if batch and sum(len(each.pixels) for _, each in batch) + len(query.pixels) > ROWS:
            yield batch
            batch = kinds[kind] = []
        batch.append((number, query))
    yield from kinds.values()
