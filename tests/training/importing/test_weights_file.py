"""Files of weights as training scripts leave them: where the weights are, and what else is read."""

import argparse
import hashlib
import pathlib
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from tests.training.importing.weight_files import WRAPPERS, prefixed, write
from training.importing.contents import BadWeightsFile
from training.importing.prefixes import unwrapped
from training.importing.weights_file import (
    common_dtype,
    file_digest,
    full_precision,
    read_weights,
)


@pytest.fixture
def weights() -> dict[str, Tensor]:
    return {"conv.weight": torch.arange(6.0).reshape(1, 2, 1, 3), "fc.bias": torch.tensor([1.0, -1.0])}


def same(weights: dict[str, Tensor], expected: dict[str, Tensor]) -> bool:
    return set(weights) == set(expected) and all(torch.equal(weights[key], expected[key]) for key in expected)


def plain(weights: dict[str, Tensor], file: Path) -> dict[str, Tensor]:
    """Return the last of the forms of the weights in a file, which has no prefixes."""
    return [form for form, warnings in unwrapped(read_weights(file).weights) if not warnings][-1]


@pytest.mark.parametrize("kind", WRAPPERS)
@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".ckpt"])
def test_weights_are_found_in_what_scripts_save(
    tmp_path: Path, weights: dict[str, Tensor], kind: str, suffix: str
) -> None:
    """Of averaged weights and the last ones, which are 0 in that case, the averaged ones are taken."""
    assert same(plain(weights, write(tmp_path / f"weights{suffix}", WRAPPERS[kind](weights))), weights)


def test_safetensors_have_metadata(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    save_file(prefixed(weights, "module."), tmp_path / "weights.safetensors", {"license": "MIT"})
    stored = read_weights(tmp_path / "weights.safetensors")
    assert stored.metadata == {"license": "MIT"} and stored.classes is None
    assert same(plain(weights, tmp_path / "weights.safetensors"), weights)


def test_the_format_of_before_2020_is_read(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    torch.save(weights, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    assert same(dict(read_weights(tmp_path / "old.pth").weights), weights)


def test_parameters_and_options_of_a_script_are_harmless(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    """Parameters in place of tensors, a namespace of options, and paths."""
    content = {
        "model": {key: nn.Parameter(tensor) for key, tensor in weights.items()},
        "args": argparse.Namespace(lr=0.1, output_dir=Path("runs/1")),
        "epoch": 7,
    }
    stored = read_weights(write(tmp_path / "checkpoint.pth", content))
    assert stored.holder == "model" and same(dict(stored.weights), weights)


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before 2020"])
@pytest.mark.parametrize("kind", ["float64", "float32", "float16", "int64", "uint8", "bool"])
def test_numbers_of_numpy_are_harmless(tmp_path: Path, weights: dict[str, Tensor], kind: str, zipped: bool) -> None:
    content = {"state_dict": weights, "best_accuracy": np.dtype(kind).type(1), "kind": np.dtype(kind)}
    torch.save(content, tmp_path / "weights.pth", _use_new_zipfile_serialization=zipped)
    assert same(dict(read_weights(tmp_path / "weights.pth").weights), weights)


def test_averaged_weights_are_taken_if_they_are_whole(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    """Not the settings of the average, nor averages of some of the weights; both is said."""
    averaged = {key: tensor + 1 for key, tensor in weights.items()}
    stored = read_weights(write(tmp_path / "whole.pth", {"state_dict": weights, "ema": averaged}))
    assert same(dict(stored.weights), averaged)
    assert stored.warnings == ("the file has averaged weights (ema), and these are taken",)
    settings = {"decay": torch.tensor(0.999), "n_averaged": torch.tensor(5)}
    for ema in (settings, {"fc.bias": averaged["fc.bias"]}):
        stored = read_weights(write(tmp_path / "part.pth", {"state_dict": weights, "ema": ema}))
        assert stored.holder == "state_dict" and same(dict(stored.weights), weights)
        assert stored.warnings == ("the file has averaged weights (ema), but not of the whole network: not taken",)
    for ema in ({"decay": 0.9, **averaged}, {"decay": 0.9, "shadow": averaged}):
        stored = read_weights(write(tmp_path / "mixed.pth", {"state_dict": weights, "ema": ema}))
        assert stored.holder == "state_dict"
        assert stored.warnings == ("what the file has in ema may be averaged weights, and is not taken",)
    assert not read_weights(write(tmp_path / "off.pth", {"state_dict": weights, "ema": {"decay": 0.9}})).warnings
    with_counter = {**weights, "norm.num_batches_tracked": torch.tensor(3)}
    stored = read_weights(write(tmp_path / "counter.pth", {"state_dict": with_counter, "ema": averaged}))
    assert stored.holder == "ema"


def test_keys_that_are_no_text_become_text(tmp_path: Path) -> None:
    assert set(read_weights(write(tmp_path / "odd.pth", {0: torch.zeros(1), "a": torch.zeros(1)})).weights) == {
        "0",
        "a",
    }


@pytest.mark.parametrize(
    ("content", "what"),
    [
        ([1, 2], "it has a list"),
        (torch.zeros(3), "it has a Tensor"),
        ({}, "it is empty"),
        ({"epoch": 3, "optimizer": {}}, "it has: epoch, optimizer"),
        ({"state_dict": {}}, "it has: state_dict"),
        ({"state_dict": {"a": 5}}, "it has: state_dict"),
        ({"a" * 10_000: 1}, "it has: aaa"),
    ],
)
def test_a_file_without_weights_says_what_it_has(tmp_path: Path, content: object, what: str) -> None:
    with pytest.raises(BadWeightsFile, match="has no state_dict in it") as refused:
        read_weights(write(tmp_path / "other.pth", content))
    assert what in str(refused.value) and "torch.save(model.state_dict()" in str(refused.value)
    assert len(str(refused.value)) < 600


@pytest.mark.parametrize("name", ["missing.pth", "folder.pth", "empty.pth", "text.pth", "broken.safetensors"])
def test_unreadable_files_are_refused(tmp_path: Path, name: str) -> None:
    """The message has the name of the file."""
    (tmp_path / "folder.pth").mkdir()
    (tmp_path / "empty.pth").write_bytes(b"")
    for other in ("text.pth", "broken.safetensors"):
        (tmp_path / other).write_bytes(b"no weights at all")
    with pytest.raises(BadWeightsFile) as refused:
        read_weights(tmp_path / name)
    assert name in str(refused.value)


def test_a_file_that_was_cut_off_is_refused(tmp_path: Path, weights: dict[str, Tensor]) -> None:
    """At every length, in both formats."""
    torch.save(weights, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    for file in (
        write(tmp_path / "new.pth", weights),
        write(tmp_path / "w.safetensors", weights),
        tmp_path / "old.pth",
    ):
        content = file.read_bytes()
        for length in range(0, len(content), 53):
            file.write_bytes(content[:length])
            with pytest.raises(BadWeightsFile):
                read_weights(file)


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"content" * 1000)
    assert file_digest(tmp_path / "file") == hashlib.sha256(b"content" * 1000).hexdigest()


def test_the_common_type_is_that_of_all_floating_point_weights() -> None:
    """Whole numbers, such as counters, do not count."""
    half, single = torch.zeros(1, dtype=torch.float16), torch.zeros(1)
    assert common_dtype({"a": half, "n": torch.tensor(3)}) == "float16"
    assert common_dtype({"a": single.bfloat16()}) == "bfloat16"
    assert common_dtype({"a": half, "b": single}) == common_dtype({}) == "float32"


def test_full_precision_is_float32() -> None:
    weights = {name: torch.ones(2, dtype=getattr(torch, name)) for name in ("float16", "bfloat16", "float64", "int64")}
    assert {name: tensor.dtype for name, tensor in full_precision(weights).items()} == {
        **{name: torch.float32 for name in ("float16", "bfloat16", "float64")},
        "int64": torch.int64,
    }


class Callback:
    """Stands for the class of a callback, which Lightning stored as a key."""


@pytest.mark.parametrize("key", [(1, 2), np.int64(3), (1.5, "a")])
def test_usual_keys_of_dictionaries_are_read(tmp_path: Path, key: object) -> None:
    torch.save({"state_dict": {"a": torch.ones(2)}, "grid": {key: 3}}, tmp_path / "weights.pth")
    assert list(read_weights(tmp_path / "weights.pth").weights) == ["a"]


@pytest.mark.parametrize("content", [{Callback: 1}, b"", range(3)], ids=["a class", "bytes", "range"])
def test_what_pytorch_does_not_load_is_named_with_the_two_lines(tmp_path: Path, content: object) -> None:
    torch.save({"state_dict": {"a": torch.ones(2)}, "callbacks": content}, tmp_path / "weights.pth")
    with pytest.raises(BadWeightsFile, match=r'holds more than weights(?s:.)*torch\.save\(saved\["state_dict"\]'):
        read_weights(tmp_path / "weights.pth")


@pytest.mark.parametrize("module", ["pathlib", "pathlib._local"])
@pytest.mark.parametrize("kind", ["PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath"])
def test_paths_of_every_system_and_version_are_read(tmp_path: Path, module: str, kind: str) -> None:
    """Python 3.13 has its paths in pathlib._local."""
    file = tmp_path / "weights.pth"
    content = {"state_dict": {"a": torch.ones(2)}, "folder": pathlib.PurePosixPath("runs/1")}
    torch.save(content, file, _use_new_zipfile_serialization=False)
    named, other = b"cpathlib\nPurePosixPath\n", f"c{module}\n{kind}\n".encode()
    assert file.read_bytes().count(named) == 1
    file.write_bytes(file.read_bytes().replace(named, other))
    assert list(read_weights(file).weights) == ["a"]


@pytest.mark.parametrize("protocol", [4, 5])
@pytest.mark.parametrize("zipped", [True, False])
def test_other_pickle_protocols_are_turned_into_weights(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int, zipped: bool
) -> None:
    """PyTorch's safe loader knows the second, with which torch.save writes if nothing is said, and no later ones."""
    monkeypatch.chdir(tmp_path)
    content = {"state_dict": nn.Linear(2, 3).state_dict()}
    torch.save(content, "w.pth", pickle_protocol=protocol, _use_new_zipfile_serialization=zipped)
    with pytest.raises(BadWeightsFile, match="was saved with a pickle protocol that PyTorch loads only") as refused:
        read_weights(Path("w.pth"))
    _, *lines = str(refused.value).splitlines()
    exec("\n".join(lines), {"torch": torch})
    assert set(read_weights(Path("weights.pth")).weights) == {"weight", "bias"}
