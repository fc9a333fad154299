"""Batches of photos: random crops for training, and the preprocessing of the service for evaluation."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from models.preprocessing import preprocess, to_float
from models.spec import Spec
from training.data.loading.augment import Augment, Levels
from training.data.loading.photo_store import PhotoStore, shrink
from training.data.loading.plan import Key, Plan
from training.data.loading.workers import begin_worker, worker_context
from training.data.scan.findings import Photo
from training.data.scan.inspect_file import UNDECODABLE, pixel_digest, read_picture
from training.data.sources.source import BadData, Source

Batch = tuple[Tensor, Int64[Tensor, " n"]]
"""Pixels [n, 3, h, w] and class indices [n]."""

AHEAD = 4
"""Number of batches that each worker prepares in advance: enough for the time of saving, few enough for the memory."""


@dataclass(frozen=True)
class LabelledPhotos:
    """Photos, of one split for example, with the class index of each class folder.

    Pixels come from the store of decoded photos if there is one; otherwise each file is decoded, and shrunk to the
    `shorter` side that the store would have. Without `shorter` the pixels are those of the file.
    """

    source: Source
    photos: Sequence[Photo]
    index_of: Mapping[str, int]
    store: PhotoStore | None = None
    shorter: int | None = None

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def labels(self) -> Int64[Tensor, " n"]:
        """Class indices, in the order of the photos."""
        return torch.tensor([self.index_of[photo.folder] for photo in self.photos])

    def label(self, index: int) -> int:
        """The class index of one photo."""
        return self.index_of[self.photos[index].folder]

    def pixels(self, index: int) -> Levels:
        """One picture, uint8 [3, h, w]; raises BadData with the name of the file."""
        photo = self.photos[index]
        if self.store is not None and photo.digest in self.store:
            with suppress(OSError):  # the store is damaged, or another run has deleted it to make room
                return self.store.pixels(photo.digest)
        try:
            pixels = read_picture(self.source, photo.name).pixels
        except UNDECODABLE as error:
            raise BadData(
                f"{photo.name} can no longer be decoded: it was changed after the scan; repeat the command"
            ) from error
        if pixel_digest(pixels) != photo.digest:
            # Otherwise it would be used under the digest of another picture.
            raise BadData(f"{photo.name} was changed after the scan: repeat the command")
        return pixels if self.shorter is None else shrink(pixels, self.shorter)


def evenly_spaced(count: int, total: int) -> list[int]:
    """`count` indices below `total`, evenly spaced; all of them where `total` is at most `count`."""
    count = min(count, total)
    return [number * total // count for number in range(count)]


class _Crops(Dataset[Batch]):
    """The training crops, by the keys of the plan."""

    def __init__(self, labelled: LabelledPhotos, augment: Augment) -> None:
        self.labelled, self.augment = labelled, augment

    def __getitem__(self, key: Key) -> Batch:
        index = key[2]
        return self.augment(self.labelled.pixels(index), key), torch.tensor(self.labelled.label(index))


class _ServingPictures(Dataset[Batch]):
    """Photos preprocessed as in the service: float [3, s, s] in [0, 1]."""

    def __init__(self, labelled: LabelledPhotos, spec: Spec) -> None:
        self.labelled, self.spec = labelled, spec

    def __len__(self) -> int:
        return len(self.labelled)

    def __getitem__(self, index: int) -> tuple[Float[Tensor, "3 s s"], Tensor]:
        pixels = to_float(self.labelled.pixels(index)).unsqueeze(0)
        return preprocess(pixels, self.spec)[0], torch.tensor(self.labelled.label(index))


def training_batches(
    labelled: LabelledPhotos, plan: Plan, start: int, *, workers: int, rank: int = 0, ranks: int = 1
) -> Iterable[Batch]:
    """The plan's batches from step `start` on: uint8 crops [n, 3, size, size].

    One loader serves all epochs: its workers are started once, and prepare the next epoch during the validation of this
    one. Of a process group each process gets its part of every batch.
    """
    crops, batches = _Crops(labelled, Augment(plan.recipe)), _PlanSampler(plan, start, rank, ranks)
    # The type hints of DataLoader allow only indices; in fact it passes on whatever the sampler yields.
    return DataLoader(crops, batch_sampler=batches, **_options(workers))


@dataclass(frozen=True)
class _PlanSampler:
    """The batches of the plan, as a batch sampler."""

    plan: Plan
    start: int
    rank: int
    ranks: int

    def __iter__(self) -> Iterator[list[Key]]:
        return self.plan.batches(self.start, rank=self.rank, ranks=self.ranks)


def serving_batches(labelled: LabelledPhotos, spec: Spec, *, batch_size: int, workers: int) -> DataLoader[Batch]:
    """Batches in order, preprocessed as in the service: float [n, 3, s, s] in [0, 1]. Can be iterated repeatedly."""
    return DataLoader(
        _ServingPictures(labelled, spec), batch_size=batch_size, persistent_workers=workers > 0, **_options(workers)
    )


def _options(workers: int) -> dict[str, Any]:
    return {
        "num_workers": workers,
        "prefetch_factor": AHEAD if workers else None,
        "multiprocessing_context": worker_context() if workers else None,
        "worker_init_fn": begin_worker,
        "pin_memory": torch.cuda.is_available(),
        "generator": torch.Generator(),  # seeds of workers come from it, so that the global generator stays as it is
    }
