"""Tests the synthetic pictures whose stored logits show whether a checkpoint still works as it did when saved."""

import hashlib

import torch

from models.classifier import Classifier
from models.golden import SIZES, disagreement, golden_logits, golden_pictures
from models.preprocessing import to_float


def test_the_golden_pictures_never_change() -> None:
    """Every stored checkpoint relies on them, so the SHA-256 digest of all their pixels is fixed here."""
    digest = hashlib.sha256()
    for picture in golden_pictures():
        digest.update(picture.numpy().tobytes())
    assert digest.hexdigest() == "0ea6829eed80fb466459a6e6b9e581824d571b6f6d5b4d6b4def4b5f2a6c098e"


def test_the_golden_pictures_have_their_sizes_and_use_most_levels() -> None:
    assert [tuple(picture.shape[1:]) for picture in golden_pictures()] == list(SIZES)
    for picture in golden_pictures():
        assert picture.min() < 20
        assert picture.max() > 235


def test_golden_logits_are_those_of_the_pictures(tiny: Classifier) -> None:
    """A PNG file is lossless, so the probabilities are the same as those of the tensors themselves."""
    from_tensors = [tiny.probabilities(to_float(picture).unsqueeze(0)) for picture in golden_pictures()]
    from_files = torch.tensor(golden_logits(tiny)).softmax(dim=1)
    torch.testing.assert_close(from_files, torch.cat(from_tensors), rtol=1e-5, atol=1e-6)


def test_disagreement_is_relative_to_the_largest_logit(tiny: Classifier) -> None:
    """A classifier agrees with itself; 0.1 added to one logit gives 0.1 / (1 + the largest logit)."""
    recorded = golden_logits(tiny)
    assert disagreement(tiny, recorded) < 1e-6
    largest = max(abs(value) for row in recorded for value in row)
    recorded[2][1] += 0.1
    assert abs(disagreement(tiny, recorded) - 0.1 / (1 + largest)) < 0.01


def test_recorded_logits_of_another_shape_never_agree(tiny: Classifier) -> None:
    recorded = golden_logits(tiny)
    for misshapen in ([], [[]], recorded[:3], [row[:2] for row in recorded], [*recorded[:3], recorded[3][:1]]):
        assert disagreement(tiny, misshapen) == float("inf")
