"""Tests batches that do not fit into memory, or contain a query that fails."""

import pytest
import torch

from app.engine.batches import DoesNotFit
from app.engine.engine import Engine
from models.query import Answer, Query
from tests.app.doubling import Doubling, asking, hold, rows


def test_only_the_query_that_causes_an_error_fails(engine: Engine) -> None:
    """A batch with a bad row fails as a whole, but only the task of that row gets the error; the others get answers."""

    def fail_on_3(queries: list[Query]) -> Exception | None:
        return ValueError("bad row") if any(query.pixels.max() == 3 for query in queries) else None

    network = Doubling(fail_on_3)
    hold(engine, network)
    futures = [engine.submit(asking(value=float(value)), network) for value in range(8)]
    network.may_answer.set()
    with pytest.raises(ValueError, match="bad row"):
        futures[3].result(30)
    assert [future.result(30) for k, future in enumerate(futures) if k != 3] == [[2.0 * k] for k in range(8) if k != 3]


def test_out_of_memory_halves_the_batch(engine: Engine) -> None:
    """The device holds three rows, and one of five tasks has four; all get their answers."""

    def fail_above_3_rows(queries: list[Query]) -> Exception | None:
        return torch.OutOfMemoryError("full") if rows(queries) > 3 else None

    network = Doubling(fail_above_3_rows)
    hold(engine, network)
    futures = [engine.submit(asking(2, value=float(k), rows=4 if k == 2 else 1), network) for k in range(5)]
    network.may_answer.set()
    assert [future.result(30) for future in futures] == [[2.0 * k] * 2 for k in range(5)]
    assert engine.max_rows <= 4


def test_the_memory_of_a_failed_batch_is_freed_before_the_next_try(engine: Engine) -> None:
    """The device holds eight rows, including those of a failed batch that Python has not freed; 16 rows are halved."""

    class Memory:
        held = 0

        def __init__(self, rows: int) -> None:
            self.rows = rows
            Memory.held += rows

        def __del__(self) -> None:
            Memory.held -= self.rows

    class Device(Doubling):
        def answer(self, queries: list[Query]) -> list[Answer]:
            memory = Memory(rows(queries))
            if Memory.held > 8:
                raise torch.OutOfMemoryError("full")
            assert memory.rows
            return super().answer(queries)

    network = Device()
    assert engine.submit(asking(rows=16), network).result(30) == [2.0]
    assert engine.max_rows == 8


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("full"),
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] err == 0. DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
        RuntimeError("std::bad_alloc"),
    ],
    ids=str,
)
def test_a_single_row_that_does_not_fit_fails_alone(engine: Engine, error: Exception) -> None:
    """However PyTorch or Python says so."""

    def fail_on_1(queries: list[Query]) -> Exception | None:
        return error if any(query.pixels.max() == 1 for query in queries) else None

    network = Doubling(fail_on_1)
    good, bad = engine.submit(asking(value=0.5), network), engine.submit(asking(value=1.0), network)
    assert good.result(30) == [1.0]
    with pytest.raises(DoesNotFit, match="does not fit"):
        bad.result(30)
