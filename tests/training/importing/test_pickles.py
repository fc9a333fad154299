"""Pickles that would make something larger than the file are noticed before PyTorch's loader sees them."""

import io
import pickle
import struct
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.training.importing.malicious import Calls, legacy
from training.importing.contents import BadWeightsFile
from training.importing.pickles import LARGEST_PICKLE, _load, check_pickle
from training.importing.sketch import BadPickle, Outline
from training.importing.weights_file import read_weights


class Storages(pickle.Pickler):
    """Pickles a torch.FloatStorage as the identifier of a storage of so many numbers."""

    def __init__(self, stream: io.BytesIO, count: object) -> None:
        super().__init__(stream, 2)
        self.count = count

    def persistent_id(self, value: object) -> object:
        return ("storage", torch.FloatStorage, "0", "cpu", self.count) if value == "weights" else None


def claiming(count: object) -> io.BytesIO:
    stream = io.BytesIO()
    Storages(stream, count).dump({"fc.weight": "weights"})
    stream.seek(0)
    return stream


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        (bytearray, (2 * 10**9,)),
        (torch.Tensor, (5 * 10**8,)),
        (torch.FloatStorage, (5 * 10**8,)),
        (torch.UntypedStorage, (2 * 10**9,)),
        (torch.nn.Parameter, ()),
    ],
)
def test_nothing_is_made_of_a_size_that_the_file_names(
    tmp_path: Path, function: Callable[..., Any], arguments: tuple[int, ...]
) -> None:
    """PyTorch's loader would make it: 2 GB for a file of less than 300 bytes."""
    file = legacy(tmp_path / "weights.pth", {"fc.weight": Calls(function, *arguments)})
    assert file.stat().st_size < 400
    with pytest.raises(BadWeightsFile, match=rf"as weights: it makes a [\w.]*{function.__name__}"):
        read_weights(file)


def test_storages_fit_into_the_file() -> None:
    """Of 25 float32 numbers in 100 bytes, and of one more."""
    check_pickle(claiming(25), 100)
    with pytest.raises(BadPickle, match="claim to have more numbers than the file"):
        check_pickle(claiming(26), 100)
    for count in (-1, "many", 2.0, None):
        with pytest.raises(BadPickle, match="a storage without a size"):
            check_pickle(claiming(count), 100)


def test_buffers_longer_than_the_file_are_not_made() -> None:
    """BYTEARRAY8 and BINBYTES8 have a length of 8 bytes, after which the file ends."""
    for code in (pickle.BYTEARRAY8, pickle.BINBYTES8, pickle.BINUNICODE8):
        with pytest.raises(BadPickle, match="it is damaged, or no file of PyTorch"):
            check_pickle(io.BytesIO(b"\x80\x05" + code + struct.pack("<Q", 10**10) + b"abc"), 100)


def test_a_memo_with_a_huge_index_takes_no_memory() -> None:
    """Loaded in C, it would be an array of 2 billion pointers."""
    check_pickle(io.BytesIO(b"\x80\x02K\x01r" + struct.pack("<I", 2**31) + b"."), 100)


@pytest.mark.parametrize("zipped", [True, False])
def test_what_training_scripts_store_passes(tmp_path: Path, zipped: bool) -> None:
    network = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4))
    optimiser = torch.optim.AdamW(network.parameters())
    content = {
        "state_dict": OrderedDict(network.half().state_dict()),
        "optimizer": optimiser.state_dict(),
        "parameter": network[0].weight,
        "classes": {"cat", "dog"},
        "size": torch.Size([1, 2]),
        "accuracy": np.float64(0.5).item(),
    }
    torch.save(content, tmp_path / "weights.pth", _use_new_zipfile_serialization=zipped)
    weights = read_weights(tmp_path / "weights.pth").weights
    assert {key: tensor.shape for key, tensor in weights.items()} == {
        key: tensor.shape for key, tensor in network.state_dict().items()
    }


def test_a_compressed_zip_with_more_behind_it_is_refused(tmp_path: Path) -> None:
    """Python finds no zip in the file, since its end is too far away, but PyTorch does."""
    import zipfile

    torch.save({"fc.weight": torch.zeros(1000, 1000)}, tmp_path / "plain.pth")
    with zipfile.ZipFile(tmp_path / "plain.pth") as plain:
        members = {name: plain.read(name) for name in plain.namelist()}
    file = tmp_path / "weights.pth"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    file.write_bytes(file.read_bytes() + bytes(66_000))
    assert not zipfile.is_zipfile(file) and torch.load(file, weights_only=True)["fc.weight"].numel() == 10**6
    with pytest.raises(BadWeightsFile, match="no archive, or a damaged one"):
        read_weights(file)


@pytest.mark.parametrize("kind", [torch.FloatTensor, torch.LongTensor, torch.nn.Parameter])
def test_no_kind_of_tensor_is_made(tmp_path: Path, kind: Callable[..., Any]) -> None:
    """Its numbers would be what the memory of the process has."""
    file = legacy(tmp_path / "weights.pth", {"fc.weight": Calls(kind, 1000)})
    with pytest.raises(BadWeightsFile, match="as weights: it makes a torch"):
        read_weights(file)


def test_a_storage_has_one_size() -> None:
    """The loader takes the first one; the last would be counted."""
    stream = io.BytesIO()
    pickler = Storages(stream, 10**9)
    pickler.dump("weights")
    outline = Outline(storages={"0": 0})
    with pytest.raises(BadPickle, match="a storage of two sizes"):
        _load(io.BytesIO(stream.getvalue()), outline)


def test_keys_are_plain() -> None:
    """The hash of a tuple that has another one twice, which has another one twice, and so on takes forever."""
    nested: object = ()
    for _ in range(60):
        nested = (nested, nested)
    dictionary = b"\x80\x02}" + pickle.dumps(nested, 2)[2:-1] + b"K\x01s."
    with pytest.raises(BadPickle, match="a key of one of its dictionaries is no text"):
        check_pickle(io.BytesIO(dictionary), 1000)


def test_text_in_an_unusual_encoding_is_refused(tmp_path: Path) -> None:
    """That of punycode takes a time that grows with the square of its length."""
    import codecs

    file = legacy(tmp_path / "weights.pth", {"a": Calls(codecs.encode, "text", "punycode")})
    with pytest.raises(BadWeightsFile, match="text in an unusual encoding"):
        read_weights(file)


@pytest.mark.parametrize(
    "content",
    [
        Calls(np.dtype, "V2000000000", False, True),
        Calls(np.dtype, "O", False, True),
        Calls(np.dtype, [("a", "f8", (2**28,))], False, True),
        Calls(np._core.multiarray.scalar, Calls(np.dtype, "V2000000000", False, True)),
        Calls(np.dtype),
        np.zeros(1, dtype=[("a", "f8", (4,))]).dtype,
    ],
    ids=["bytes", "objects", "arrays", "a number", "nothing", "fields"],
)
def test_numbers_of_numpy_have_a_usual_size(tmp_path: Path, content: object) -> None:
    """The library makes numbers of any type that the file describes, without the bytes for them."""
    with pytest.raises(BadWeightsFile, match="holds more than weights \\(text or records of NumPy\\)"):
        read_weights(legacy(tmp_path / "weights.pth", {"a": content}))


def test_a_type_that_is_no_text_is_not_written_out() -> None:
    """It is a tuple that has another one twice, and so on: as text it would fill the memory."""
    nested = b"\x80\x02cnumpy\ndtype\nU\x01a" + b"2\x86" * 60 + b"\x85R."
    with pytest.raises(BadPickle, match="more values"):
        check_pickle(io.BytesIO(nested), 1000)
    state = pickle.dumps(np.dtype("f8"), 2)[:-2] + b"0U\x01a" + b"2\x86" * 60 + b"b."
    assert check_pickle(io.BytesIO(state), 1000).unusual


def test_attributes_of_parameters_take_the_place_of_nothing(tmp_path: Path) -> None:
    """A file may give a parameter an attribute called like a method of tensors."""
    parameter = torch.nn.Parameter(torch.ones(2, 3))
    parameter.numel = 5  # type: ignore[assignment,method-assign]
    torch.save({"fc.weight": parameter}, tmp_path / "weights.pth")
    (weight,) = read_weights(tmp_path / "weights.pth").weights.values()
    assert weight.numel() == 6


def test_a_pickle_has_a_largest_size(tmp_path: Path) -> None:
    """Each byte of these is a dictionary of its own, of 150 bytes."""
    with pytest.raises(BadPickle, match="more than 10 MB beside the numbers"):
        check_pickle(io.BytesIO(b"\x80\x02(" + b"}" * LARGEST_PICKLE + b"t."), 10**9)
    torch.save({"a": torch.zeros(1), "text": "x" * LARGEST_PICKLE}, tmp_path / "weights.pth")
    with pytest.raises(BadWeightsFile, match="more than 10 MB beside the numbers"):
        read_weights(tmp_path / "weights.pth")
