"""Tests reading checkpoint files that others change meanwhile."""

import io
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from models.checkpoint import BadCheckpoint, StillBeingWritten, read, save
from models.spec import Spec


@pytest.fixture
def path(tmp_path: Path, squeezenet: nn.Module, squeezenet_spec: Spec) -> Path:
    save(tmp_path / "insects.safetensors", squeezenet, squeezenet_spec, {})
    return tmp_path / "insects.safetensors"


def test_weights_do_not_change_with_the_file(path: Path) -> None:
    """Overwritten in place with zeros and then truncated, which ends a process that has mapped the file."""
    weights = read(path).weights
    before = {key: weight.clone() for key, weight in weights.items()}
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
    os.truncate(path, 0)
    assert all(torch.equal(weights[key], weight) for key, weight in before.items())


@pytest.mark.parametrize("change", ["longer", "same size"])
def test_a_file_that_is_changed_while_it_is_read_is_still_being_written(
    path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    class Changed(io.FileIO):
        """A file that somebody else writes to as soon as it has been read."""

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            if change == "longer":
                with path.open("ab") as file:
                    file.write(b"more")
            else:
                os.utime(path, ns=(0, 0))
            return data

    open_file = Path.open
    monkeypatch.setattr(Path, "open", lambda self, mode: Changed(self) if mode == "rb" else open_file(self, mode))
    with pytest.raises(StillBeingWritten, match=r"insects\.safetensors was changed while it was read: wait"):
        read(path)


def test_a_folder_and_a_type_of_numbers_that_pytorch_lacks_are_bad_checkpoints(path: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.safetensors").mkdir()
    with pytest.raises(BadCheckpoint, match=r"folder\.safetensors is no file but a folder"):
        read(tmp_path / "folder.safetensors")
    save_file({"weight": torch.zeros(10, dtype=torch.uint8)}, path)
    path.write_bytes(path.read_bytes().replace(b'"U8"', b'"F4"').replace(b"[10]", b"[20]"))
    with pytest.raises(BadCheckpoint, match=r"damaged one \('F4'\)"):
        read(path)
