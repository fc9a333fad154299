"""Files that would run code: they create a file when they are loaded by something that runs what is in them."""

import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from training.importing.pickles import LEGACY_MAGIC


class CreatesAFile:
    """An object whose pickle, when it is loaded without care, creates a file."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.file,)


def python(marker: Path) -> str:
    """Code that creates a file when it is imported."""
    return f"import pathlib\npathlib.Path({str(marker)!r}).touch()\n"


def proves_itself(file: Path, marker: Path) -> None:
    """Check that the pickle is malicious: loaded without care it creates the file, which is deleted again."""
    torch.load(file, weights_only=False)
    assert marker.is_file()
    marker.unlink()


def deflated(file: Path, weights: dict[str, Tensor]) -> Path:
    """Write weights as torch.save does, but with compressed members."""
    torch.save(weights, file)
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file


def pickled(content: object) -> bytes:
    """A plain pickle, without PyTorch's archive around it."""
    return pickle.dumps(content)


class Calls:
    """Pickled, it is a call of a function with these arguments."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return self.call


def legacy(file: Path, content: object) -> Path:
    """Write what torch.save wrote before PyTorch 1.6, with a pickle of this content and no storages."""
    sizes = {"protocol_version": 1001, "little_endian": True, "type_sizes": {"short": 2, "int": 4, "long": 4}}
    with file.open("wb") as stream:
        for value in (LEGACY_MAGIC, 1001, sizes, content, []):
            pickle.dump(value, stream, 2)
    return file
