"""A task inside a task: its queries and answers pass through, its progress is retold."""

from collections.abc import Callable

from models.query import Progress, Result, Task


def relay(
    task: Task[Result], retell: Callable[[Progress], Progress | None], *, until: Callable[[], bool] = lambda: False
) -> Task[Result | None]:
    """The task with its progress retold, or (None) kept quiet; what is thrown in reaches it, a deadline for one.

    It is closed, and None returned, at the first report of progress when `until` holds.
    """
    try:
        said = task.send(None)
        while True:
            told = retell(said) if isinstance(said, Progress) else said
            answer = None
            if told is not None:
                try:
                    answer = yield told
                except Exception as error:
                    said = task.throw(error)
                    continue
            if isinstance(said, Progress) and until():
                return None
            said = task.send(answer)
    except StopIteration as stop:
        result: Result = stop.value
        return result
    finally:
        task.close()
