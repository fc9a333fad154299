"""What Python sees in a file of weights before PyTorch loads it is what PyTorch loads."""

import io
import pickle
import struct
import zipfile
from pathlib import Path

import pytest
import torch

from training.importing.contents import BadWeightsFile
from training.importing.weights_file import read_weights


def large_buffer() -> bytes:
    """A pickle that makes a buffer of 50 MB."""
    buffer = b"c__builtin__\nbytearray\nJ" + struct.pack("<i", 50_000_000) + b"\x85R"
    return b"\x80\x02}(X\x01\x00\x00\x00x" + buffer + b"X\x01\x00\x00\x00yK\x01u."


def with_pickle(file: Path, name: str, content: bytes) -> bytes:
    """Return the bytes of a zip like that of torch.save, with this member in place of data.pkl."""
    torch.save({"a.weight": torch.arange(4.0)}, file)
    stream = io.BytesIO()
    with zipfile.ZipFile(file) as saved, zipfile.ZipFile(stream, "w") as archive:
        for member in saved.namelist():
            is_pickle = member.endswith("data.pkl")
            archive.writestr(f"weights/{name}" if is_pickle else member, content if is_pickle else saved.read(member))
    return stream.getvalue()


def test_a_pickle_by_another_name_is_refused(tmp_path: Path) -> None:
    """PyTorch takes DATA.PKL for data.pkl."""
    file = tmp_path / "weights.pth"
    file.write_bytes(with_pickle(file, "DATA.PKL", large_buffer()))
    assert len(torch.load(file, weights_only=True)["x"]) == 50_000_000
    with pytest.raises(BadWeightsFile, match=r"no file that torch\.save wrote"):
        read_weights(file)


def test_a_zip_with_two_directories_is_refused(tmp_path: Path) -> None:
    """Python takes the one before the end of the file, and PyTorch the one that the end of the file names."""
    file = tmp_path / "weights.pth"
    harmless = pickle.dumps({"y": 1}, 2)
    other = with_pickle(file, "data.pkl", large_buffer())
    shown = with_pickle(file, "data.pkl", harmless.ljust(len(large_buffer()), b"\0"))
    end = shown.rindex(b"PK\5\6")
    assert other.rindex(b"PK\5\6") == end
    # The end of the file has the offset of the first directory; Python looks the length of the directory before it.
    file.write_bytes(other[:end] + shown)
    with zipfile.ZipFile(file) as archive:
        assert archive.read("weights/data.pkl").startswith(harmless)
    assert len(torch.load(file, weights_only=True)["x"]) == 50_000_000
    with pytest.raises(BadWeightsFile, match=r"no file that torch\.save wrote"):
        read_weights(file)
