"""What this machine does faster, and what this network can be shown: measured before training, not assumed."""

import copy
import time
from dataclasses import replace

import torch
from torch import nn

from models.spec import Spec
from training.finetune import FineTuning
from training.recipe import Recipe


def early_size(network: nn.Module, spec: Spec, recipe: Recipe) -> int:
    """The smaller size that early epochs train at; the input size where the network takes no other (ViT)."""
    smaller = min(spec.input_size, max(16, round(recipe.early_size * spec.input_size / 16) * 16))
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, spec.channels, smaller, smaller))
    except (RuntimeError, AssertionError, ValueError):
        return spec.input_size
    return smaller


def epoch_size(epoch: int, recipe: Recipe, *, early: int, full: int) -> int:
    """The size that an epoch (from 0) trains at."""
    return full if epoch >= recipe.epochs - recipe.full_size_epochs else early


def step_seconds(
    network: nn.Module, spec: Spec, recipe: Recipe, *, size: int, device: torch.device, precision: str
) -> float:
    """Time of one training step: the faster of two, after one that warms up.

    Of noise, and at learning rates that move nothing: three steps after noise can end in a loss of NaN.
    """
    still = replace(recipe, head_rate=1e-9, trunk_rate=1e-9)
    tuning = FineTuning(copy.deepcopy(network), spec, still, steps=3, device=device, precision=precision)
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (recipe.batch_size, 3, size, size), dtype=torch.uint8, generator=random)
    batch = (pixels, torch.zeros(recipe.batch_size, dtype=torch.int64))
    times = []
    for _ in range(3):
        start = time.perf_counter()
        tuning.train_epoch([batch])
        times.append(time.perf_counter() - start)
    return min(times[1:])


def choose_precision(
    network: nn.Module, spec: Spec, recipe: Recipe, *, size: int, device: torch.device
) -> tuple[str, dict[str, float]]:
    """The precision that the recipe asks for, or the faster one here; and the seconds per step that were measured."""
    if recipe.precision != "auto" or recipe.epochs == 0:
        return ("float32" if recipe.precision == "auto" else recipe.precision), {}
    seconds = {
        precision: step_seconds(network, spec, recipe, size=size, device=device, precision=precision)
        for precision in ("float32", "bfloat16")
    }
    return min(seconds, key=lambda precision: seconds[precision]), seconds
