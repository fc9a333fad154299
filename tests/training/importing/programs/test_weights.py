"""Tests that the bytes of an archive become tensors, and only if there are as many as the tensors need."""

import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.program.graph import BadProgram
from training.importing.archive import Archive, opened
from training.importing.programs.serialized import Expression, Payload, Size, TensorMeta
from training.importing.programs.weights import WeightReader

FLOAT, BOOL = 7, 12
"""PyTorch's numbers of float32 and bool in these files."""


def meta(sizes: list[int], strides: list[int], offset: int = 0, dtype: int = FLOAT) -> TensorMeta:
    return TensorMeta(dtype, [Size(size) for size in sizes], [Size(size) for size in strides], Size(offset), layout=7)


def payload(*arguments: object, **fields: object) -> Payload:
    return Payload("weight_0", use_pickle=False, tensor_meta=meta(*arguments, **fields))  # type: ignore[arg-type]


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[Archive]:
    """An archive with the numbers 0 to 5 as float32, and with three bytes."""
    with zipfile.ZipFile(tmp_path / "model.pt2", "w") as file:
        file.writestr("model/weight_0", torch.arange(6.0).numpy().tobytes())
        file.writestr("model/weight_1", b"\0\1\xff")
    with opened(tmp_path / "model.pt2") as archive:
        yield archive


@pytest.mark.parametrize(
    ("described", "expected"),
    [
        (payload([6], [1]), [0, 1, 2, 3, 4, 5]),
        (payload([2, 3], [3, 1]), [[0, 1, 2], [3, 4, 5]]),
        (payload([3, 2], [1, 3]), [[0, 3], [1, 4], [2, 5]]),
        (payload([2], [2], 3), [3, 5]),
        (payload([], [], 5), 5),
        (payload([2, 3], [0, 1]), [[0, 1, 2], [0, 1, 2]]),
        (payload([0, 3], [3, 1]), []),
    ],
)
def test_tensors_by_sizes_strides_and_offset(archive: Archive, described: Payload, expected: object) -> None:
    tensor = WeightReader(archive).read("w", described, "")
    assert tensor.tolist() == expected and tensor.dtype == torch.float32


def test_truth_values_are_true_or_false(archive: Archive) -> None:
    """Whatever the byte is."""
    described = replace(payload([3], [1], dtype=BOOL), path_name="weight_1")
    tensor = WeightReader(archive).read("w", described, "")
    assert tensor.tolist() == [False, True, True] and tensor.view(torch.uint8).tolist() == [0, 1, 1]


def test_weights_in_one_member_share_its_memory(archive: Archive) -> None:
    """Otherwise a small file might become as many large tensors as it likes."""
    reader = WeightReader(archive)
    first, second = reader.read("a", payload([6], [1]), ""), reader.read("b", payload([2], [1], 2), "")
    assert second.data_ptr() == first.data_ptr() + 2 * 4


@pytest.mark.parametrize(
    ("described", "why"),
    [
        (payload([7], [1]), "more values than the archive has bytes"),
        (payload([6], [1], 1), "more values than the archive has bytes"),
        (payload([2], [6]), "more values than the archive has bytes"),
        (payload([2**30, 2**30], [0, 0]), "more values than the archive has bytes"),
        (payload([2], [2**40]), "more values than the archive has bytes"),
        (payload([2], [2**62]), "no fixed number"),
        (payload([-1], [1]), "no fixed number"),
        (payload([2], [-1]), "no fixed number"),
        (payload([2], [1], -1), "no fixed number"),
        (payload([2, 2], [1]), "or no stride for one"),
        (payload([1] * 9, [1] * 9), "dimensions"),
        (payload([2], [1], dtype=0), "of an unknown type"),
        (payload([2], [1], dtype=29), "of an unknown type"),
        (replace(payload([6], [1]), use_pickle=True), "custom object"),
        (replace(payload([6], [1]), tensor_meta=None), "custom object"),
        (replace(payload([6], [1]), path_name="../weight_0"), "another folder"),
        (replace(payload([6], [1]), path_name="missing"), "has no missing"),
        (replace(payload([6], [1]), path_name="weight_1"), "more values than the archive has bytes"),
        (Payload("weight_0", False, replace(meta([6], [1]), layout=1)), "sparse"),
        (Payload("weight_0", False, replace(meta([6], [1]), sizes=[Size(as_expr=Expression("6"))])), "no fixed number"),
    ],
)
def test_everything_else_is_refused(archive: Archive, described: Payload, why: str) -> None:
    with pytest.raises(BadProgram, match=why):
        WeightReader(archive).read("w", described, "")
