"""Classes with few photos: weights, the loss with them, and the warning."""

import math
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy, one_hot

from training.metrics import measure
from training.rare import class_weights, rare_class_warnings, training_loss

LABELS = torch.tensor([0] * 6 + [1] * 2 + [3])
"""Four classes with six, two, no and one photo."""


def test_weights_are_inverse_to_photos_with_a_mean_of_1() -> None:
    """9 photos in 3 classes: the weights are 9 / 3 / 6 = 1/2, 3/2 and 3; a class without photos has weight 0."""
    weights = class_weights(LABELS, 4)
    assert weights.tolist() == [0.5, 1.5, 0.0, 3.0]
    assert weights[LABELS].mean().item() == 1.0
    assert class_weights(torch.tensor([0, 1, 0, 1]), 2).tolist() == [1, 1]


def test_equal_weights_change_nothing() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(9, 4), LABELS
    for targets in (labels, one_hot(labels, 4).float(), torch.rand(9, 4).softmax(dim=1)):
        expected = cross_entropy(logits, targets, label_smoothing=0.1).item()
        assert training_loss(logits, targets, smoothing=0.1, weights=torch.ones(4)).item() == pytest.approx(expected)
        assert training_loss(logits, targets, smoothing=0.1).item() == expected


def test_the_loss_of_a_photo_has_the_weight_of_its_class() -> None:
    """By hand: smoothing of a tenth over two classes gives 0.95 to the label and 0.05 to the other class."""
    logits = torch.tensor([[2.0, 0.0], [0.0, 0.0]])
    own, other = math.log(1 + math.exp(-2)), math.log(1 + math.exp(2))
    expected = (0.5 * (0.95 * own + 0.05 * other) + 1.5 * math.log(2)) / 2
    loss = training_loss(logits, torch.tensor([0, 1]), smoothing=0.1, weights=torch.tensor([0.5, 1.5]))
    assert loss.item() == pytest.approx(expected, rel=1e-6)


def test_a_part_of_a_mixed_label_has_the_weight_of_its_class() -> None:
    """With three tenths of class 0 and seven of class 1, the loss is the weighted sum of both losses."""
    logits, weights = torch.tensor([[2.0, -1.0, 0.5]]), torch.tensor([0.5, 2.0, 9.0])
    parts = [cross_entropy(logits, torch.tensor([label])).item() for label in (0, 1)]
    loss = training_loss(logits, torch.tensor([[0.3, 0.7, 0.0]]), weights=weights)
    assert loss.item() == pytest.approx(0.3 * 0.5 * parts[0] + 0.7 * 2.0 * parts[1], rel=1e-6)


def test_the_mean_over_processes_is_that_of_the_whole_batch() -> None:
    """Only one process has the rare photo; the means of torch's own weighted loss would differ."""
    torch.manual_seed(1)
    logits, labels, weights = torch.randn(8, 2), torch.tensor([0] * 7 + [1]), torch.tensor([4 / 7, 4.0])
    whole = training_loss(logits, labels, weights=weights)
    shares = [training_loss(logits[rank::2], labels[rank::2], weights=weights) for rank in (0, 1)]
    assert torch.stack(shares).mean().item() == pytest.approx(whole.item(), rel=1e-6)


def figures(predicted: list[int], labels: list[int], names: tuple[str, ...]) -> dict[str, Any]:
    logits = one_hot(torch.tensor(predicted), len(names)).float() * 5
    return measure(logits, torch.tensor(labels), names).to_json()


def test_the_warning_of_a_class_never_predicted_says_what_to_do() -> None:
    """One of three classes is never predicted on the test split, and two on the validation split."""
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
    (warning,) = rare_class_warnings({**lone, "split": "all"}, "balanced")
    assert warning == (
        "the class 'heron' is never predicted on the photos measured: its only photo there is classified as other "
        "classes. To change that, train with more photos of it; --class-weights balanced was already used."
    )


def test_there_is_no_warning_of_predicted_or_absent_classes() -> None:
    """One photo of every class is recognised; a class has no photos; an old file has no such figure."""
    assert rare_class_warnings(figures([0, 1, 1, 0], [0, 0, 1, 1], ("a", "b")), "none") == []
    assert rare_class_warnings(figures([0, 0], [0, 0], ("a", "b")), "none") == []
    assert rare_class_warnings({"accuracy": 0.5}, None) == []


def test_a_class_predicted_only_for_photos_of_others_has_a_warning() -> None:
    """No heron is recognised, but a gull is classified as one: this warning is separate from that of the crow."""
    metrics = figures([0, 2, 2, 1, 0], [0, 1, 1, 2, 3], ("hen", "heron", "gull", "crow"))
    assert rare_class_warnings({**metrics, "split": "test"}, "none") == [
        "the class 'crow' is never predicted on the test split: its only photo there is classified as other classes. "
        "To change that, train with more photos of it, or with --class-weights balanced.",
        "the classes 'heron', 'gull' are predicted only for photos of other classes on the test split: all 3 of their "
        "photos there are classified as other classes. To change that, train with more photos of them, or with "
        "--class-weights balanced.",
    ]


def test_a_warning_names_at_most_ten_classes() -> None:
    metrics = figures([0] * 30, list(range(30)), tuple(f"c{number}" for number in range(30)))
    (warning,) = rare_class_warnings(metrics, None)
    assert "'c10' and 19 more are never predicted" in warning and "c11" not in warning
