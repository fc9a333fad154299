"""Checks what is in a file that torch.save wrote before PyTorch loads it."""

import io
import pickle
import zipfile
from pathlib import Path
from typing import IO

import torch

from models.program.graph import BadProgram
from training.importing.archive import Archive, opened
from training.importing.pickles import LARGEST_PICKLE, TOO_LONG, check_pickle
from training.importing.sketch import BadPickle, Outline

ZIP, PICKLE = b"PK\3\4", "data.pkl"
"""How a zip begins, which torch.save writes, and its member with the objects."""


class BadWeightsFile(ValueError):
    """A file that has no plain weights in it, or that is damaged or hostile."""


def check_contents(file: Path) -> Outline:
    """The outline of what is in the file.

    Raises BadWeightsFile for a file that would become larger than it is, for a zip in which PyTorch finds other members
    than Python, and for a TorchScript program.
    """
    size = file.stat().st_size
    with file.open("rb") as stream:
        begin = stream.read(len(ZIP))
        stream.seek(0)
        if begin == ZIP:
            return _check_archive(file, size)
        if begin[:1] == pickle.PROTO:
            return _check_pickle(stream, size, file)
    raise BadWeightsFile(f"{file.name} is no file that torch.save wrote, or is damaged: copy or save it again")


def _check_pickle(stream: IO[bytes], size: int, file: Path) -> Outline:
    try:
        return check_pickle(stream, size)
    except BadPickle as error:
        raise _unreadable(file, str(error)) from error


def _unreadable(file: Path, reason: str) -> BadWeightsFile:
    return BadWeightsFile(
        f"{file.name} cannot be read as weights: {reason}. Save the network's state_dict() alone, where you trust the "
        "file, or copy it again if it is damaged"
    )


def _check_archive(file: Path, size: int) -> Outline:
    try:
        with opened(file) as archive:
            if PICKLE not in archive.names or not _is_read_alike(file, archive):
                raise BadWeightsFile(f"{file.name} is no file that torch.save wrote, or is damaged: save it again")
            if archive.places[PICKLE][1] > LARGEST_PICKLE:
                raise _unreadable(file, TOO_LONG)
            return _check_pickle(io.BytesIO(archive.read(PICKLE)), size, file)
    except BadProgram as error:
        if _is_torchscript(file):
            raise BadWeightsFile(
                f"{file.name} is a TorchScript program, which is not run: export the network with torch.export.export "
                "and torch.export.save instead (.pt2), or save its state_dict()"
            ) from error
        raise BadWeightsFile(f"{file.name}: {error}") from error


def _is_read_alike(file: Path, archive: Archive) -> bool:
    """Whether PyTorch finds the same members as Python in a zip; each searches for its directory in its own way."""
    try:
        with file.open("rb") as stream:
            reader = torch._C.PyTorchFileReader(stream)
            return set(reader.get_all_records()) == set(archive.names) and all(
                (reader.get_record_offset(name), reader.get_record_size(name)) == place  # type: ignore[attr-defined]
                for name, place in archive.places.items()
            )
    except (RuntimeError, ValueError):
        return False


def _is_torchscript(file: Path) -> bool:
    try:
        with zipfile.ZipFile(file) as archive:
            return any(name.split("/")[1:2] == ["code"] for name in archive.namelist())
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False
