"""The listeners that hear of a task's progress."""

import logging
from collections.abc import Callable

from models.query import Progress

logger = logging.getLogger(__name__)
Listener = Callable[[Progress], None]


class GuardedListener:
    """Calls a listener until it raises: the error is logged, and the listener is not called again.

    A task must not fail because somebody who watches it does.
    """

    def __init__(self, listener: Listener) -> None:
        self._listener: Listener | None = listener

    def __call__(self, progress: Progress) -> None:
        """Pass the progress on to the listener, unless it has failed before."""
        if self._listener is None:
            return
        try:
            self._listener(progress)
        except Exception:
            logger.exception("a listener failed; the task goes on without it")
            self._listener = None
