"""How progress comes to whoever waits for it."""

import logging
from collections.abc import Callable
from typing import Protocol

from models.query import Progress

logger = logging.getLogger(__name__)
Listener = Callable[[Progress], None]


class Hearer(Protocol):
    """Who may have a listener."""

    listener: Listener | None


def tell(hearer: Hearer, progress: Progress) -> None:
    """Pass progress on; what the listener raises is logged, and then it hears no more."""
    if hearer.listener is None:
        return
    try:
        hearer.listener(progress)
    except Exception:
        logger.exception("a listener failed; the task goes on without it")
        hearer.listener = None
