"""Finds networks whose outputs are no numbers (NaN or infinite)."""

from collections.abc import Callable, Sequence
from weakref import WeakKeyDictionary

import torch

from models.query import Answer, Network

Report = Callable[[Network, int], None]
"""Called on the engine's thread with a network whose latest outputs are no numbers, and the number of its batches in a
row of which that is true."""


class NotFinite(RuntimeError):
    """The network's output for a picture is no number."""

    def __init__(self) -> None:
        super().__init__(
            "the model's output for this picture is not a number (NaN or infinite), so that there is no result: tell "
            "the operator of the service, or ask another model (GET /models lists them)"
        )


class OutputCheck:
    """Replaces answers whose logits are not finite by an error, and reports their network."""

    def __init__(self, report: Report | None) -> None:
        self._report = report
        self._in_a_row: WeakKeyDictionary[Network, int] = WeakKeyDictionary()

    def check(self, network: Network, answers: Sequence[Answer | Exception]) -> list[Answer | Exception]:
        """The answers of one batch; those with logits that are not finite are replaced by NotFinite."""
        given = [answer for answer in answers if isinstance(answer, Answer)]
        if not given:
            return list(answers)
        # One check for the batch: on an accelerator each of them waits for the device.
        if _finite(torch.cat([answer.logits for answer in given])):
            self._in_a_row.pop(network, None)
            return list(answers)
        count = self._in_a_row[network] = self._in_a_row.get(network, 0) + 1
        if self._report is not None:
            self._report(network, count)
        return [answer if _is_error_or_finite(answer) else NotFinite() for answer in answers]


def _is_error_or_finite(answer: Answer | Exception) -> bool:
    return isinstance(answer, Exception) or _finite(answer.logits)


def _finite(logits: torch.Tensor) -> bool:
    return bool(torch.isfinite(logits).all())
