"""Networks that were trained elsewhere, as they come to the command `import`: one class that no library knows."""

import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from typer.testing import CliRunner

from tests.app.live_service import drawn
from tests.networks import normalise_by
from training.__main__ import app

SIDE = 48
"""Height and width of the input of `Gated`."""


class Gated(nn.Module):
    """Convolutions, each weighted by a gate that looks at the whole picture, and attention over the positions.

    With `levels` the features are rounded to as many levels, as an embedded device may do it: no gradient gets through.
    """

    def __init__(self, classes: int, levels: int = 0) -> None:
        super().__init__()
        self.levels = levels
        self.stem = nn.Sequential(nn.Conv2d(3, 12, 5, stride=2, padding=2), nn.BatchNorm2d(12), nn.SiLU())
        self.body = nn.Sequential(nn.Conv2d(12, 24, 3, stride=2, padding=1), nn.BatchNorm2d(24))
        self.gate = nn.Linear(12, 24)
        self.attention = nn.MultiheadAttention(24, 2, batch_first=True)
        self.head = nn.Linear(24, classes)

    def forward(self, pixels: Tensor) -> Tensor:
        features = self.stem(pixels)
        gate = self.gate(features.mean(dim=(2, 3))).sigmoid()
        tokens = (self.body(features) * gate[:, :, None, None]).flatten(2).transpose(1, 2)
        attended, _ = self.attention(tokens, tokens, tokens, need_weights=False)
        pooled = (tokens + attended).mean(dim=1)
        return self.head(pooled if self.levels == 0 else (pooled * self.levels).round() / self.levels)


def lively(network: nn.Module, head: nn.Linear, pictures: Tensor, spread: float = 2.0) -> nn.Module:
    """Return the network in eval mode, changed so that the logits of these inputs have this standard deviation."""
    normalise_by(network, pictures)
    with torch.no_grad():
        logits = network.eval()(pictures)
        head.weight *= (factor := spread / logits.std(dim=0))[:, None]
        head.bias.copy_((head.bias - logits.mean(dim=0)) * factor)
    return network.requires_grad_(False)


def gated(classes: int, levels: int = 0) -> nn.Module:
    """Return a `Gated` network with seeded weights that gives different pictures different classes."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Gated(classes)
    lively(network, network.head, torch.stack([drawn(SIDE, SIDE, seed=seed) / 255 for seed in range(50)]))
    network.levels = levels
    return network


def export(network: nn.Module, file: Path, *, rows: int | None) -> Path:
    """Write the program of the network for this number of rows, or for any number, and return the file."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sizes = None if rows else ({0: torch.export.Dim("rows")},)
        example = torch.rand(rows or 2, 3, SIDE, SIDE)
        torch.export.save(torch.export.export(network, (example,), dynamic_shapes=sizes), file)
    return file


def run_import(source: Path, output: Path, *options: str) -> str:
    """Run `python -m training import`, which must succeed, and return what it prints."""
    arguments = ["import", str(source), "--output", str(output), *options]
    result = CliRunner(env={"COLUMNS": "200"}).invoke(app, arguments)
    assert result.exit_code == 0, result.output
    return result.output


def prepared(picture: Tensor, resize: tuple[int, int], size: tuple[int, int], kernel: Image.Resampling) -> Tensor:
    """The input of a network, [1, 3, h, w] in [0, 1], as Pillow makes it: resized (height, width), then cropped."""
    height, width = resize
    image = Image.fromarray(picture.permute(1, 2, 0).numpy()).resize((width, height), kernel)
    left, top = round((width - size[1]) / 2), round((height - size[0]) / 2)
    cropped = image.crop((left, top, left + size[1], top + size[0]))
    return torch.from_numpy(np.array(cropped)).permute(2, 0, 1).unsqueeze(0) / 255


def named(values: Tensor, names: Sequence[str]) -> dict[str, float]:
    """The values [1, k] by the names of the classes."""
    return dict(zip(names, values[0].tolist(), strict=True))
