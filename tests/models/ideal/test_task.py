"""The task behind /ideal: a picture of a class, scored as it is returned."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from models.classifier import Classifier
from models.classify import classify
from models.ideal.task import BadIdeal, Ideal, ideal, total_variation
from models.pictures import decode, encode
from models.preprocessing import preprocess, to_float
from models.query import DeadlineExceeded, Progress, run
from models.store import Model
from tests.networks import Counting, unnormalised


def drawn(classifier: Classifier, index: int, **options: object) -> Ideal:
    return run(ideal(index, classifier.spec, **options), classifier)


def test_total_variation_by_hand() -> None:
    """0 1 / 3 3: across 1 and 0, mean 1/2; down 3 and 2, mean 5/2; 3 in all, in every channel."""
    picture = torch.tensor([[0.0, 1.0], [3.0, 3.0]]).expand(1, 3, 2, 2)
    assert total_variation(picture).item() == pytest.approx(3)


def test_a_flat_picture_has_no_variation() -> None:
    assert total_variation(torch.full((2, 3, 5, 5), 0.3)).item() == 0


@given(seed=st.integers(0, 100))
def test_total_variation_does_not_depend_on_the_side_from_which_one_looks(seed: int) -> None:
    picture = torch.rand(1, 3, 6, 9, generator=torch.Generator().manual_seed(seed))
    for other in (picture.flip(2), picture.flip(3), picture.transpose(2, 3), 1 - picture):
        torch.testing.assert_close(total_variation(other), total_variation(picture))


class Colours(nn.Module):
    """Three classes, red, green and blue: how far the channel's mean is above the others'."""

    def forward(self, pixels: Tensor) -> Tensor:
        means = pixels.mean(dim=(2, 3))
        return 30 * (means - means.mean(dim=1, keepdim=True))


@pytest.mark.parametrize("index", range(3))
def test_the_ideal_of_a_colour_is_that_colour(index: int) -> None:
    """From grey noise to a picture whose mean is plainly red, green or blue, in 200 steps."""
    classifier = Classifier(Colours(), unnormalised(3, 16))
    found = drawn(classifier, index, steps=200)
    means = found.picture.float().mean(dim=(1, 2))
    others = means[[other for other in range(3) if other != index]]
    assert means[index] > others.max() + 40
    assert (found.rank, found.prediction.index) == (1, index)
    assert found.prediction.probability > 0.95
    assert drawn(classifier, index, steps=1).prediction.probability < 0.6


@pytest.mark.parametrize("index", range(4))
def test_it_climbs(tiny: Classifier, index: int) -> None:
    """On a convolutional network the class's logit ends higher than it was after one step."""
    start, end = (drawn(tiny, index, steps=steps, crops=2, tv=0.0).picture for steps in (1, 30))
    logits = tiny.logits(preprocess(to_float(torch.stack([start, end])), tiny.spec))[:, index]
    assert logits[1] > logits[0] + 0.5


def test_the_score_is_that_of_the_file(tiny: Classifier) -> None:
    """What /classify says of the PNG, not of a tensor that no file holds; at another size than the network's too."""
    for size in (None, 50, 20):
        found = drawn(tiny, 2, steps=5, size=size)
        ranked = run(classify(decode(encode(found.picture)), tiny.spec, top=4), tiny)
        assert [each.index for each in ranked][found.rank - 1] == 2
        assert ranked[found.rank - 1].probability == pytest.approx(found.prediction.probability, abs=1e-6)


def test_the_rank_of_a_class_that_is_not_the_top(tiny: Classifier) -> None:
    """Class 1's picture is no picture of class 0: some draw of one step ranks lower than first."""
    ranks = {drawn(tiny, index, steps=1, crops=1).rank for index in range(4)}
    assert ranks == {1, 2, 3, 4}


def test_size(tiny: Classifier) -> None:
    """The network's input size, or what is asked for."""
    assert drawn(tiny, 0, steps=1).picture.shape == (3, 32, 32)
    assert drawn(tiny, 0, steps=1, size=77).picture.shape == (3, 77, 77)


def test_the_same_seed_gives_the_same_bytes(tiny: Classifier) -> None:
    """And leaves the process's own generator alone."""
    torch.manual_seed(1)
    state = torch.get_rng_state()
    one, again, other = (encode(drawn(tiny, 1, steps=6, seed=seed).picture) for seed in (5, 5, 6))
    assert one == again
    assert one != other
    assert torch.equal(torch.get_rng_state(), state)


def test_passes_are_what_the_network_counted(tiny: Classifier) -> None:
    """Seven steps of three crops with gradients, and one look at the result: 22 and 21."""
    network = Counting(tiny)
    found = run(ideal(0, tiny.spec, steps=7, crops=3), network)
    assert (found.passes.forward, found.passes.backward) == (network.forward, network.backward) == (22, 21)


def test_what_was_asked_for_is_told(tiny: Classifier) -> None:
    found = drawn(tiny, 0, steps=2, crops=3, tv=1.5, seed=9, size=40)
    assert found.options == {"method": "fourier", "steps": 2, "crops": 3, "tv": 1.5, "seed": 9, "size": 40}


def test_progress_counts_and_shows(tiny: Classifier) -> None:
    told: list[Progress] = []
    run(ideal(0, tiny.spec, steps=4, crops=2, size=40), tiny, told.append)
    assert [(each.step, each.steps) for each in told] == [(1, 4), (2, 4), (3, 4), (4, 4)]
    for each in told:
        assert each.score is not None
        assert 0 <= each.score <= 1
        assert each.preview is not None
        assert each.preview.shape == (3, 40, 40)
        assert not each.preview.requires_grad


def test_variation_costs(tiny: Classifier) -> None:
    """Against a high price on variation the picture ends smoother."""
    free, dear = (drawn(tiny, 0, steps=25, tv=price).picture / 255 for price in (0.0, 500.0))
    assert total_variation(dear.unsqueeze(0)) < 0.7 * total_variation(free.unsqueeze(0))


def test_a_deadline_ends_it(tiny: Classifier) -> None:
    task = ideal(0, tiny.spec)
    next(task)
    with pytest.raises(DeadlineExceeded):
        task.throw(DeadlineExceeded())


@pytest.mark.slow
def test_the_ideal_zebra(imagenet: Model) -> None:
    """The full recipe on a trained MobileNetV2: a zebra (340), nearly surely."""
    found = drawn(imagenet.classifier, 340)
    assert found.rank == 1
    assert found.prediction.probability >= 0.99


def test_a_quick_zebra(imagenet: Model) -> None:
    """A sixth of the recipe's work already names it."""
    found = drawn(imagenet.classifier, 340, steps=20, crops=2)
    assert found.prediction.label == "zebra"
    assert found.rank == 1


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"method": "magic"}, "choose one of fourier"),
        ({"steps": 0}, "1 or more"),
        ({"crops": 0}, "1 or more"),
        ({"tv": float("nan")}, "0 or more"),
        ({"tv": -1.0}, "0 or more"),
        ({"size": 5}, "16 to 4096"),
        ({"size": 10**9}, "16 to 4096"),
    ],
)
def test_options_out_of_range(tiny: Classifier, options: dict[str, object], told: str) -> None:
    with pytest.raises(BadIdeal, match=told):
        drawn(tiny, 0, **options)
