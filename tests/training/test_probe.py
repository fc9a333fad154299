import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from training.probe import Probe, best_probe, fit_linear
from training.rare import class_weights


def test_two_points_have_a_scalar_solution() -> None:
    """At x = -1 and 1 the margin m = 2 w_1 solves 2 sigmoid(-2 m) = penalty m (both classes' weights are opposite)."""
    weight, bias = fit_linear(torch.tensor([[-1.0], [1.0]]), torch.tensor([0, 1]), classes=2, penalty=0.1)
    low, high = 0.0, 100.0
    for _ in range(200):
        w = (low + high) / 2
        # d/dw of log(1 + exp(-2 w)) + penalty / 2 (2 w^2): the logit difference at x = 1 is 2 w
        low, high = (w, high) if -2 / (1 + math.exp(2 * w)) + 0.1 * 2 * w < 0 else (low, w)
    assert weight[1, 0].item() == pytest.approx(w, rel=1e-5)
    assert weight[0, 0].item() == pytest.approx(-w, rel=1e-5)
    assert bias.tolist() == pytest.approx([0, 0], abs=1e-6)


def test_the_gradient_vanishes_in_standardised_coordinates() -> None:
    """This is the condition of the optimum; the features have very different scales and offsets."""
    torch.manual_seed(0)
    labels = torch.randint(0, 3, (300,))
    features = (torch.randn(300, 6) + labels[:, None]) * torch.tensor([1, 10, 100, 1e-2, 1, 5]) + 7
    weight, bias = fit_linear(features, labels, classes=3, penalty=1e-2)
    mean, deviation = features.double().mean(0), features.double().std(0, correction=0)
    standard_weight = (weight * deviation).requires_grad_()
    standard_bias = (bias + weight @ mean).requires_grad_()
    scores = ((features.double() - mean) / deviation) @ standard_weight.T + standard_bias
    loss = cross_entropy(scores, labels) + 1e-2 / 2 * standard_weight.square().sum()
    for gradient in torch.autograd.grad(loss, (standard_weight, standard_bias)):
        assert gradient.abs().max() < 1e-5
    assert torch.allclose(scores, features.double() @ weight.T + bias)


def test_a_feature_that_never_varies_gets_no_weight() -> None:
    features = torch.tensor([[-1.0, 5], [1, 5], [-2, 5], [2, 5]])
    weight, _ = fit_linear(features, torch.tensor([0, 1, 0, 1]), classes=2, penalty=0.1)
    assert weight[:, 1].tolist() == [0, 0]


def test_validation_chooses_the_penalty() -> None:
    """Many features are noise: with nearly no penalty the probe fits the noise, with a large one only the signal."""
    torch.manual_seed(0)
    labels = torch.arange(80) % 2
    features = torch.randn(80, 60)
    features[:, 0] += 3 * labels
    train, validation = (features[:40], labels[:40]), (features[40:], labels[40:])
    probes = {penalty: best_probe(train, validation, "ab", [penalty]) for penalty in (1e-6, 1.0)}
    best = best_probe(train, validation, "ab", [1e-6, 1.0])
    assert best.accuracy == max(probe.accuracy for probe in probes.values())
    assert best.penalty == 1.0


def test_a_probe_is_unchanged_by_saving_and_loading() -> None:
    probe = Probe(torch.tensor([[0.1, 0.2], [0.3, 0.4]]), torch.tensor([5.0, 6.0]), 0.01, 2 / 3, 0.5, 1 / 7)
    loaded = Probe.from_tensors(probe.to_tensors())
    assert torch.equal(loaded.weight, probe.weight) and torch.equal(loaded.bias, probe.bias)
    assert (loaded.penalty, loaded.accuracy, loaded.balanced_accuracy, loaded.nll) == (0.01, 2 / 3, 0.5, 1 / 7)


def test_a_class_weight_acts_like_repeated_photos() -> None:
    """A single photo whose class weighs three times as much acts as if it were there three times."""
    torch.manual_seed(0)
    features, labels = torch.randn(4, 3), torch.tensor([0, 0, 0, 1])
    weights = torch.tensor([4 / 6, 2.0])
    mean, deviation = features.double().mean(0), features.double().std(0, correction=0)
    weight, bias = fit_linear(features, labels, classes=2, penalty=0.1, weights=weights)
    standard_weight, standard_bias = (weight * deviation).requires_grad_(), (bias + weight @ mean).requires_grad_()
    repeated = torch.cat([features, features[3:], features[3:]])
    scores = ((repeated.double() - mean) / deviation) @ standard_weight.T + standard_bias
    loss = cross_entropy(scores, torch.tensor([0, 0, 0, 1, 1, 1])) + 0.1 / 2 * standard_weight.square().sum()
    for gradient in torch.autograd.grad(loss, (standard_weight, standard_bias)):
        assert gradient.abs().max() < 1e-5


def test_with_weights_balanced_accuracy_chooses_the_penalty() -> None:
    """There are 60 and 6 overlapping photos: a probe without weights takes nearly all for the frequent class."""
    torch.manual_seed(3)
    labels = torch.tensor([0] * 60 + [1] * 6)
    features = torch.randn(66, 4)
    features[:, 0] += 1.5 * labels
    validation_labels = torch.tensor([0] * 54 + [1] * 6)
    validation = torch.randn(60, 4)
    validation[:, 0] += 1.5 * validation_labels
    weights = class_weights(labels, 2)
    penalties = [1e-3, 0.1, 1.0, 10.0, 100.0]
    chosen = best_probe((features, labels), (validation, validation_labels), "ab", penalties, weights)
    probes = [
        best_probe((features, labels), (validation, validation_labels), "ab", [penalty], weights)
        for penalty in penalties
    ]
    assert chosen.balanced_accuracy == max(probe.balanced_accuracy for probe in probes)
    plain = best_probe((features, labels), (validation, validation_labels), "ab", penalties)
    assert chosen.balanced_accuracy > plain.balanced_accuracy + 0.1
