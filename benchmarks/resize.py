"""The antialiased resize and crop with its gradient: as two matrix products, and as torchvision does it.

python -m benchmarks.resize --rounds 10
"""

import argparse
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor
from torchvision.transforms.v2.functional import center_crop, resize

from benchmarks.measure import interleaved, machine
from models.classifier import choose_device
from models.resize import resize_and_crop

RESIZED, CROP = 256, 224
SIZES = {"320 x 427": (320, 427), "12 megapixels": (3000, 4000)}


def ours(pixels: Tensor) -> Tensor:
    """Resize and crop by two banded matrix products."""
    return resize_and_crop(pixels, resize=RESIZED, crop=CROP)


def theirs(pixels: Tensor) -> Tensor:
    """Resize and crop by torchvision."""
    cropped: Tensor = center_crop(resize(pixels, [RESIZED], antialias=True), [CROP])
    return cropped


def there_and_back(reduce: Callable[[Tensor], Tensor], pixels: Tensor) -> Tensor:
    """The gradient of the sum over the resized crop with respect to the pixels."""
    leaf = pixels.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(reduce(leaf).sum(), leaf)
    return gradient


def main() -> None:
    """Print milliseconds, and the ratio to torchvision's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    device = choose_device(options.device)
    print(machine(device))
    print(f"there and back, {options.rounds} interleaved rounds; ratio: to torchvision's, median (least to most)")
    for name, size in SIZES.items():
        pixels = torch.rand(1, 3, *size, device=device)
        variants = {variant.__name__: partial(there_and_back, variant, pixels) for variant in (ours, theirs)}
        timings = interleaved(variants, rounds=options.rounds, device=device)
        ratio, least, most = timings["ours"].ratio(timings["theirs"])
        print(f"  {name:14} {timings['ours'].median * 1000:8.2f} ms  ratio {ratio:.2f} ({least:.2f} to {most:.2f})")


if __name__ == "__main__":
    main()
