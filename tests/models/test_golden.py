"""The synthetic pictures by which a checkpoint knows itself."""

import hashlib

import torch

from models.classifier import Classifier
from models.golden import SIZES, disagreement, golden_logits, golden_pictures
from models.preprocessing import to_float


def test_the_pictures_are_the_same_for_ever() -> None:
    """Every checkpoint ever written relies on it: the digest is of the four pictures' bytes, level by level."""
    digest = hashlib.sha256()
    for picture in golden_pictures():
        digest.update(picture.numpy().tobytes())
    assert digest.hexdigest() == "0ea6829eed80fb466459a6e6b9e581824d571b6f6d5b4d6b4def4b5f2a6c098e"


def test_they_have_the_stated_sizes_and_use_the_range() -> None:
    assert [tuple(picture.shape[1:]) for picture in golden_pictures()] == list(SIZES)
    for picture in golden_pictures():
        assert picture.min() < 20
        assert picture.max() > 235


def test_logits_are_those_of_the_pictures_own_preprocessing(tiny: Classifier) -> None:
    """Through a PNG file and back changes nothing: the same as straight from the tensor."""
    straight = [tiny.probabilities(to_float(picture).unsqueeze(0)) for picture in golden_pictures()]
    through = torch.tensor(golden_logits(tiny)).softmax(dim=1)
    torch.testing.assert_close(through, torch.cat(straight), rtol=1e-5, atol=1e-6)


def test_disagreement_is_relative(tiny: Classifier) -> None:
    """None with itself; 0.1 added to one logit counts 0.1 / (1 + the largest)."""
    recorded = golden_logits(tiny)
    assert disagreement(tiny, recorded) < 1e-6
    largest = max(abs(value) for row in recorded for value in row)
    recorded[2][1] += 0.1
    assert abs(disagreement(tiny, recorded) - 0.1 / (1 + largest)) < 0.01


def test_a_record_of_another_shape_never_agrees(tiny: Classifier) -> None:
    recorded = golden_logits(tiny)
    for other in ([], [[]], recorded[:3], [row[:2] for row in recorded], [*recorded[:3], recorded[3][:1]]):
        assert disagreement(tiny, other) == float("inf")
