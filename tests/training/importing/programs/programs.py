"""Exported programs to read, and changes of their archives that an attacker might make."""

import json
import pickle
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

SIDE = 16
"""Height and width of the pixels of `Small`."""


class Block(nn.Module):
    """Two convolutions with one activation in place that is called twice, and a residual."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(channels, channels, 3, padding=1), nn.Conv2d(channels, channels, 1)
        self.norm, self.relu = nn.BatchNorm2d(channels), nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.relu(x + self.norm(self.second(self.relu(self.first(x)))))


class Small(nn.Module):
    """A network that no library knows: convolutions, attention over positions, constants, a dropout and a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.block = nn.Conv2d(3, 8, 3, stride=2), Block(8)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.dropout, self.head = nn.Dropout(0.5), nn.Linear(8, 4)
        self.register_buffer("scale", torch.linspace(0.5, 1.5, 8), persistent=False)
        self.shift = torch.tensor([1.0, 2.0, 3.0, 4.0])

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.block(self.stem(pixels * 2 - 1))
        rows, channels, height, width = features.shape
        tokens = features.reshape(rows, channels, height * width).transpose(1, 2)
        attended, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        pooled = functional.normalize(attended.mean(dim=1) * self.scale, dim=1)
        return self.head(self.dropout(pooled)) + self.shift + torch.full((4,), float("-inf")).clamp(min=0)


def small() -> nn.Module:
    """Return a `Small` network in eval mode, with seeded weights and statistics."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Small()
        network(torch.rand(8, 3, SIDE, SIDE))
    return network.eval().requires_grad_(False)


def export(network: nn.Module, file: Path, *, rows: int | None = None, side: int = SIDE, **options: Any) -> Path:
    """Write what torch.export.save writes of the network for this number of rows, or for any, and return the file."""
    example = torch.rand(rows or 2, 3, side, side, generator=torch.Generator().manual_seed(0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sizes = None if rows else ({0: torch.export.Dim("rows")},)
        program = torch.export.export(network, (example,), dynamic_shapes=sizes, **options)
        torch.export.save(program, file)
    return file


Members = dict[str, bytes]


def rewrite(file: Path, change: Callable[[Members], None]) -> Path:
    """Write the archive anew after a change of its members, which are by their names in its folder."""
    with zipfile.ZipFile(file) as archive:
        members = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    change(members)
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"model/{name}", content)
    return file


PROGRAM, WEIGHTS, CONSTANTS = (
    "models/model.json",
    "data/weights/model_weights_config.json",
    "data/constants/model_constants_config.json",
)
"""Names of the JSON files in an archive."""


def rewrite_json(file: Path, name: str, change: Callable[[Any], None]) -> Path:
    """Write the archive anew after a change of one of its JSON files."""

    def change_member(members: Members) -> None:
        content = json.loads(members[name])
        change(content)
        members[name] = json.dumps(content).encode()

    return rewrite(file, change_member)


def rewrite_node(file: Path, position: int, **fields: object) -> Path:
    """Write the archive anew with other fields of a node of the graph."""
    return rewrite_json(
        file, PROGRAM, lambda program: program["graph_module"]["graph"]["nodes"][position].update(fields)
    )


class Creates:
    """An object that creates a file when it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return Path.touch, (self.file,)


def pickled(file: Path) -> bytes:
    """Return a pickle that creates the file when somebody loads it."""
    return pickle.dumps(Creates(file))
