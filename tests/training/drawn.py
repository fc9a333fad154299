"""Data sets drawn by code: gratings whose direction and colour depend on their class, and pretrained weights."""

import copy
import io
import zipfile
from functools import cache
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

from models import architectures
from tests.networks import normalise_by

ARCHITECTURE = "shufflenet_v2_x0_5"
"""What most tests train: the network of torchvision with the fewest weights, which has batch norms."""
OF_BLOCKS = "mobilenet_v3_small"
"""A network of many blocks, with dropout."""


def grating(label: int, seed: int, side: int = 48) -> Image.Image:
    """Stripes of random phase and width: class 0 reddish and upright, class 1 bluish and level, class 2 greenish."""
    random = np.random.Generator(np.random.PCG64([label, seed]))
    down, across = np.mgrid[0:side, 0:side] / side
    along = down if label % 2 else across
    wave = np.sin(2 * np.pi * random.uniform(2, 4) * along + random.uniform(0, 6))
    picture = np.full((side, side, 3), 70.0) + 30 * wave[..., None] + random.normal(scale=5, size=(side, side, 3))
    picture[..., (0, 2, 1)[label]] += 120
    return Image.fromarray(picture.clip(0, 255).astype(np.uint8))


def encoded(image: Image.Image, format: str = "PNG") -> bytes:
    """The picture as a file."""
    buffer = io.BytesIO()
    image.save(buffer, format)
    return buffer.getvalue()


def write_gratings(folder: Path, counts: dict[str, int], side: int = 48, mode: str = "RGB", seed: int = 0) -> Path:
    """Write a folder with a number of gratings for every class; the first class has label 0. Mode "L" has no colours.

    Another `seed` draws other gratings.
    """
    for label, (name, count) in enumerate(counts.items()):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            (folder / name / f"{number}.png").write_bytes(encoded(grating(label, seed + number, side).convert(mode)))
    return folder


def zipped(folder: Path, archive: Path, prefix: str = "") -> Path:
    """A zip of the folder's files, below `prefix`."""
    with zipfile.ZipFile(archive, "w") as opened:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                opened.write(file, prefix + file.relative_to(folder).as_posix())
    return archive


def trained_looking(classes: int, seed: int = 0, architecture: str = ARCHITECTURE) -> nn.Module:
    """A network with random weights; without the batch norm statistics of gratings, all logits would be equal."""
    return copy.deepcopy(_trained_looking(classes, seed, architecture))


@cache
def _trained_looking(classes: int, seed: int, architecture: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = architectures.build(architecture, classes)
        levels = np.stack([np.asarray(grating(number % 3, number)) for number in range(24)])
        pixels = torch.from_numpy(levels).permute(0, 3, 1, 2) / 255
        return normalise_by(network, pixels)


def write_pretrained(path: Path, seed: int = 0) -> Path:
    """A `trained_looking` network with a head of 10 classes, as a state_dict in a .pth file."""
    torch.save(trained_looking(10, seed).state_dict(), path)
    return path
