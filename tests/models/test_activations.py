"""The activations give what torch's give, forward and backward, and save no copy."""

import copy

import pytest
import torch
from torch import Tensor, nn

from models.activations import KINDS, without_copies
from models.classifier import Classifier
from models.layers import layers
from models.query import Query
from tests.networks import unnormalised

VALUES = torch.tensor([-7.0, -3.0, -1.0, 0.0, 0.5, 3.0, 5.0, 6.0, 7.0, float("nan")])


def gradient(layer: nn.Module, weight: Tensor) -> tuple[Tensor, Tensor]:
    leaf = VALUES.clone().requires_grad_()
    output = layer(leaf * 1)  # in place: not on the leaf itself
    return output.detach(), torch.autograd.grad((output * weight).sum(), leaf)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_values_and_gradients_are_torchs(kind: type[nn.Module]) -> None:
    weight = torch.arange(1.0, 11)
    replaced = without_copies(nn.Sequential(kind(inplace=True)))
    assert type(replaced[0]) is KINDS[kind]
    for mine, expected in zip(gradient(replaced, weight), gradient(kind(), weight), strict=True):
        assert torch.equal(mine.nan_to_num(99), expected.nan_to_num(99))
    assert torch.equal(replaced(VALUES.clone()).nan_to_num(99), kind()(VALUES).nan_to_num(99))


@pytest.mark.parametrize(("kind", "saved"), [(nn.ReLU6, 1), (nn.SiLU, 1), (nn.Hardswish, 1)])
def test_nothing_is_copied_for_the_backward_pass(kind: type[nn.Module], saved: int) -> None:
    network = without_copies(nn.Sequential(nn.Identity(), kind(inplace=True)))
    kept: list[Tensor] = []
    leaf = torch.rand(3).requires_grad_()
    before = leaf + 0
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: kept.append(tensor) or tensor, lambda tensor: tensor):
        network(before)
    assert len(kept) == saved
    assert kept[0].data_ptr() == before.data_ptr()


def test_without_gradients_it_works_in_place() -> None:
    for kind in KINDS:
        values = VALUES.clone()
        assert without_copies(nn.Sequential(kind(inplace=True)))(values).data_ptr() == values.data_ptr()


def test_activations_that_are_not_in_place_stay() -> None:
    network = nn.Sequential(nn.ReLU6(), nn.ReLU(inplace=True))
    assert [type(layer) for layer in without_copies(network)] == [nn.ReLU6, nn.ReLU]


def test_a_folded_classifier_answers_as_before_and_lists_the_same_layers() -> None:
    torch.manual_seed(0)
    activations = [nn.ReLU6(inplace=True), nn.Conv2d(4, 4, 1), nn.SiLU(inplace=True), nn.Hardswish(inplace=True)]
    network = nn.Sequential(nn.Conv2d(3, 4, 3), *activations, nn.Flatten(), nn.Linear(4 * 14 * 14, 2))
    spec = unnormalised(2, 16)
    plain = Classifier(copy.deepcopy(network), spec)
    lean = Classifier(network, spec).fold()
    query = Query(torch.rand(2, 3, 16, 16), lambda logits: logits[:, 0])
    (before,), (after,) = plain.answer([query]), lean.answer([query])
    torch.testing.assert_close(after.logits, before.logits)
    torch.testing.assert_close(after.gradients, before.gradients)
    assert layers(lean.network[1], query.pixels) == layers(plain.network[1], query.pixels)
