"""MobileNetV2 at 224 pixels in float32, forward and with backward to the pixels: contiguous, channels_last, and folded.

python -m benchmarks.network --rounds 20
"""

import argparse
import copy
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from benchmarks.measure import interleaved, machine
from models import architectures
from models.classifier import choose_device
from models.fold import fold_batch_norms

LAYOUTS = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
SIDE = 224


def forward(network: nn.Module, pixels: Tensor) -> Tensor:
    """Only the logits, which /classify needs."""
    with torch.no_grad():
        logits: Tensor = network(pixels)
    return logits


def forward_backward(network: nn.Module, pixels: Tensor) -> Tensor:
    """Logits and the gradient of one of them with respect to the pixels, which attacks and ideal pictures need."""
    leaf = pixels.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(network(leaf)[:, 0].sum(), leaf)
    return gradient


def variants(architecture: str, rows: int, device: torch.device) -> dict[str, Callable[[], object]]:
    """Each kind of pass in each memory layout and with folded batch norms, on the same pixels and frozen weights."""
    pixels = torch.rand(rows, 3, SIDE, SIDE, device=device)
    torch.manual_seed(0)
    plain = architectures.build(architecture, 1000).requires_grad_(False).eval().to(device)
    kinds = {name: (copy.deepcopy(plain), layout) for name, layout in LAYOUTS.items()}
    kinds["folded"] = (fold_batch_norms(plain), torch.contiguous_format)
    calls: dict[str, Callable[[], object]] = {}
    for name, (network, layout) in kinds.items():
        network.to(memory_format=layout)
        laid_out = pixels.to(memory_format=layout)
        for pass_ in (forward, forward_backward):
            calls[f"{pass_.__name__}, {name}"] = partial(pass_, network, laid_out)
    return calls


def main() -> None:
    """Print milliseconds per row, and the ratios of each round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--architecture", default="mobilenet_v2")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--rows", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
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


if __name__ == "__main__":
    main()
