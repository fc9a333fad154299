"""Answering one batch when the device runs out of memory or one of the queries fails."""

import logging
from dataclasses import dataclass

import torch

from models.pass_times import answer_batch
from models.query import Answer, Network, Query

logger = logging.getLogger(__name__)
OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "bad_alloc", "_alloc_failed")
"""What PyTorch's errors without a type of their own say: on CPUs, on Apple's GPUs, and in libraries of CUDA."""


class DoesNotFit(MemoryError):
    """A single row, or the picture that a task works on, does not fit into the device's memory."""

    def __init__(self) -> None:
        super().__init__(
            "the picture does not fit into the device's memory: send a smaller one, or ask a smaller model"
        )


@dataclass
class RowLimit:
    """The largest number of rows in a batch; it is lowered when the device runs out of memory."""

    rows: int


def answer_within_memory(network: Network, queries: list[Query], limit: RowLimit) -> list[Answer | Exception]:
    """One answer or error per query, in order.

    A batch that fails is halved and tried again, until only the query that causes the error fails. A single query with
    more rows than the limit is answered in parts.
    """
    if len(queries) == 1 and len(queries[0].pixels) > limit.rows:
        return [_answer_query_in_parts(network, queries[0], limit)]
    try:
        return [*answer_batch(network, queries)]
    except Exception as error:
        # Without its traceback, whose frames would hold the batch's memory through every retry below.
        failure = error.with_traceback(None)
    if is_out_of_memory(failure):
        return _answer_with_fewer_rows(network, queries, limit)
    if len(queries) == 1:
        return [failure]
    return _answer_batch_in_halves(network, queries, limit)


def _answer_with_fewer_rows(network: Network, queries: list[Query], limit: RowLimit) -> list[Answer | Exception]:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    rows = sum(len(query.pixels) for query in queries)
    if rows == 1:
        return [DoesNotFit()]
    limit.rows = max(1, min(limit.rows, rows // 2))
    logger.warning("out of memory with %d rows; at most %d from now on", rows, limit.rows)
    if len(queries) > 1:
        return _answer_batch_in_halves(network, queries, limit)
    return [_answer_query_in_parts(network, queries[0], limit)]


def _answer_batch_in_halves(network: Network, queries: list[Query], limit: RowLimit) -> list[Answer | Exception]:
    middle = len(queries) // 2
    first = answer_within_memory(network, queries[:middle], limit)
    return first + answer_within_memory(network, queries[middle:], limit)


def _answer_query_in_parts(network: Network, query: Query, limit: RowLimit) -> Answer | Exception:
    answers = [answer_within_memory(network, [part], limit)[0] for part in query.parts(limit.rows)]
    failure = next((answer for answer in answers if not isinstance(answer, Answer)), None)
    return failure or Answer.join([answer for answer in answers if isinstance(answer, Answer)])


def is_out_of_memory(error: Exception) -> bool:
    """Whether the error says that a batch was too large for the device, or for the machine."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return isinstance(error, RuntimeError) and any(words in text for words in OUT_OF_MEMORY)
