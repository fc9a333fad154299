"""One batch through a network that may run out of memory or hold a query that fails."""

import logging
from dataclasses import dataclass

import torch

from models.query import Answer, Network, Query

logger = logging.getLogger(__name__)


class DoesNotFit(MemoryError):
    """A single row is more than the device can hold."""


@dataclass
class Patient:
    """How many rows the device takes at once, as found so far."""

    max_rows: int


def answer_within_memory(network: Network, queries: list[Query], patient: Patient) -> list[Answer | Exception]:
    """One answer or error per query, in order: what fails is halved until only the culprit fails."""
    rows = sum(len(query.pixels) for query in queries)
    try:
        return list(network.answer(queries))
    except Exception as error:
        if is_out_of_memory(error):
            return _with_less(network, queries, patient, rows, error)
        if len(queries) == 1:
            return [error]
        return _in_halves(network, queries, patient)


def _with_less(
    network: Network, queries: list[Query], patient: Patient, rows: int, error: Exception
) -> list[Answer | Exception]:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    if rows > 1:
        patient.max_rows = max(1, min(patient.max_rows, rows // 2))
        logger.warning("out of memory with %d rows; at most %d from now on", rows, patient.max_rows)
    if len(queries) > 1:
        return _in_halves(network, queries, patient)
    if rows > 1:
        return [_asked_in_halves(network, queries[0], patient)]
    failure = DoesNotFit("the picture does not fit into the device's memory: try a smaller model or another device")
    failure.__cause__ = error
    return [failure]


def _in_halves(network: Network, queries: list[Query], patient: Patient) -> list[Answer | Exception]:
    middle = len(queries) // 2
    first = answer_within_memory(network, queries[:middle], patient)
    return first + answer_within_memory(network, queries[middle:], patient)


def _asked_in_halves(network: Network, query: Query, patient: Patient) -> Answer | Exception:
    parts = [answer_within_memory(network, [half], patient)[0] for half in query.halves()]
    first, second = parts
    if isinstance(first, Answer) and isinstance(second, Answer):
        return Answer.join(first, second)
    return next(part for part in parts if not isinstance(part, Answer))


def is_out_of_memory(error: Exception) -> bool:
    """Whether an error is the device's way to say that a batch was too large; the CPU's has no type of its own."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
