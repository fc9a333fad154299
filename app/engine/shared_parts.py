"""What a driver shares with its engine, and with the driver that takes its place if it fails."""

import math
import queue
from dataclasses import dataclass

from app.engine.admission import Admission
from app.engine.batches import RowLimit
from app.engine.counters import Counters
from app.engine.observer import Observer
from app.engine.outputs import OutputCheck
from app.engine.submission import Submission

Inbox = queue.SimpleQueue[Submission | None]
"""New tasks, in the order of their submission; None only wakes the driver."""


@dataclass
class Shared:
    """What a driver shares with its engine, and with the driver that takes its place if it fails."""

    inbox: Inbox
    admission: Admission
    counters: Counters
    outputs: OutputCheck
    limit: RowLimit
    threads: int
    end_at: float = math.inf
    """When all tasks are to end, on the clock of time.monotonic()."""
    observer: Observer | None = None
