"""The network that misbehaves while a file says so, and behaves otherwise; so the service is sent no other code."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from app.engine.batches import DoesNotFit, RowLimit, answer_within_memory
from models import store
from models.architectures import registered
from models.query import Answer, Query
from soak.faults import unruly


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(unruly.FOLDER, str(tmp_path / "planted"))
    return tmp_path / "planted"


@pytest.fixture
def model(tmp_path: Path) -> Iterator[store.Model]:
    (tmp_path / "models").mkdir()
    before = dict(registered._added)
    unruly.write_checkpoint(tmp_path / "models")
    yield store.load(unruly.NAME, folder=tmp_path / "models", device=torch.device("cpu"))
    registered._added.clear()
    registered._added.update(before)


def query(rows: int = 1) -> Query:
    return Query(torch.rand(rows, 3, 32, 32, generator=torch.Generator().manual_seed(0)))


def answer(model: store.Model, rows: int = 1) -> Answer | Exception:
    return answer_within_memory(model.classifier, [query(rows)], RowLimit(32))[0]


@pytest.mark.parametrize("fault", ["memory_error", "torch_memory"])
def test_memory_runs_out_while_the_file_is_there(model: store.Model, planted: Path, fault: str) -> None:
    """Python, or PyTorch, really finds none; the engine takes it for what it is."""
    unruly.plant(planted, fault)
    assert isinstance(answer(model), DoesNotFit)
    unruly.remove(planted, fault)
    assert isinstance(answer(model), Answer)


def test_memory_that_is_enough_for_two_rows(model: store.Model, planted: Path) -> None:
    """The same logits as with enough memory for all eight."""
    whole = answer(model, rows=8)
    unruly.plant(planted, "torch_memory", above_rows=2)
    limit = RowLimit(32)
    (parts,) = answer_within_memory(model.classifier, [query(rows=8)], limit)
    assert isinstance(whole, Answer) and isinstance(parts, Answer) and limit.rows == 2
    torch.testing.assert_close(parts.logits, whole.logits)


def test_outputs_that_are_no_numbers(model: store.Model, planted: Path) -> None:
    unruly.plant(planted, "nan")
    given = answer(model)
    assert isinstance(given, Answer) and bool(given.logits.isnan().all())


def test_the_calling_thread_ends(model: store.Model, planted: Path) -> None:
    unruly.plant(planted, "end_thread")
    with pytest.raises(SystemExit):
        answer(model)
