"""A task inside a task: queries and answers pass through, reports of progress are changed or left out."""

from collections.abc import Callable

from models.query import Progress, Result, Task


def relay(
    task: Task[Result],
    change_progress: Callable[[Progress], Progress | None],
    *,
    before_report: Callable[[], Task[None]] | None = None,
    until: Callable[[], bool] = lambda: False,
) -> Task[Result | None]:
    """The task with its progress changed by `change_progress`, which returns None to leave a report out.

    What is thrown in, such as DeadlineExceeded, is thrown into the task. Before a report is passed on, the task that
    `before_report` returns is run to its end. After it `until` is called: when it returns True the task is closed and
    None is returned.
    """
    try:
        message = task.send(None)
        while True:
            if isinstance(message, Progress) and before_report is not None:
                yield from before_report()
            outgoing = change_progress(message) if isinstance(message, Progress) else message
            answer = None
            if outgoing is not None:
                try:
                    answer = yield outgoing
                except Exception as error:
                    message = task.throw(error)
                    continue
            if isinstance(message, Progress) and until():
                return None
            message = task.send(answer)
    except StopIteration as stop:
        result: Result = stop.value
        return result
    finally:
        task.close()
