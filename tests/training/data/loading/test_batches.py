from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.pictures import decode
from models.preprocessing import preprocess, to_float
from models.spec import Spec
from tests.training.drawn import write_gratings
from training.data.loading.batches import LabelledPhotos, evenly_spaced, serving_batches, training_batches
from training.data.loading.photo_store import PhotoStore, PhotoStoreWriter, shrink
from training.data.loading.plan import Plan
from training.data.scan.findings import Photo
from training.data.scan.inspect_file import inspect_file
from training.data.sources.open_source import open_source
from training.data.sources.source import BadData
from training.recipe import Recipe

SPEC = Spec("mobilenet_v3_small", ("x", "y"), input_size=32, resize=36)
PLAN = Plan(Recipe(batch_size=4, epochs=2, full_size_epochs=1), 10, 24, 32)
SIDE = 40


@pytest.fixture
def data(tmp_path: Path) -> LabelledPhotos:
    source = open_source(write_gratings(tmp_path / "data", {"x": 5, "y": 5}))
    files = [name for name in source.names if name.endswith(".png")]
    photos = [Photo(name, name[0], inspect_file(source, name).digest) for name in files]
    return LabelledPhotos(source, photos, {"x": 0, "y": 1}, shorter=SIDE)


@pytest.fixture
def stored(data: LabelledPhotos, tmp_path: Path) -> LabelledPhotos:
    """The same photos, read from a store."""
    with PhotoStoreWriter(tmp_path / "cache", limit_bytes=10**6) as writer:
        for index, photo in enumerate(data.photos):
            writer.add(photo.digest, data.pixels(index))
        writer.finish(tmp_path / "cache" / "photos.pixels")
    return replace(data, store=PhotoStore(tmp_path / "cache" / "photos.pixels"))


def drawn(data: LabelledPhotos, start: int = 0, **options: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    return list(training_batches(data, PLAN, start, **{"workers": 0, **options}))


def same(first: list[tuple[torch.Tensor, torch.Tensor]], second: list[tuple[torch.Tensor, torch.Tensor]]) -> bool:
    pairs = zip(first, second, strict=True)
    return all(torch.equal(a[0], b[0]) and torch.equal(a[1], b[1]) for a, b in pairs)


def test_validation_batches_are_preprocessed_as_in_the_service(data: LabelledPhotos) -> None:
    """Every row is models.preprocess of the decoded file, and the labels are in the order of the photos."""
    exact = replace(data, shorter=None)
    pixels, labels = zip(*serving_batches(exact, SPEC, batch_size=4, workers=0), strict=True)
    for row, photo in zip(torch.cat(pixels), data.photos, strict=True):
        expected = preprocess(to_float(decode(data.source.read(photo.name))).unsqueeze(0), SPEC)[0]
        assert torch.equal(row, expected)
    assert torch.equal(torch.cat(labels), data.labels)
    assert data.labels.tolist() == [0] * 5 + [1] * 5


def test_a_run_is_two_epochs_of_whole_batches_at_growing_size(data: LabelledPhotos) -> None:
    shapes = [tuple(pixels.shape) for pixels, _ in drawn(data)]
    assert shapes == [(4, 3, 24, 24)] * 2 + [(4, 3, 32, 32)] * 2
    assert drawn(data)[0][0].dtype == torch.uint8


def test_batches_can_start_at_any_step(data: LabelledPhotos) -> None:
    """They do not depend on the state of torch's random number generator."""
    whole = drawn(data)
    torch.manual_seed(1)
    assert same(drawn(data, 3), whole[3:]) and same(drawn(data, 1), whole[1:])
    assert not same(whole[:1], whole[1:2])


def test_a_store_gives_the_same_batches_as_the_files(data: LabelledPhotos, stored: LabelledPhotos) -> None:
    """The stored pixels are the files' pixels, shrunk from 48 to 40; the files are no longer needed."""
    expected = drawn(data)
    assert stored.pixels(3).shape == (3, SIDE, SIDE)
    whole = decode(data.source.read(data.photos[3].name))
    assert torch.equal(stored.pixels(3), shrink(whole, SIDE))
    for photo in data.photos:
        (data.source.path / photo.name).unlink()
    assert same(drawn(stored), expected)


def test_two_processes_share_every_batch(data: LabelledPhotos) -> None:
    """Rank 0 has the photos at even places of the batch of a single process, and rank 1 the others."""
    whole, shares = drawn(data), [drawn(data, rank=rank, ranks=2) for rank in (0, 1)]
    for step, (pixels, labels) in enumerate(whole):
        for rank in (0, 1):
            assert torch.equal(shares[rank][step][0], pixels[rank::2])
            assert torch.equal(shares[rank][step][1], labels[rank::2])


def test_augmentation_does_not_use_torchs_random_number_generator(data: LabelledPhotos) -> None:
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    drawn(data)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.slow
def test_workers_change_nothing(data: LabelledPhotos, stored: LabelledPhotos) -> None:
    assert same(drawn(data, workers=2), drawn(data))
    assert same(drawn(stored, workers=2), drawn(data))


def test_a_photo_that_can_no_longer_be_decoded_is_named(data: LabelledPhotos) -> None:
    (data.source.path / "x" / "0.png").write_bytes(b"gone bad")
    with pytest.raises(BadData, match=r"x/0\.png can no longer be decoded"):
        list(serving_batches(data, SPEC, batch_size=4, workers=0))


def test_files_are_read_if_the_store_was_removed(data: LabelledPhotos, stored: LabelledPhotos) -> None:
    """Another run may remove the store before a worker has opened it."""
    assert stored.store is not None
    stored.store.path.unlink()
    assert same(drawn(stored), drawn(data))


def test_evenly_spaced_indices() -> None:
    assert (
        evenly_spaced(4, 10) == [0, 2, 5, 7]
        and evenly_spaced(3, 3) == [0, 1, 2]
        and evenly_spaced(5, 2) == [0, 1]
        and evenly_spaced(2, 0) == []
    )


def test_the_file_is_read_if_its_pixels_in_the_store_are_damaged(data: LabelledPhotos, stored: LabelledPhotos) -> None:
    assert stored.store is not None
    file = bytearray(stored.store.path.read_bytes())
    file[stored.store.rows[stored.photos[0].digest][0]] ^= 1
    stored.store.path.write_bytes(file)
    assert torch.equal(stored.pixels(0), data.pixels(0)) and torch.equal(stored.pixels(1), data.pixels(1))
