"""A task inside a task: its queries, their answers and its reports of progress pass through, or are changed."""

from collections.abc import Callable

from models.query import Answer, Progress, Query, Result, Task


def relay(
    task: Task[Result],
    change_progress: Callable[[Progress], Progress | None],
    *,
    change_query: Callable[[Query], Query] = lambda query: query,
    change_answer: Callable[[Answer], Answer] = lambda answer: answer,
    before_report: Callable[[], Task[None]] | None = None,
    until: Callable[[], bool] = lambda: False,
) -> Task[Result | None]:
    """The task with its progress changed by `change_progress`, which returns None to leave a report out.

    Each query passes through `change_query`, and its answer through `change_answer`.

    What is thrown in, such as DeadlineExceeded, is thrown into the task. Before a report is passed on, the task that
    `before_report` returns is run to its end. After it `until` is called: when it returns True the task is closed and
    None is returned.
    """
    try:
        message = task.send(None)
        while True:
            if isinstance(message, Progress) and before_report is not None:
                yield from before_report()
            outgoing: Query | Progress | None = (
                change_progress(message) if isinstance(message, Progress) else change_query(message)
            )
            answer = None
            if outgoing is not None:
                try:
                    answer = yield outgoing
                except Exception as error:
                    message = task.throw(error)
                    continue
            if isinstance(message, Progress) and until():
                return None
            message = task.send(None if answer is None else change_answer(answer))
    except StopIteration as stop:
        result: Result = stop.value
        return result
    finally:
        task.close()
