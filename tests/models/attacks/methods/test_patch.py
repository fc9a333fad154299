"""Tests the patch attack: the best square of linear models is known, and on a network it beats untrained squares."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from models.attacks.geometry import to_lattice
from models.attacks.goal import Best, Goal, Patch
from models.attacks.methods.patch import TRIALS, patch
from models.attacks.methods.placement import PlacedSquares, Placement, PlacementArea
from models.classifier import Classifier
from models.preprocessing import preprocessor
from models.query import DeadlineExceeded, Network, Progress, Query, Task
from models.run import run
from tests.networks import Counting, LinearNetwork, unnormalised

SIDE = 16
OnProgress = Callable[[Progress], None]


def train_patch(
    network: Network,
    pictures: Tensor,
    labels: Tensor,
    on_progress: OnProgress | None = None,
    *,
    targeted: bool = False,
    mask: Tensor | None = None,
    **options: object,
) -> tuple[Best, Patch]:
    """Train at the model's input size; return the best pictures of the batch and the patch of the first row."""
    goal = Goal(labels, targeted, lambda pixels: pixels, mask=mask)

    def task() -> Task[tuple[Best, Patch]]:
        best = Best(goal, pictures, (yield from goal.look(pictures, gradients=False)))
        yield from patch(pictures, goal, best, **options)
        assert best.patch is not None
        return best, best.patch

    return run(task(), network, on_progress)


def two_classes(weight: Tensor) -> Classifier:
    """Return a linear model whose logits are plus and minus `weight` times the pixels."""
    network = LinearNetwork(2, SIDE)
    network.layer.weight.data.copy_(torch.stack([weight.flatten(), -weight.flatten()]))
    network.layer.bias.data.zero_()
    return Classifier(network, unnormalised(2, SIDE))


def greys(rows: int) -> Tensor:
    return to_lattice(0.4 + 0.2 * torch.rand(rows, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("targeted", [False, True])
def test_a_square_of_full_size_follows_the_sign_of_the_weights(targeted: bool) -> None:
    """It has a single place; away from class 0, or towards class 1, is black where weights are positive, else white."""
    weight = torch.randn(3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([1 if targeted else 0])
    best, trained_patch = train_patch(
        two_classes(weight), greys(1), labels, targeted=targeted, size=1.0, steps=20, samples=1, jitter=False
    )
    assert torch.equal(trained_patch.square, 255 * (weight < 0).to(torch.uint8))
    assert torch.equal(best.pictures[0], (weight < 0).float())
    assert best.won.all()
    assert trained_patch.success_rate == 1.0


def test_a_square_of_random_places_follows_constant_weights() -> None:
    """Weights are the same everywhere: red and green count for class 0 and blue against it, with and without jitter."""
    weight = torch.tensor([1.0, 0.3, -0.5]).reshape(3, 1, 1).expand(3, SIDE, SIDE)
    for jitter in (False, True):
        _, trained_patch = train_patch(
            two_classes(weight), greys(1), torch.tensor([0]), steps=40, size=0.5, jitter=jitter
        )
        # Values brightened past white have no gradient, so with jitter they may stop below 255.
        assert (trained_patch.square[:2] == 0).all()
        assert (trained_patch.square[2] >= (200 if jitter else 255)).all()


def test_the_square_is_placed_where_the_lead_is_largest() -> None:
    """The model only reads the lower right corner, so the best picture has the square exactly there."""
    weight = torch.zeros(3, SIDE, SIDE)
    weight[:, 8:, 8:] = 1
    best, trained_patch = train_patch(
        two_classes(weight), greys(1), torch.tensor([0]), size=0.5, steps=40, jitter=False
    )
    expected = greys(1)[0]
    expected[:, 8:, 8:] = trained_patch.square / 255
    assert torch.equal(best.pictures[0], expected)
    assert torch.equal(to_lattice(best.pictures), best.pictures)


def test_a_trained_square_beats_random_and_black_squares(tiny: Classifier, small_pictures: Tensor) -> None:
    """Success rates are means over ten pictures with sixteen random placements each."""
    rates = []
    for row in range(10):
        picture = small_pictures[row : row + 1]
        label = tiny.logits(picture).argmax(dim=1)
        _, trained_patch = train_patch(tiny, picture, label, size=0.6, steps=30)
        random = torch.Generator().manual_seed(row)
        goal = Goal(label.repeat(TRIALS), False, lambda pixels: pixels)
        area = PlacementArea.of(picture, goal, 0.6)
        untrained_squares = [
            torch.rand(1, 3, area.side, area.side, generator=random),
            torch.zeros(1, 3, area.side, area.side),
        ]
        untrained = [
            PlacedSquares(picture, square, area.random(TRIALS, random, jitter=True)).pictures
            for square in untrained_squares
        ]
        untrained_rates = [
            (tiny.logits(pictures).argmax(dim=1) != label).float().mean().item() for pictures in untrained
        ]
        rates.append((trained_patch.success_rate, *untrained_rates))
    trained_rate, noise_rate, black_rate = torch.tensor(rates).mean(dim=0).tolist()
    assert trained_rate > 0.5
    assert trained_rate > 0.2 + max(noise_rate, black_rate)


@pytest.mark.parametrize(
    ("options", "backward", "forward"),
    [
        ({"steps": 7}, 28, 28 + 9 + 16),
        ({"steps": 5, "samples": 3}, 15, 15 + 9 + 16),
        ({"steps": 3, "samples": 20}, 60, 60 + 9 + 16),
        ({"steps": 2, "size": 1.0}, 8, 8 + 1 + 16),
    ],
)
def test_the_number_of_passes(
    tiny: Classifier, small_pictures: Tensor, options: dict[str, float], backward: int, forward: int
) -> None:
    """Per row: `samples` passes per step, 9 places (1 if there is no other), 16 trials, and the test's first look."""
    network = Counting(tiny)
    best, _ = train_patch(network, small_pictures[:2], torch.tensor([0, 1]), **options)
    assert (network.forward, network.backward) == (2 * (forward + 1), 2 * backward)
    assert (best.goal.passes.forward, best.goal.passes.backward) == (network.forward, network.backward)


@pytest.mark.parametrize("targeted", [False, True])
def test_a_row_alone_gives_the_same_as_in_a_batch(tiny: Classifier, small_pictures: Tensor, targeted: bool) -> None:
    """All rows use the same placements, and every row has its own square."""
    pictures = small_pictures[:3]
    labels = (tiny.logits(pictures).argmax(dim=1) + int(targeted)) % 4
    together, first_patch = train_patch(tiny, pictures, labels, targeted=targeted, steps=10)
    for row in range(3):
        alone, trained_patch = train_patch(
            tiny, pictures[row : row + 1], labels[row : row + 1], targeted=targeted, steps=10
        )
        # Another order of summation may round a value to the next level.
        torch.testing.assert_close(alone.pictures[0], together.pictures[row], rtol=0, atol=1.5 / 255)
        assert alone.won[0] == together.won[row]
        if row == 0:
            assert (trained_patch.square.int() - first_patch.square.int()).abs().max() <= 1
            assert trained_patch.success_rate == first_patch.success_rate


def test_placements_depend_only_on_the_seed(tiny: Classifier, small_pictures: Tensor) -> None:
    labels = torch.tensor([0])
    one, again, other = (
        train_patch(tiny, small_pictures[:1], labels, steps=5, seed=seed)[1].square for seed in (3, 3, 4)
    )
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_the_mask_of_the_goal_is_ignored(tiny: Classifier, small_pictures: Tensor) -> None:
    """The patch covers only its own place, so even a mask of zeros gives the same square."""
    without_mask, with_mask = (
        train_patch(tiny, small_pictures[:1], torch.tensor([0]), steps=5, mask=mask)[1]
        for mask in (None, torch.zeros(1, 1, 32, 32))
    )
    assert torch.equal(without_mask.square, with_mask.square)


def test_progress_is_reported_for_every_step(tiny: Classifier, small_pictures: Tensor) -> None:
    """The score is a probability, and the preview shows the current square in one of its places.

    The class probabilities are over the same placements: the label's and the score are 1 together.
    """
    reports: list[Progress] = []
    train_patch(tiny, small_pictures[:2], torch.tensor([0, 1]), reports.append, steps=5)
    assert [(report.step, report.steps) for report in reports] == [(step + 1, 5) for step in range(5)]
    for report in reports:
        assert report.score() is not None
        assert 0 <= report.score() <= 1
        assert report.render() is not None
        assert not torch.equal(report.render(), small_pictures[0])
        assert torch.equal(report.render_start(), small_pictures[0])
        assert dict(report.probabilities())[0] == pytest.approx(1 - report.score(), abs=1e-5)


def test_at_the_deadline_the_square_is_placed_in_the_middle(tiny: Classifier, small_pictures: Tensor) -> None:
    """The attack sends one more query, with the square of 12 pixels in the middle of 32, and raises again."""
    picture, goal = small_pictures[:1], Goal(torch.tensor([0]), False, lambda pixels: pixels)
    look = run(goal.look(picture, gradients=False), tiny)
    best = Best(goal, picture, replace(look, loss=look.loss + 1e6))  # so that any result is better
    task = patch(picture, goal, best, size=12 / 32)
    answer = None
    for _ in range(11):
        message = task.send(answer)
        answer = tiny.answer([message])[0] if isinstance(message, Query) else None
    query = task.throw(DeadlineExceeded("time is up"))
    assert isinstance(query, Query)
    with pytest.raises(DeadlineExceeded):
        task.send(tiny.answer([query])[0])
    assert best.patch is not None
    assert best.patch.square.shape == (3, 12, 12)
    assert torch.equal(best.patch.square[:, 0, 0] / 255, best.pictures[0, :, 10, 10])
    assert best.patch.success_rate is None
    changed = (best.pictures != picture).any(dim=1)[0].nonzero()
    assert changed.amin(dim=0).tolist() == [10, 10]
    assert changed.amax(dim=0).tolist() == [21, 21]


def test_a_placement_rotates_scales_and_changes_brightness_and_contrast() -> None:
    """A square of 2 x 2 values on black is rotated by 90 degrees, darkened, without contrast, and enlarged."""
    colours = torch.tensor([[0.2, 0.4], [0.6, 0.8]]).expand(1, 3, 2, 2)
    black = torch.zeros(1, 3, 6, 6)

    def place(**placement: float) -> Tensor:
        return PlacedSquares(black, colours, [Placement(3.0, 3.0, **placement)]).pictures[0, 0]

    def around(inside: Tensor, margin: int) -> Tensor:
        return torch.nn.functional.pad(inside, (margin,) * 4)

    middle = colours[0, 0]
    torch.testing.assert_close(place(), around(middle, 2))
    torch.testing.assert_close(place(angle=torch.pi / 2), around(middle.rot90(-1), 2), rtol=0, atol=1e-5)
    torch.testing.assert_close(place(brightness=0.5), around(middle / 2, 2))
    torch.testing.assert_close(place(contrast=0.0), around(torch.full((2, 2), 0.5), 2))
    larger = place(scale=2.0)
    torch.testing.assert_close(larger[[1, 1, 4, 4], [1, 4, 1, 4]], middle.flatten())
    assert ((larger != 0) == around(torch.ones(4, 4, dtype=torch.bool), 1)).all()


def test_gradients_of_the_square_agree_with_finite_differences() -> None:
    """The gradient is that of the mean over the placements, compared at three values of the square."""
    random = torch.Generator().manual_seed(0)
    start, squares = greys(2), torch.rand(2, 3, 6, 6, generator=random)
    placements = PlacementArea(0, 0, SIDE, SIDE, 6).random(3, random, jitter=True)
    placed = PlacedSquares(start, squares, placements)
    picture_gradients = torch.randn(placed.pictures.shape, generator=random)
    gradients = placed.gradients(picture_gradients)
    for place in [(0, 0, 0, 0), (1, 2, 3, 4), (1, 1, 5, 5)]:
        change = torch.zeros_like(squares)
        change[place] = 1e-2
        up, down = (PlacedSquares(start, squares + sign * change, placements).pictures for sign in (1, -1))
        difference_quotient = ((up - down) * picture_gradients).sum() / 2e-2 / 3
        assert gradients[place].item() == pytest.approx(difference_quotient.item(), rel=2e-2, abs=2e-3)


@pytest.mark.parametrize(("height", "width"), [(36, 72), (97, 50), (40, 40)])
@pytest.mark.parametrize("jitter", [False, True])
def test_placements_lie_within_the_crop(tiny: Classifier, height: int, width: int, jitter: bool) -> None:
    """Preprocessing crops 32 of 36 pixels, and a square beyond the crop would have parts without effect."""
    picture = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    goal = Goal(torch.tensor([0]), False, preprocessor(tiny.spec), scale=min(height, width) / 36)
    area = PlacementArea.of(picture, goal, 0.3)
    assert area.side == round(0.3 * min(height, width))
    assert (area.height, area.width) == (round(32 * goal.scale),) * 2
    random = torch.Generator().manual_seed(0)
    marker = torch.full((1, 3, area.side, area.side), 2.0)  # a value that no picture has
    placed = PlacedSquares(picture, marker, area.random(50, random, jitter=jitter)).pictures
    places = (placed != picture).any(dim=1).any(dim=0).nonzero()
    top, left = (height - area.height) // 2, (width - area.width) // 2
    assert (places.amin(dim=0) >= torch.tensor([top, left])).all()
    assert (places.amax(dim=0) < torch.tensor([top + area.height, left + area.width])).all()


@pytest.mark.parametrize("size", [0.01, 0.3, 1.0])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 20), (7, 3)])
def test_tiny_pictures_have_a_square_of_at_least_one_pixel(
    tiny: Classifier, height: int, width: int, size: float
) -> None:
    """It is also at most as large as the picture."""
    picture = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(0))
    goal = Goal(torch.tensor([0]), False, preprocessor(tiny.spec), scale=min(height, width) / 36)

    def task() -> Task[Patch | None]:
        best = Best(goal, picture, (yield from goal.look(picture, gradients=False)))
        yield from patch(picture, goal, best, size=size, steps=2)
        return best.patch

    trained_patch = run(task(), tiny)
    assert trained_patch is not None
    assert 1 <= trained_patch.square.shape[1] <= min(height, width)
