"""Tests the goal of an attack, which queries the model, and the best result so far."""

from dataclasses import replace

import pytest
import torch

from models.attacks.geometry import by, to_lattice
from models.attacks.goal import Best, Goal, Look
from models.attacks.objectives import log_odds, margin
from models.classifier import Classifier
from models.preprocessing import preprocessor
from models.query import Passes
from models.run import run


def make_look(loss: list[float], won: list[bool], value: float) -> Look:
    rows = len(loss)
    pictures, logits = torch.full((rows, 3, 2, 2), value), torch.full((rows, 4), value)
    return Look(pictures, logits, torch.tensor(loss), torch.zeros(rows), torch.tensor(won), None)


def make_goal(rows: int) -> Goal:
    return Goal(torch.zeros(rows, dtype=torch.int64), False, lambda pixels: pixels)


def test_gradients_are_those_of_the_loss_at_the_size_of_the_picture(tiny: Classifier) -> None:
    """They pass through resize and crop and agree with autograd, targeted or not, for every score."""
    pictures = torch.rand(2, 3, 50, 70, generator=torch.Generator().manual_seed(0))
    for targeted, score in ((False, log_odds), (True, log_odds), (True, margin)):
        goal = Goal(torch.tensor([1, 2]), targeted, preprocessor(tiny.spec))
        look = run(goal.look(pictures, score=score), tiny)
        leaf = pictures.clone().requires_grad_()
        loss = score(tiny.logits(preprocessor(tiny.spec)(leaf)), goal.labels) * (-1 if targeted else 1)
        (expected,) = torch.autograd.grad(loss.sum(), leaf)
        torch.testing.assert_close(look.loss, loss.detach(), rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(look.gradients, expected, rtol=1e-3, atol=1e-5)


def test_the_goal_must_be_reached_in_every_view(tiny: Classifier) -> None:
    """Loss and gradients are means over the views, the lead is the smallest, and the logits are those of the first."""
    pictures = torch.rand(2, 3, 36, 36, generator=torch.Generator().manual_seed(0))
    dark, bright = (lambda x: 0.3 * x), (lambda x: 0.5 + 0.5 * x)
    labels = torch.tensor([1, 2])
    goal = Goal(labels, True, preprocessor(tiny.spec), views=(dark, bright))
    dark_look, bright_look = (
        run(Goal(labels, True, preprocessor(tiny.spec), views=(view,)).look(pictures), tiny) for view in (dark, bright)
    )
    look = run(goal.look(pictures), tiny)
    torch.testing.assert_close(look.loss, (dark_look.loss + bright_look.loss) / 2)
    torch.testing.assert_close(look.gradients, (dark_look.gradients + bright_look.gradients) / 2)
    torch.testing.assert_close(look.lead, torch.minimum(dark_look.lead, bright_look.lead))
    torch.testing.assert_close(look.logits, dark_look.logits)
    assert goal.passes.forward == goal.passes.backward == 4


def test_the_model_is_asked_about_rounded_pictures(tiny: Classifier) -> None:
    """In every view; the gradients pass straight through the rounding, and the look keeps the pictures unrounded."""
    pictures = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    for views in ((), (lambda x: x, lambda x: 0.3 * x)):
        goal = Goal(torch.tensor([1, 2]), False, preprocessor(tiny.spec), views=views)
        look = run(replace(goal, rounds=True).look(pictures), tiny)
        expected = run(goal.look(to_lattice(pictures)), tiny)
        assert torch.equal(look.pictures, pictures)
        torch.testing.assert_close(look.loss, expected.loss)
        torch.testing.assert_close(look.gradients, expected.gradients)


def test_confidence_is_the_lead_needed_to_win(tiny: Classifier) -> None:
    pictures = torch.rand(1, 3, 36, 36, generator=torch.Generator().manual_seed(0))
    lead = run(Goal(torch.tensor([3]), False, preprocessor(tiny.spec)).look(pictures), tiny).lead.item()
    for confidence in (lead - 0.01, lead + 0.01):
        goal = Goal(torch.tensor([3]), False, preprocessor(tiny.spec), confidence=confidence)
        assert run(goal.look(pictures), tiny).won.item() == (lead > confidence)


def test_gradients_are_zero_outside_the_mask(tiny: Classifier) -> None:
    mask = torch.zeros(1, 1, 36, 36)
    mask[..., 5:20, 10:30] = 1
    goal = Goal(torch.tensor([1]), False, preprocessor(tiny.spec), mask=mask)
    look = run(goal.look(torch.rand(1, 3, 36, 36, generator=torch.Generator().manual_seed(0))), tiny)
    assert ((look.gradients != 0).any(dim=1, keepdim=True) <= (mask != 0)).all()
    assert look.gradients.any()


def test_gradients_are_zero_outside_the_crop(tiny: Classifier) -> None:
    """Of 36 x 72 pixels, preprocessing crops the middle 32 x 32."""
    goal = Goal(torch.tensor([1]), False, preprocessor(tiny.spec))
    look = run(goal.look(torch.rand(1, 3, 36, 72, generator=torch.Generator().manual_seed(0))), tiny)
    outside = torch.ones(36, 72, dtype=torch.bool)
    outside[2:34, 20:52] = False
    assert (look.gradients[..., outside] == 0).all()
    assert (look.gradients[..., ~outside] != 0).any()


def test_a_look_without_gradients_costs_one_forward_pass(tiny: Classifier) -> None:
    passes = Passes()
    goal = Goal(torch.tensor([1, 1]), False, preprocessor(tiny.spec), passes)
    assert run(goal.look(torch.rand(2, 3, 36, 36), gradients=False), tiny).optional_gradients is None
    assert (passes.forward, passes.backward) == (2, 0)
    assert run(goal.look(torch.rand(2, 3, 36, 36)), tiny).optional_gradients is not None
    assert (passes.forward, passes.backward) == (4, 2)


def test_the_best_result_is_tracked_per_row() -> None:
    """A success beats a failure of any loss, then the lower loss counts; at equality the old result stays."""
    best = Best(
        make_goal(5),
        torch.zeros(5, 3, 2, 2),
        make_look([1.0, 1.0, 1.0, 1.0, 1.0], [False, False, True, True, False], 0.0),
    )
    better = best.update(make_look([2.0, 0.5, 0.5, 0.1, 1.0], [True, False, False, True, False], 1.0))
    assert better == [True, True, False, True, False]
    assert best.pictures[:, 0, 0, 0].tolist() == [1, 1, 0, 1, 0]
    assert best.logits[:, 0].tolist() == [1, 1, 0, 1, 0]
    torch.testing.assert_close(best.loss, torch.tensor([2.0, 0.5, 1.0, 0.1, 1.0]))
    assert best.won.tolist() == [True, False, True, True, False]


def test_with_a_measure_the_smaller_success_is_better() -> None:
    """A success beats a failure; between successes the smaller change counts, between failures the lower loss."""
    start = torch.zeros(4, 3, 2, 2)
    best = Best(make_goal(4), start, make_look([1.0] * 4, [False] * 4, 0.0), measure=by("linf"))
    best.update(make_look([1.0, 1.0, 0.5, 1.0], [True, True, False, False], 0.5))
    assert best.size.tolist() == [0.5, 0.5, torch.inf, torch.inf]
    best.update(make_look([9.0, 0.1, 9.0, 9.0], [True, False, True, False], 0.25))
    assert best.size.tolist() == [0.25, 0.5, 0.25, torch.inf]
    best.update(make_look([0.0] * 4, [True] * 4, 0.75))
    assert best.size.tolist() == [0.25, 0.5, 0.25, 0.75]
    assert best.pictures[:, 0, 0, 0].tolist() == [0.25, 0.5, 0.25, 0.75]


def test_a_branch_ignores_later_results_and_passes_on_its_own() -> None:
    """In row 0 the branch does not know the 0.25 of the other attack; in row 1 both know the branch's own 0.5."""
    start = torch.zeros(2, 3, 2, 2)
    best = Best(make_goal(2), start, make_look([1.0] * 2, [False] * 2, 0.0), measure=by("linf"))
    branch = best.branch()
    best.update(make_look([1.0] * 2, [True, False], 0.25))
    assert branch.size.tolist() == [torch.inf, torch.inf]
    branch.update(make_look([1.0] * 2, [True, True], 0.5))
    assert branch.size.tolist() == [0.5, 0.5]
    assert best.size.tolist() == [0.25, 0.5]
    report = branch.progress(1, 2)
    assert torch.equal(report.render(), best.pictures[0])
    assert torch.equal(report.render_start(), start[0])


def test_after_rescoring_the_new_loss_counts() -> None:
    """A loss of 0.9 beats the old loss of 1 but not the rescored one of 0.5."""
    best = Best(make_goal(1), torch.zeros(1, 3, 2, 2), make_look([1.0], [False], 0.0))
    best.rescore(make_look([0.5], [False], 0.0))
    assert best.update(make_look([0.9], [False], 1.0)) == [False]
    assert best.update(make_look([0.4], [False], 1.0)) == [True]


def test_a_nan_loss_is_never_better() -> None:
    best = Best(make_goal(1), torch.zeros(1, 3, 2, 2), make_look([1.0], [False], 0.0))
    best.update(make_look([float("nan")], [False], 1.0))
    assert best.pictures.max() == 0


def test_progress_reports_the_probability_of_the_goal(tiny: Classifier) -> None:
    """Targeted it is the probability of the target, untargeted that of all classes but the label."""
    pictures = torch.rand(1, 3, 36, 36, generator=torch.Generator().manual_seed(0))
    for targeted in (True, False):
        goal = Goal(torch.tensor([2]), targeted, preprocessor(tiny.spec))
        look = run(goal.look(pictures), tiny)
        report = Best(goal, pictures, look).progress(3, 7)
        probability = look.logits[0].softmax(dim=0)[2].item()
        assert (report.step, report.steps) == (3, 7)
        assert report.score() is not None
        assert abs(report.score() - (probability if targeted else 1 - probability)) < 1e-5


def test_progress_names_five_classes_and_that_of_the_goal() -> None:
    """Of eight classes with the odds 8, 1, 7, 2, 6, 3, 5, 4 the best five are 0, 2, 4, 6, 7; class 1 comes sixth."""
    odds = torch.tensor([8.0, 1, 7, 2, 6, 3, 5, 4])
    pictures = torch.zeros(2, 3, 2, 2)
    logits = torch.stack((odds.log(), torch.zeros(8)))  # the second row is not reported
    look = Look(pictures, logits, torch.zeros(2), torch.zeros(2), torch.zeros(2, dtype=torch.bool), None)
    for label, indices in ((1, [0, 2, 4, 6, 7, 1]), (6, [0, 2, 4, 6, 7])):
        for targeted in (True, False):
            goal = Goal(torch.tensor([label, 3]), targeted, lambda pixels: pixels)
            probabilities = Best(goal, pictures, look).progress(1, 2).probabilities()
            assert probabilities is not None
            assert [index for index, _ in probabilities] == indices
            expected = [odds[index].item() / 36 for index in indices]
            assert [probability for _, probability in probabilities] == pytest.approx(expected)
