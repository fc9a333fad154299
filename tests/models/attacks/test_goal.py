"""An attack's eye on the model: what it sees is what a file will hold."""

import torch
from torch import Tensor

from models.attacks.geometry import to_lattice
from models.attacks.goal import Best, Goal, Look
from models.classifier import Classifier
from models.preprocessing import preprocessor
from models.query import Passes, Task, run


def look_of(goal: Goal, pictures: Tensor, *, gradients: bool = True) -> Task[Look]:
    return (yield from goal.look(pictures, gradients=gradients))


def made_up(loss: list[float], won: list[bool], value: float) -> Look:
    rows = len(loss)
    pictures, logits = torch.full((rows, 3, 2, 2), value), torch.full((rows, 4), value)
    return Look(pictures, logits, torch.tensor(loss), torch.tensor(won), None)


def test_a_look_is_at_the_rounded_picture(tiny: Classifier) -> None:
    """Pictures within half a level of each other give the same look, and it carries the rounded one."""
    goal = Goal(torch.tensor([1]), True, preprocessor(tiny.spec))
    pictures = to_lattice(torch.rand(1, 3, 50, 40, generator=torch.Generator().manual_seed(0)))
    here, there = (run(look_of(goal, pictures + moved), tiny) for moved in (0.0, 0.4 / 255))
    assert torch.equal(here.pictures, there.pictures.clamp(0, 1))
    assert torch.equal(here.logits, there.logits)


def test_its_gradients_are_of_the_loss_at_the_pictures_own_size(tiny: Classifier) -> None:
    """Straight through the rounding, back through resize and crop: the loss's own gradient at the rounded picture."""
    goal = Goal(torch.tensor([1, 2]), False, preprocessor(tiny.spec))
    pictures = torch.rand(2, 3, 50, 70, generator=torch.Generator().manual_seed(0))
    look = run(look_of(goal, pictures), tiny)
    rounded = to_lattice(pictures).requires_grad_()
    loss = goal.objective(tiny.logits(preprocessor(tiny.spec)(rounded)))
    (wanted,) = torch.autograd.grad(loss.sum(), rounded)
    torch.testing.assert_close(look.loss, loss.detach(), rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(look.gradients, wanted, rtol=1e-3, atol=1e-5)


def test_what_the_crop_cuts_off_has_no_gradient(tiny: Classifier) -> None:
    """Of 36 x 72 pixels the network sees the middle 32 x 32."""
    goal = Goal(torch.tensor([1]), False, preprocessor(tiny.spec))
    look = run(look_of(goal, torch.rand(1, 3, 36, 72, generator=torch.Generator().manual_seed(0))), tiny)
    assert look.gradients is not None
    outside = torch.ones(36, 72, dtype=torch.bool)
    outside[2:34, 20:52] = False
    assert (look.gradients[..., outside] == 0).all()
    assert (look.gradients[..., ~outside] != 0).any()


def test_a_look_without_gradients_costs_one_forward_pass(tiny: Classifier) -> None:
    passes = Passes()
    goal = Goal(torch.tensor([1, 1]), False, preprocessor(tiny.spec), passes)
    assert run(look_of(goal, torch.rand(2, 3, 36, 36), gradients=False), tiny).gradients is None
    assert (passes.forward, passes.backward) == (2, 0)
    assert run(look_of(goal, torch.rand(2, 3, 36, 36)), tiny).gradients is not None
    assert (passes.forward, passes.backward) == (4, 2)


def test_the_best_is_kept_per_row() -> None:
    """A win before none whatever its loss, then the lower loss; what is equal stays."""
    best = Best(made_up([1.0, 1.0, 1.0, 1.0, 1.0], [False, False, True, True, False], 0.0))
    best.update(made_up([2.0, 0.5, 0.5, 0.1, 1.0], [True, False, False, True, False], 1.0))
    assert best.pictures[:, 0, 0, 0].tolist() == [1, 1, 0, 1, 0]
    assert best.logits[:, 0].tolist() == [1, 1, 0, 1, 0]
    torch.testing.assert_close(best.loss, torch.tensor([2.0, 0.5, 1.0, 0.1, 1.0]))
    assert best.won.tolist() == [True, False, True, True, False]


def test_a_loss_that_is_no_number_is_never_better() -> None:
    best = Best(made_up([1.0], [False], 0.0))
    best.update(made_up([float("nan")], [False], 1.0))
    assert best.pictures.max() == 0


def test_progress_tells_the_probability_of_the_goal(tiny: Classifier) -> None:
    """Targeted: the target's; untargeted: that of all but the label."""
    pictures = torch.rand(1, 3, 36, 36, generator=torch.Generator().manual_seed(0))
    for targeted in (True, False):
        goal = Goal(torch.tensor([2]), targeted, preprocessor(tiny.spec))
        look = run(look_of(goal, pictures), tiny)
        told = Best(look).progress(3, 7)
        probability = look.logits[0].softmax(dim=0)[2].item()
        assert (told.step, told.steps) == (3, 7)
        assert told.score is not None
        assert abs(told.score - (probability if targeted else 1 - probability)) < 1e-5
