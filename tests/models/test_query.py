"""Tests halving queries, joining answers, counting passes, and scores that are computed only when they are read."""

from dataclasses import fields

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.attacks.objectives import log_odds
from models.classifier import Classifier
from models.query import Answer, DeadlineExceeded, LabelObjective, Passes, Progress, Query, Task, joint_losses
from models.run import run
from tests.models.echo import Echo, pixels


def test_passes_are_counted_in_rows() -> None:
    """Five rows, two of them with gradients, are 5 forward and 2 backward passes."""
    passes = Passes()

    def task() -> Task[None]:
        yield from passes.ask(Query(pixels(3)))
        yield from passes.ask(Query(pixels(2), lambda logits: logits[:, 0]))

    run(task(), Echo())
    assert (passes.forward, passes.backward) == (5, 2)


def test_a_query_that_was_not_answered_is_not_counted() -> None:
    passes = Passes()
    asking = passes.ask(Query(pixels(3)))
    next(asking)
    with pytest.raises(DeadlineExceeded):
        asking.throw(DeadlineExceeded())
    assert (passes.forward, passes.backward) == (0, 0)


def in_pieces(classifier: Classifier, query: Query) -> Answer:
    """Answer a query by halving it down to single rows, as is done when a device runs out of memory."""
    if len(query.pixels) == 1:
        (answer,) = classifier.answer([query])
        return answer
    return Answer.join([in_pieces(classifier, half) for half in query.parts((len(query.pixels) + 1) // 2)])


def test_objectives_of_one_kind_are_computed_once() -> None:
    """The losses of three queries, with a fourth between them that has none, are those that each computes alone."""
    calls = []

    def picked(logits: Tensor, labels: Tensor) -> Tensor:
        calls.append(len(logits))
        return logits.gather(1, labels.unsqueeze(1)).squeeze(1)

    first, second = LabelObjective(picked, torch.tensor([1])), LabelObjective(picked, torch.tensor([0, 2]))
    opposite = LabelObjective(picked, torch.tensor([2]), negative=True)
    values = torch.arange(15.0).reshape(5, 3).split([1, 1, 2, 1])
    losses = joint_losses([first, None, second, opposite], values)
    assert [None if part is None else part.tolist() for part in losses] == [[1.0], None, [6.0, 11.0], [-14.0]]
    assert calls == [3, 1]


@given(labels=st.lists(st.integers(0, 3), min_size=2, max_size=7), seed=st.integers(0, 1000))
def test_a_query_answered_in_pieces_has_the_same_answer(tiny: Classifier, labels: list[int], seed: int) -> None:
    """Halved down to single rows and joined, logits, losses and gradients are the same, with a label per row."""
    images = torch.rand(len(labels), 3, 32, 32, generator=torch.Generator().manual_seed(seed))
    query = Query(images, lambda logits: log_odds(logits, torch.tensor(labels)))
    (whole,) = tiny.answer([query])
    joined = in_pieces(tiny, query)
    torch.testing.assert_close(joined.logits, whole.logits, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(joined.losses, whole.losses, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(joined.gradients, whole.gradients, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize(
    ("rows", "most", "sizes"), [(5, 3, [2, 3]), (9, 4, [3, 3, 3]), (4, 4, [4]), (9, 8, [4, 5]), (3, 1, [1, 1, 1])]
)
def test_parts_are_few_and_of_nearly_equal_size(rows: int, most: int, sizes: list[int]) -> None:
    """No part is larger than allowed, and together they are the query's rows in their order."""
    query = Query(torch.arange(float(rows)).reshape(rows, 1, 1, 1).expand(rows, 3, 4, 4))
    parts = query.parts(most)
    assert [len(part.pixels) for part in parts] == sizes
    assert torch.equal(torch.cat([part.pixels for part in parts]), query.pixels)
    assert all(part.objective is None for part in parts)


def test_the_objective_of_a_part_gets_the_rows_of_that_part() -> None:
    """The losses of the two halves, joined, are those of the whole query."""
    labels = torch.tensor([0, 1, 2, 1])
    logits = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))
    first, second = Query(pixels(4), lambda rows: log_odds(rows, labels)).parts(2)
    assert first.objective is not None
    assert second.objective is not None
    halves = torch.cat([first.objective(logits[:2]), second.objective(logits[2:])])
    torch.testing.assert_close(halves, log_odds(logits, labels))


def test_joined_answers_without_gradients_have_none() -> None:
    joined = Answer.join([Answer(torch.zeros(1, 2)), Answer(torch.ones(2, 2))])
    assert joined.logits.tolist() == [[0, 0], [1, 1], [1, 1]]
    assert joined.losses is None
    assert joined.gradients is None


def test_a_report_with_success_is_otherwise_the_same() -> None:
    """Every field but `success` is taken over, so also one that is added later."""
    report = Progress(
        1,
        2,
        lambda: 0.5,
        pixels(1)[0],
        compute_eta=lambda: 3.0,
        compute_probabilities=lambda: [(1, 0.75)],
        start=lambda: pixels(1)[0],
    )
    changed = report.with_success(True)
    assert changed.success is True and report.success is None
    for field in fields(Progress):
        if field.name != "success":
            assert getattr(report, field.name) is not None, f"give {field.name} a value in this test"
            assert getattr(changed, field.name) is getattr(report, field.name)


def test_a_score_is_computed_only_when_it_is_read() -> None:
    computed: list[float] = []

    def score() -> float:
        computed.append(0.5)
        return computed[-1]

    progress = Progress(1, 2, score)
    assert not computed
    assert progress.score() == 0.5
    assert Progress(1, 2).score() is None
