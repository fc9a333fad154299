"""Parses words of the command line: devices, names of classes, budgets, and names of data sets."""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import torch
from rich.console import Console

from models.classifier import choose_device
from training.cache import Cache
from training.data.sources.downloads import find_data
from training.data.sources.source import BadData
from training.recipe import BadRecipe

DATA_FOLDER = "data"
"""Sub-folder of the cache for data sets that are downloaded by name."""


def data_path(data: Path, cache: Cache, console: Console) -> Path:
    """The path itself, or the folder of the data set of that name, downloaded if need be; raises BadData."""
    return find_data(str(data), cache.folder / DATA_FOLDER, console)


def device_named(name: str) -> torch.device:
    """The device; raises BadRecipe where this machine has none of that name."""
    try:
        return choose_device(name)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise BadRecipe(f"the device {name!r} is not available ({reason}): choose cpu, cuda, mps or auto") from error


def renaming(pairs: Sequence[str]) -> dict[str, str]:
    """The class name of each folder, from FOLDER=CLASS pairs; raises BadData."""
    renamed = {}
    for pair in pairs:
        folder, _, name = pair.partition("=")
        if not folder or not name:
            raise BadData(f"--rename takes FOLDER=CLASS, not {pair!r}")
        renamed[folder] = name
    return renamed


def budgets(texts: Sequence[str]) -> tuple[float, ...]:
    """Numbers, or fractions like 4/255; raises BadRecipe."""
    try:
        return tuple(float(Fraction(text)) for text in texts)
    except (ValueError, ZeroDivisionError) as error:
        raise BadRecipe(f"--epsilon takes a number or a fraction like 4/255 ({error})") from error
