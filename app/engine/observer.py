"""What the engine reports of each batch, for the metrics and the traces."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from app.telemetry.record import TaskSpan
from models.query import Network

Kind = Literal["forward", "gradients"]
"""Whether a batch needed logits alone (a forward pass) or gradients as well (a forward and a backward pass)."""


@dataclass(frozen=True)
class FinishedBatch:
    """A batch that was answered.

    `begun` and `ended` are on the clock of time.monotonic(). `not_finite` is the number of its queries whose outputs
    are no numbers. `spans` are those of its tasks; tasks of requests that are not traced have none.
    """

    network: Network
    kind: Kind
    rows: int
    begun: float
    ended: float
    not_finite: int
    spans: Sequence[TaskSpan]


Observer = Callable[[FinishedBatch], None]
"""Called on the engine's thread after each batch; it must be quick."""
