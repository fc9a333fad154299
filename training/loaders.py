"""Photos -> batches: random crops to train on, and the serving preprocessing to measure with."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2

from models.preprocessing import preprocess, to_float
from models.spec import Spec
from training.recipe import Recipe
from training.scan import UNDECODABLE, Photo, read_picture
from training.sources import BadData, Source
from training.workers import begin_worker, context

Batch = tuple[Tensor, Int64[Tensor, " n"]]
"""Pixels [n, 3, h, w] and class indices."""


@dataclass(frozen=True)
class Labelled:
    """Photos of one side of the split, with the index of each folder's class."""

    source: Source
    photos: Sequence[Photo]
    index_of: Mapping[str, int]

    def __len__(self) -> int:
        return len(self.photos)

    @property
    def labels(self) -> Int64[Tensor, " n"]:
        """Class indices, in the order of the photos."""
        return torch.tensor([self.index_of[photo.folder] for photo in self.photos])


class _Pictures(Dataset[Batch]):
    """One photo at a time; the loader stacks them."""

    def __init__(self, labelled: Labelled, transform: Callable[[UInt8[Tensor, "3 h w"], int], Tensor]) -> None:
        self.labelled = labelled
        self.transform = transform

    def __len__(self) -> int:
        return len(self.labelled)

    def __getitem__(self, index: int) -> Batch:
        photo = self.labelled.photos[index]
        try:
            pixels = read_picture(self.labelled.source, photo.name).pixels
        except UNDECODABLE as error:
            raise BadData(f"{photo.name} could be decoded before and now cannot: was it changed?") from error
        return self.transform(pixels, index), torch.tensor(self.labelled.index_of[photo.folder])


@dataclass(frozen=True)
class _Served:
    """What the service would show the network: [3, s, s] in [0, 1]."""

    spec: Spec

    def __call__(self, pixels: UInt8[Tensor, "3 h w"], index: int) -> Float[Tensor, "3 s s"]:
        return preprocess(to_float(pixels).unsqueeze(0), self.spec)[0]


class _Augmented:
    """A random crop, perhaps mirrored: uint8 [3, size, size], decided by seed, epoch and photo alone.

    So a resumed run, or one with another number of workers, sees the same crops.
    """

    def __init__(self, recipe: Recipe, size: int, epoch: int) -> None:
        self.key = f"{recipe.seed}:{epoch}"
        self.transform = v2.Compose(
            [v2.RandomResizedCrop(size, scale=recipe.crop_scale, antialias=True), v2.RandomHorizontalFlip(recipe.flip)]
        )

    def __call__(self, pixels: UInt8[Tensor, "3 h w"], index: int) -> UInt8[Tensor, "3 s s"]:
        # torchvision's transforms draw from torch's one generator, whose state is dropout's too.
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(stable_seed(f"{self.key}:{index}"))
            cropped: Tensor = self.transform(pixels)
            return cropped


def stable_seed(text: str) -> int:
    """A seed of 63 bits, the same in every process and version."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def training_batches(labelled: Labelled, recipe: Recipe, *, size: int, epoch: int, workers: int) -> DataLoader[Batch]:
    """Shuffled batches of random crops, uint8 [n, 3, size, size]; the last, smaller one is left out if not alone."""
    order = torch.Generator().manual_seed(stable_seed(f"{recipe.seed}:{epoch}:order"))
    return DataLoader(
        _Pictures(labelled, _Augmented(recipe, size, epoch)),
        batch_size=min(recipe.batch_size, len(labelled)),
        shuffle=True,
        drop_last=True,
        generator=order,
        num_workers=workers,
        multiprocessing_context=context() if workers else None,
        worker_init_fn=begin_worker,
        pin_memory=torch.cuda.is_available(),
    )


def serving_batches(labelled: Labelled, spec: Spec, *, batch_size: int, workers: int) -> DataLoader[Batch]:
    """Batches in order as the service would see them, float [n, 3, s, s] in [0, 1]."""
    return DataLoader(
        _Pictures(labelled, _Served(spec)),
        batch_size=batch_size,
        num_workers=workers,
        multiprocessing_context=context() if workers else None,
        worker_init_fn=begin_worker,
        pin_memory=torch.cuda.is_available(),
    )


def steps_per_epoch(photos: int, batch_size: int) -> int:
    """How many batches `training_batches` gives."""
    return max(1, photos // batch_size)
