"""Batches that do not fit, or hold a query that fails."""

import pytest
import torch

from app.engine.engine import Engine
from models.query import Answer, Query
from tests.app.doubling import Doubling, asking, hold, rows


def test_only_the_query_that_causes_an_error_fails(engine: Engine) -> None:
    """A batch with one bad row fails as a whole; its error reaches that row's owner, the other seven get answers."""

    def bad(queries: list[Query]) -> Exception | None:
        return ValueError("bad row") if any(query.pixels.max() == 3 for query in queries) else None

    network = Doubling(bad)
    hold(engine, network)
    futures = [engine.submit(asking(value=float(value)), network) for value in range(8)]
    network.may_answer.set()
    with pytest.raises(ValueError, match="bad row"):
        futures[3].result(30)
    assert [future.result(30) for k, future in enumerate(futures) if k != 3] == [[2.0 * k] for k in range(8) if k != 3]


def test_out_of_memory_halves_the_batch(engine: Engine) -> None:
    """A device that holds three rows: eight tasks, one of four rows among them, all get their answers."""

    def full(queries: list[Query]) -> Exception | None:
        return torch.OutOfMemoryError("full") if rows(queries) > 3 else None

    network = Doubling(full)
    hold(engine, network)
    futures = [engine.submit(asking(2, value=float(k), rows=4 if k == 2 else 1), network) for k in range(5)]
    network.may_answer.set()
    assert [future.result(30) for future in futures] == [[2.0 * k] * 2 for k in range(5)]
    assert engine.max_rows <= 4


def test_the_memory_of_a_failed_batch_is_freed_before_the_next_try(engine: Engine) -> None:
    """A device of eight rows whose failed batches count until Python frees them: sixteen rows go in two halves."""

    class Memory:
        held = 0

        def __init__(self, rows: int) -> None:
            self.rows = rows
            Memory.held += rows

        def __del__(self) -> None:
            Memory.held -= self.rows

    class Device(Doubling):
        def answer(self, queries: list[Query]) -> list[Answer]:
            mine = Memory(rows(queries))
            if Memory.held > 8:
                raise torch.OutOfMemoryError("full")
            assert mine.rows
            return super().answer(queries)

    network = Device()
    assert engine.submit(asking(rows=16), network).result(30) == [2.0]
    assert engine.max_rows == 8


def test_a_single_row_that_does_not_fit_fails_alone(engine: Engine) -> None:
    def full(queries: list[Query]) -> Exception | None:
        return torch.OutOfMemoryError("full") if any(query.pixels.max() == 1 for query in queries) else None

    network = Doubling(full)
    good, bad = engine.submit(asking(value=0.5), network), engine.submit(asking(value=1.0), network)
    assert good.result(30) == [1.0]
    with pytest.raises(MemoryError, match="does not fit"):
        bad.result(30)
