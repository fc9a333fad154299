from pathlib import Path

import pytest
import torch

from models.pictures import decode
from models.preprocessing import preprocess, to_float
from models.spec import Spec
from tests.training.drawn import write_gratings
from training.loaders import Labelled, serving_batches, steps_per_epoch, training_batches
from training.recipe import Recipe
from training.scan import Photo
from training.sources import BadData, open_source

SPEC = Spec("mobilenet_v3_small", ("x", "y"), input_size=32, resize=36)
RECIPE = Recipe(batch_size=4)


@pytest.fixture
def data(tmp_path: Path) -> Labelled:
    source = open_source(write_gratings(tmp_path / "data", {"x": 5, "y": 5}))
    files = [name for name in source.names if name.endswith(".png")]
    return Labelled(source, [Photo(name, name[0], name) for name in files], {"x": 0, "y": 1})


def epoch(data: Labelled, number: int, workers: int = 0) -> torch.Tensor:
    return torch.cat([pixels for pixels, _ in training_batches(data, RECIPE, size=24, epoch=number, workers=workers)])


def test_validation_sees_what_the_service_shows(data: Labelled) -> None:
    """Each row is models.preprocess of the decoded file, and the labels are in order."""
    pixels, labels = zip(*serving_batches(data, SPEC, batch_size=4, workers=0), strict=True)
    for row, photo in zip(torch.cat(pixels), data.photos, strict=True):
        expected = preprocess(to_float(decode(data.source.read(photo.name))).unsqueeze(0), SPEC)[0]
        assert torch.equal(row, expected)
    assert torch.equal(torch.cat(labels), data.labels)
    assert data.labels.tolist() == [0] * 5 + [1] * 5


def test_an_epoch_is_decided_by_seed_and_number(data: Labelled) -> None:
    first = epoch(data, 3)
    torch.manual_seed(1)  # what others draw does not matter
    assert first.dtype == torch.uint8 and first.shape == (8, 3, 24, 24)
    assert torch.equal(first, epoch(data, 3))
    assert not torch.equal(first, epoch(data, 4))


def test_augmentation_leaves_others_chance_alone(data: Labelled) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    list(training_batches(data, RECIPE, size=24, epoch=0, workers=0))
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.slow
def test_workers_change_nothing(data: Labelled) -> None:
    assert torch.equal(epoch(data, 3, workers=2), epoch(data, 3))


def test_steps_are_counted_as_the_loader_gives_them(data: Labelled) -> None:
    for batch_size in (1, 3, 4, 10, 64):
        batches = training_batches(data, Recipe(batch_size=batch_size), size=24, epoch=0, workers=0)
        assert len(list(batches)) == steps_per_epoch(len(data), batch_size)


def test_a_photo_that_was_changed_since_is_named(data: Labelled) -> None:
    (data.source.path / "x" / "0.png").write_bytes(b"gone bad")
    with pytest.raises(BadData, match=r"x/0\.png could be decoded before"):
        list(serving_batches(data, SPEC, batch_size=4, workers=0))
