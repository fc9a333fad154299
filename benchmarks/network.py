"""MobileNetV2 at 224 pixels in float32, forward and with backward to the pixels, in the steps to the service's network.

    python -m benchmarks.network --rounds 20

The variants are: contiguous memory, channels_last, folded batch normalisations, and what is served: activations without
copies, and the layers as one flat function, in which one row has convolutions and activations in one call.
"""

import argparse
import copy
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from app.memory.allocator import keep_freed_memory
from benchmarks.measure import interleaved, machine
from benchmarks.results import Figure, write_figures
from models import architectures
from models.activations import without_copies
from models.classifier import choose_device
from models.fold import fold_batch_norms
from models.unroll import Function, unroll

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
SIDE = 224


def forward(network: Function, pixels: Tensor) -> Tensor:
    """Only the logits, which /classify needs."""
    with torch.no_grad():
        return network(pixels)


def forward_backward(network: Function, pixels: Tensor) -> Tensor:
    """Logits and the gradient of one of them with respect to the pixels, which attacks and ideal pictures need."""
    leaf = pixels.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(network(leaf)[:, 0].sum(), leaf)
    return gradient


def variants(architecture: str, rows: int, device: torch.device) -> dict[str, Callable[[], object]]:
    """Each kind of pass through each variant of the network, on the same pixels and frozen weights."""
    pixels = torch.rand(rows, 3, SIDE, SIDE, device=device)
    torch.manual_seed(0)
    plain = architectures.build(architecture, 1000).requires_grad_(False).eval().to(device)
    kinds = {name: (copy.deepcopy(plain), layout) for name, layout in LAYOUTS.items()}
    kinds["folded"] = (fold_batch_norms(plain), torch.channels_last)
    kinds["as served"] = (without_copies(fold_batch_norms(plain)), torch.channels_last)
    calls: dict[str, Callable[[], object]] = {}
    for name, (network, layout) in kinds.items():
        network.to(memory_format=layout)
        laid_out = pixels.to(memory_format=layout)
        function = (unroll(network, torch.cat([laid_out] * 2)) if name == "as served" else None) or network
        calls[f"forward, {name}"] = partial(forward, function, laid_out)
        calls[f"forward_backward, {name}"] = partial(forward_backward, function, laid_out)
    return calls


def main() -> None:
    """Print milliseconds per row, and the ratios of each round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="mobilenet_v2")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 4, 8])
    parser.add_argument("--device", default="auto")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    keep_freed_memory()  # as the service does
    figures = []
    device = choose_device(options.device)
    print(machine(device))
    print(f"{options.architecture}, {options.rounds} interleaved rounds; ratio: to contiguous, median (least to most)")
    for rows in options.rows:
        timings = interleaved(variants(options.architecture, rows, device), rounds=options.rounds, device=device)
        for name, timing in timings.items():
            ratio, least, most = timing.ratio(timings[f"{name.partition(',')[0]}, contiguous"])
            print(
                f"  {rows:3} rows  {name:32} {timing.median / rows * 1000:7.2f} ms/row"
                f"  ratio {ratio:.2f} ({least:.2f} to {most:.2f})"
            )
            base = timings[f"{name.partition(',')[0]}, contiguous"]
            ratios = [mine / theirs for mine, theirs in zip(timing.seconds, base.seconds, strict=True)]
            samples = [seconds / rows * 1000 for seconds in timing.seconds]
            row = f"{rows} row{'s' * (rows > 1)}, {name.replace('_backward', ' and backward')}"
            figures += [
                Figure(f"{row}: time of a row", "ms", samples),
                Figure(f"{row}: to contiguous", "ratio", ratios),
            ]
    if options.json:
        write_figures(options.json, figures)


if __name__ == "__main__":
    main()
