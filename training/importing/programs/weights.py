"""Reads the weights of an exported program: bytes whose number is checked before they become tensors."""

import math

import torch
from torch import Tensor

from models.program.graph import TAGGED, BadProgram
from training.importing.archive import Archive
from training.importing.programs.serialized import Payload, Size, TensorMeta
from training.importing.programs.translation import DTYPES, STRIDED

MOST_DIMENSIONS = 8
"""Largest number of dimensions of a weight."""
LARGEST = 2**40
"""Largest size, stride or offset."""


class WeightReader:
    """Reads tensors of an archive. Those that share a member share its memory, as they did in the network."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._members: dict[str, bytearray] = {}

    def read(self, path: str, payload: Payload, folder: str) -> Tensor:
        """The tensor that the archive has for the weight with this path; raises BadProgram."""
        sizes, strides, offset, dtype = described(path, payload)
        elements = math.prod(sizes)
        if elements == 0:
            return torch.empty(sizes, dtype=dtype)
        content = self._content(f"{folder}{payload.path_name}")
        reach = offset + sum((size - 1) * stride for size, stride in zip(sizes, strides, strict=True)) + 1
        if max(reach, elements) * dtype.itemsize > len(content):
            raise BadProgram(f"{path} has more values than the archive has bytes for it: copy the file again")
        # Other bytes than 0 and 1 are no truth values, and would make operators do anything.
        stored = torch.uint8 if dtype == torch.bool else dtype
        count = len(content) // dtype.itemsize
        values = torch.frombuffer(content, dtype=stored, count=count).as_strided(sizes, strides, offset)
        return values != 0 if dtype == torch.bool else values

    def _content(self, member: str) -> bytearray:
        if member not in self._members:
            self._members[member] = bytearray(self._archive.read(member))
        return self._members[member]


def described(path: str, payload: Payload) -> tuple[list[int], list[int], int, torch.dtype]:
    """Sizes, strides, offset and dtype of a weight, which is no object of any kind but a tensor; raises BadProgram."""
    meta = payload.tensor_meta
    if payload.use_pickle or meta is None:
        raise BadProgram(
            f"the program contains {path[:200]} as a custom object, which is code and is not loaded: replace it by a "
            "plain tensor before exporting"
        )
    if meta.dtype not in DTYPES or meta.layout != STRIDED:
        raise BadProgram(
            f"{path[:200]} is sparse, quantized or of an unknown type: convert it to float32 before exporting"
        )
    if "/" in payload.path_name or "\\" in payload.path_name:
        raise BadProgram(f"{path[:200]} is said to be in another folder: save the program again")
    numbers = _numbers(path, meta)
    dtype = TAGGED["dtype"][DTYPES[meta.dtype]]
    assert isinstance(dtype, torch.dtype)
    return *numbers, dtype


def _numbers(path: str, meta: TensorMeta) -> tuple[list[int], list[int], int]:
    def number(size: Size) -> int:
        if size.as_int is None or not 0 <= size.as_int <= LARGEST:
            raise BadProgram(
                f"{path[:200]} has a size, stride or offset that is no fixed number: save the program again"
            )
        return size.as_int

    sizes, strides = [[number(size) for size in values] for values in (meta.sizes, meta.strides)]
    if len(sizes) != len(strides) or len(sizes) > MOST_DIMENSIONS:
        raise BadProgram(
            f"{path[:200]} has more than {MOST_DIMENSIONS} dimensions, or no stride for one: save it again"
        )
    return sizes, strides, number(meta.storage_offset)
