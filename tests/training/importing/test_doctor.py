"""Tests whether planted mistakes are found, on small networks of which the right preprocessing is known."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from models.classifier import Classifier
from models.preprocessing import preprocess, to_float
from models.spec import Spec
from training.importing import doctor
from training.importing.doctor import Diagnosis, Photos, diagnose

CLASSES = ("ant", "bee", "Cat", "dog", "eel")
RIGHT = Spec("squeezenet1_1", CLASSES, input_size=28, resize=32, colours="RGB")
"""The usual resize of 256 for an input of 224 pixels is 32 for one of 28."""
HALF = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}


def picture(seed: int) -> Tensor:
    """A picture of smooth patches of all colours under fine noise, upright or lengthwise, uint8 [3, h, w]."""
    random = np.random.default_rng(seed)
    height, width = ((80, 50), (60, 90))[seed % 2]
    patches = torch.from_numpy(random.uniform(0, 255, (1, 3, 4, 4)))
    smooth = nn.functional.interpolate(patches, (height, width), mode="bilinear")[0]
    return (smooth + torch.from_numpy(random.normal(0, 40, (3, height, width)))).round().clamp(0, 255).to(torch.uint8)


PICTURES = [picture(seed) for seed in range(96)]


def logits_of(classifier: Classifier) -> Tensor:
    """The logits of all pictures."""
    with torch.no_grad():
        inputs = [preprocess(to_float(each)[None], classifier.spec) for each in PICTURES]
        return torch.cat([classifier.logits(each) for each in inputs])


def known(right: Spec) -> tuple[nn.Module, Photos]:
    """A network, and photos that it classifies correctly with this spec: their labels are what it says.

    Its logits depend on all of the input, and make all classes about equally frequent.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        network = nn.Sequential(
            nn.Conv2d(right.channels, 16, 5, stride=2, padding=2),
            nn.Tanh(),
            nn.Conv2d(16, 16, 3, stride=2, padding=1),
            nn.Tanh(),
            nn.Flatten(),
            nn.Linear(16 * (right.size[0] // 4) * (right.size[1] // 4), len(right.classes)),
        )
    classifier, head = Classifier(network, right), network[-1]
    logits = logits_of(classifier)
    head.weight *= (scale := 3 / logits.std(dim=0))[:, None]
    head.bias.copy_((head.bias - logits.mean(dim=0)) * scale)
    head.bias += 12 * right.multi_label  # so that a label is found in each
    return network, list(zip(PICTURES, logits_of(classifier).argmax(dim=1).tolist(), strict=True))


def planted(right: Spec, **mistake: Any) -> Diagnosis:
    """The diagnosis of a network that is fed with this mistake."""
    network, photos = known(right)
    return diagnose(Classifier(network, replace(right, **mistake)), photos)


def found(diagnosis: Diagnosis) -> list[str]:
    return [trial.alternative.name for trial in diagnosis.better]


RIGHTS = {
    "as torchvision": RIGHT,
    "from -1 to 1, squashed": replace(RIGHT, **HALF, resize=28, resize_mode="squash"),
    "blue first, from 0 to 255": replace(RIGHT, colours="BGR", mean=(0.0, 0.0, 0.0), std=(1 / 255,) * 3),
    "padded": replace(RIGHT, resize=28, resize_mode="pad"),
    "grey": replace(RIGHT, colours="L", mean=(0.0,), std=(1.0,)),
    "rectangular": replace(RIGHT, input_size=(28, 56), resize=(32, 64)),
    "several labels": replace(RIGHT, multi_label=True),
    "one label": replace(RIGHT, classes=("ant",), multi_label=True),
    "too certain": replace(RIGHT, temperature=0.2),
    "too uncertain": replace(RIGHT, temperature=3.0),
}


@pytest.mark.parametrize("right", RIGHTS.values(), ids=RIGHTS)
def test_right_preprocessing_is_healthy(right: Spec) -> None:
    diagnosis = planted(right)
    assert diagnosis.is_healthy and not diagnosis.is_unexplained
    assert (diagnosis.asked.accuracy, diagnosis.mistakes) == (1.0, ())


MISTAKES: dict[str, tuple[Spec, dict[str, Any]]] = {
    "values from -1 to 1": (RIGHT, HALF),
    "values from 0 to 1": (RIGHT, {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}),
    "values from 0 to 255": (RIGHT, {"mean": (0.0, 0.0, 0.0), "std": (1 / 255,) * 3}),
    "values to 1 instead of 255": (RIGHTS["blue first, from 0 to 255"], {"std": (1.0, 1.0, 1.0)}),
    "blue first": (RIGHT, {"colours": "BGR"}),
    "red first": (RIGHTS["blue first, from 0 to 255"], {"colours": "RGB"}),
    "squashed": (RIGHT, {"resize": 28, "resize_mode": "squash"}),
    "padded": (RIGHT, {"resize": 28, "resize_mode": "pad"}),
    "cropped from twice the size": (RIGHT, {"resize": 64}),
    "without a margin": (RIGHT, {"resize": 28}),
    "cropped instead of squashed": (RIGHTS["from -1 to 1, squashed"], {"resize": 32, "resize_mode": "crop"}),
    "cropped instead of padded": (RIGHTS["padded"], {"resize": 32, "resize_mode": "crop"}),
    "rectangular, squashed": (RIGHTS["rectangular"], {"resize": (28, 56), "resize_mode": "squash"}),
    "grey, from -1 to 1": (RIGHTS["grey"], {"mean": (0.5,), "std": (0.5,)}),
    "too certain, from -1 to 1": (RIGHTS["too certain"], HALF),
    "several labels, blue first": (RIGHTS["several labels"], {"colours": "BGR"}),
}


@pytest.mark.parametrize(("right", "mistake"), MISTAKES.values(), ids=MISTAKES)
def test_a_planted_mistake_is_undone(right: Spec, mistake: dict[str, Any]) -> None:
    """The labels are what the network says with the right spec, so that no other one does as well."""
    diagnosis = planted(right, **mistake)
    assert [trial.alternative.spec for trial in diagnosis.better] == [right], found(diagnosis)
    (trial,) = diagnosis.better
    assert diagnosis.asked.accuracy == trial.before.accuracy < trial.scores.accuracy == 1.0
    assert not diagnosis.is_healthy and not diagnosis.is_unexplained


def test_mistakes_that_come_together_are_undone_one_after_the_other() -> None:
    diagnosis = planted(RIGHT, **HALF, colours="BGR", resize=64)
    assert [trial.is_better for trial in diagnosis.better] == [True] * 3
    assert diagnosis.better[-1].alternative.spec == RIGHT
    befores = [trial.before.accuracy for trial in diagnosis.better]
    afters = [trial.scores.accuracy for trial in diagnosis.better]
    assert befores == [diagnosis.asked.accuracy, *afters[:-1]]
    assert afters[-1] == 1.0


def test_other_preprocessing_shows_when_the_order_of_the_classes_is_undone() -> None:
    """The names are in the reverse order, so that nothing that is tried makes the labels more probable before."""
    network, photos = known(RIGHT)
    mislabelled = [(pixels, len(CLASSES) - 1 - label) for pixels, label in photos]
    diagnosis = diagnose(Classifier(network, replace(RIGHT, **HALF)), mislabelled)
    order, trial = diagnosis.mistakes
    assert order == diagnosis.reordering and order.name == "the classes in the reverse order"
    assert order.before == diagnosis.asked.accuracy < order.accuracy < 1
    assert diagnosis.better == (trial,) and trial.alternative.spec == RIGHT
    assert (trial.before.accuracy, trial.scores.accuracy) == (order.accuracy, 1)


def test_the_order_of_some_classes_shows_when_the_preprocessing_is_undone() -> None:
    """Two of five classes have changed places."""
    network, photos = known(RIGHT)
    mislabelled = [(pixels, {0: 1, 1: 0}.get(label, label)) for pixels, label in photos]
    diagnosis = diagnose(Classifier(network, replace(RIGHT, colours="BGR")), mislabelled)
    trial, order = diagnosis.mistakes
    assert diagnosis.better == (trial,) and trial.alternative.spec == RIGHT
    assert order == diagnosis.reordering and order.order == (1, 0, 2, 3, 4)
    assert (order.before, order.accuracy) == (trial.scores.accuracy, 1)


def test_an_order_that_shows_only_with_other_preprocessing_is_found() -> None:
    """Values to 1 where values to 255 are expected leave nothing to see, in whatever order the classes are."""
    right = RIGHTS["blue first, from 0 to 255"]
    network, photos = known(right)
    mislabelled = [(pixels, (label + 1) % len(CLASSES)) for pixels, label in photos]
    diagnosis = diagnose(Classifier(network, replace(right, std=(1.0, 1.0, 1.0))), mislabelled)
    assert diagnosis.asked.is_at_chance and not diagnosis.is_healthy and not diagnosis.is_unexplained
    trial, order = diagnosis.mistakes
    assert diagnosis.better == (trial,) and trial.alternative.spec == right and not trial.is_better
    assert order == diagnosis.reordering and order.name == "each class one output earlier"
    assert order.accuracy == 1


def test_a_network_that_has_learnt_nothing_is_no_better_whatever_is_tried() -> None:
    """The labels have nothing to do with the photos."""
    network, photos = known(RIGHT)
    random = np.random.default_rng(0).integers(0, len(CLASSES), len(photos)).tolist()
    unrelated = [(pixels, label) for (pixels, _), label in zip(photos, random, strict=True)]
    diagnosis = diagnose(Classifier(network, RIGHT), unrelated)
    assert diagnosis.is_unexplained and not diagnosis.is_healthy
    assert diagnosis.mistakes == ()


def test_what_is_hopeless_is_given_up_and_each_resize_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 8 alternatives that resize otherwise, and of all others together, each photo is resized once.

    Giving up changes nothing in the diagnosis, and here it leaves out half of the work.
    """
    resized = []

    def counted(pixels: Tensor, spec: Spec) -> Tensor:
        resized.append(spec)
        return preprocess(pixels, spec)

    monkeypatch.setattr(doctor, "preprocess", counted)
    assert planted(RIGHT).is_healthy
    quick = len(resized)
    monkeypatch.setattr(doctor, "FIRST_LOOK", 1000)
    resized.clear()
    assert planted(RIGHT).is_healthy
    resizes = len({(spec.resize, spec.resize_mode, spec.interpolation, spec.antialias) for spec in resized})
    assert (resizes, len(resized)) == (8, len(PICTURES) * (1 + resizes))
    assert quick < 0.6 * len(resized)


def test_the_progress_counts_the_batches_of_each_round() -> None:
    network, photos = known(RIGHT)
    rounds: list[tuple[int, int]] = []

    def track(items: Iterable[int], total: int) -> Iterable[int]:
        begins = list(items)
        rounds.append((len(begins), total))
        return begins

    diagnose(Classifier(network, replace(RIGHT, **HALF)), photos, track=track)
    assert rounds == [(12, 12)] * 3, "as it is, with each alternative, and with each one on top of the better one"


def test_few_photos_do() -> None:
    """A single photo gives no standard error, and nothing is found."""
    network, photos = known(RIGHT)
    assert found(diagnose(Classifier(network, replace(RIGHT, **HALF)), photos[:1])) == []


def test_a_single_label_is_right_where_it_is_found() -> None:
    """Not in every photo, although no other label is more probable. What makes it more probable is not looked for."""
    right = replace(RIGHT, classes=("ant",), multi_label=True)
    network, photos = known(right)
    logits = logits_of(Classifier(network, right))
    network[-1].bias -= logits.median()  # so that it is found in one half
    diagnosis = diagnose(Classifier(network, right), photos)
    assert diagnosis.asked.accuracy == pytest.approx(0.5, abs=0.02)
    assert diagnosis.is_of_one_class and diagnosis.is_healthy and not diagnosis.is_unexplained


def test_nothing_is_looked_for_on_photos_of_one_class() -> None:
    """With blue first the class would only be less probable, or more, whatever the network was trained with."""
    network, photos = known(RIGHT)
    most = max(range(5), key=[label for _, label in photos].count)
    of_one = [(pixels, label) for pixels, label in photos if label == most]
    assert diagnose(Classifier(network, replace(RIGHT, colours="BGR")), of_one).mistakes == ()
