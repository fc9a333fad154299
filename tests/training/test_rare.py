"""Classes with few photos: weights, the loss with them, and the warning."""

import math
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from training.metrics import measure
from training.rare import class_weights, rare_class_warnings, training_loss

LABELS = torch.tensor([0] * 6 + [1] * 2 + [3])
"""Six, two, none and one."""


def test_weights_are_inverse_to_photos_with_a_mean_of_1() -> None:
    """9 photos in 3 classes: 9 / 3 / 6 = 1/2, 3/2, and 3 for the lone one; the class without photos has no share."""
    weights = class_weights(LABELS, 4)
    assert weights.tolist() == [0.5, 1.5, 0.0, 3.0]
    assert weights[LABELS].mean().item() == 1.0
    assert class_weights(torch.tensor([0, 1, 0, 1]), 2).tolist() == [1, 1]


def test_equal_weights_change_nothing() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(9, 4), LABELS
    for wanted in (labels, one_hot(labels, 4).float(), torch.rand(9, 4).softmax(dim=1)):
        expected = cross_entropy(logits, wanted, label_smoothing=0.1).item()
        assert training_loss(logits, wanted, smoothing=0.1, weights=torch.ones(4)).item() == pytest.approx(expected)
        assert training_loss(logits, wanted, smoothing=0.1).item() == expected


def test_each_photo_counts_with_the_weight_of_its_class() -> None:
    """By hand, with smoothing of a tenth over two classes: 0.95 of the label, 0.05 of the other."""
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    own, other = math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))
    expected = (0.5 * (0.95 * own + 0.05 * other) + 1.5 * math.log(2)) / 2
    found = training_loss(logits, torch.tensor([0, 1]), smoothing=0.1, weights=torch.tensor([0.5, 1.5]))
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_each_part_of_a_mix_counts_with_the_weight_of_its_class() -> None:
    """Three tenths of class 0 and seven of class 1: the weighted sum of both losses."""
    logits, weights = torch.tensor([[2.0, -1.0, 0.5]]), torch.tensor([0.5, 2.0, 9.0])
    parts = [cross_entropy(logits, torch.tensor([label])).item() for label in (0, 1)]
    found = training_loss(logits, torch.tensor([[0.3, 0.7, 0.0]]), weights=weights)
    assert found.item() == pytest.approx(0.3 * 0.5 * parts[0] + 0.7 * 2.0 * parts[1], rel=1e-6)


def test_the_mean_over_processes_is_that_of_the_whole_batch() -> None:
    """One has the rare photo, the other does not; torch's own weighted mean would differ."""
    torch.manual_seed(1)
    logits, labels, weights = torch.randn(8, 2), torch.tensor([0] * 7 + [1]), torch.tensor([4 / 7, 4.0])
    whole = training_loss(logits, labels, weights=weights)
    shares = [training_loss(logits[rank::2], labels[rank::2], weights=weights) for rank in (0, 1)]
    assert torch.stack(shares).mean().item() == pytest.approx(whole.item(), rel=1e-6)


def figures(predicted: list[int], labels: list[int], names: tuple[str, ...]) -> dict[str, Any]:
    logits = one_hot(torch.tensor(predicted), len(names)).float() * 5
    return measure(logits, torch.tensor(labels), names).to_json()


def test_a_class_that_is_never_predicted_is_named_with_what_to_do() -> None:
    """On both splits; the second of three classes on test, on validation two of them."""
    test = figures([0, 0, 0, 2], [0, 1, 1, 2], ("hen", "heron", "gull"))
    validation = figures([0, 0, 0], [0, 1, 2], ("hen", "heron", "gull"))
    assert rare_class_warnings({**test, "split": "test", "validation": validation}, "none") == [
        "the class 'heron' is never predicted on the test split: all 2 of its photos there are classified as other "
        "classes. To change that, train with more photos of it, or with --class-weights balanced.",
        "the classes 'heron', 'gull' are never predicted on the validation split: all 2 of their photos there are "
        "classified as other classes. To change that, train with more photos of them, or with --class-weights "
        "balanced.",
    ]
    lone = figures([0, 0], [0, 1], ("hen", "heron"))
    (told,) = rare_class_warnings({**lone, "split": "all"}, "balanced")
    assert told == (
        "the class 'heron' is never predicted on the photos measured: its only photo there is classified as other "
        "classes. To change that, train with more photos of it; --class-weights balanced was already used."
    )


def test_no_warning_of_what_is_predicted_or_absent() -> None:
    """Classes of which one photo each is recognised; a class that has no photos there; a file without the figure."""
    assert rare_class_warnings(figures([0, 1, 1, 0], [0, 0, 1, 1], ("a", "b")), "none") == []
    assert rare_class_warnings(figures([0, 0], [0, 0], ("a", "b")), "none") == []
    assert rare_class_warnings({"accuracy": 0.5}, None) == []


def test_a_class_that_is_predicted_only_for_others_is_named_too() -> None:
    """None of the two herons is recognised, and a gull is taken for one: said once, and apart from the crow's."""
    found = figures([0, 2, 2, 1, 0], [0, 1, 1, 2, 3], ("hen", "heron", "gull", "crow"))
    assert rare_class_warnings({**found, "split": "test"}, "none") == [
        "the class 'crow' is never predicted on the test split: its only photo there is classified as other classes. "
        "To change that, train with more photos of it, or with --class-weights balanced.",
        "the classes 'heron', 'gull' are predicted only for photos of other classes on the test split: all 3 of their "
        "photos there are classified as other classes. To change that, train with more photos of them, or with "
        "--class-weights balanced.",
    ]


def test_of_many_ten_are_named() -> None:
    found = figures([0] * 30, list(range(30)), tuple(f"c{number}" for number in range(30)))
    (told,) = rare_class_warnings(found, None)
    assert "'c10' and 19 more are never predicted" in told and "c11" not in told
