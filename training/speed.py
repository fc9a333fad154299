"""What this machine does faster, and what this network can be shown: measured before training, not assumed."""

import copy
import hashlib
import json
import math
import platform
import time
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from models.spec import Spec
from training.cache import Cache
from training.learner import Diverged, Learner
from training.process_group import SingleProcess
from training.recipe import BadRecipe, Recipe

CANDIDATES = {"cpu": ("float32", "bfloat16"), "cuda": ("float32", "bfloat16", "float16"), "mps": ("float32", "float16")}
STEPS = 2
SMALLEST = 32
"""Side in pixels that early epochs keep, and below which the CPU does without bfloat16. The weight gradient of a
strided depthwise convolution of one pixel, as 16 leave it, is memory that nobody wrote: at times NaN (torch 2.15)."""


def early_size(network: nn.Module, spec: Spec, recipe: Recipe) -> int:
    """The smaller size that early epochs train at; the input size where the network takes no other (ViT).

    Raises BadRecipe where it does not even take that.
    """
    smaller = min(spec.input_size, max(SMALLEST, round(recipe.early_size * spec.input_size / 16) * 16))
    if refusal := _refusal(network, spec, spec.input_size):
        raise BadRecipe(f"{spec.architecture} takes no pictures of {spec.input_size} pixels ({refusal})")
    return spec.input_size if _refusal(network, spec, smaller) else smaller


def _refusal(network: nn.Module, spec: Spec, size: int) -> str:
    """What the network says against pictures of that size; empty where it takes them."""
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, spec.channels, size, size))
    except (RuntimeError, AssertionError, ValueError) as error:
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    return ""


def step_seconds(
    network: nn.Module, spec: Spec, recipe: Recipe, *, size: int, device: torch.device, precision: str, photos: int
) -> float:
    """Time of one training step on so many photos: the faster of two, after one that warms up; infinite where the
    device has too little memory for it, or the precision too small a range.

    Of noise, and at learning rates that move nothing: three steps after noise can end in a loss of NaN.
    """
    still = replace(recipe, head_rate=1e-9, backbone_rate=1e-9, attack_steps=0, compile=False)
    learner = Learner(
        copy.deepcopy(network), spec, still, steps=STEPS + 1, precision=precision, group=SingleProcess(device)
    )
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (photos, 3, size, size), dtype=torch.uint8, generator=random)
    labels = torch.zeros(photos, dtype=torch.int64)
    times = []
    for _ in range(STEPS + 1):
        start = time.perf_counter()
        try:
            learner.learn(pixels, labels)  # waits for the device, which has to tell the loss
        except (torch.OutOfMemoryError, Diverged):
            return math.inf
        times.append(time.perf_counter() - start)
    return min(times[1:])


def choose_precision(
    network: nn.Module, spec: Spec, recipe: Recipe, *, size: int, device: torch.device, photos: int, cache: Cache
) -> tuple[str, dict[str, float]]:
    """The precision that the recipe asks for, or the fastest one here; and the seconds per step that were measured.

    `size` is that of the early epochs; a device with memory of its own is tried at the full size too, lest it be too
    small for the last ones. `photos` is what one process has of a batch. The seconds are kept: they depend on the
    machine and the versions, not on the run. Raises BadRecipe where the memory holds the batch in no precision.
    """
    if recipe.precision != "auto" or recipe.epochs == 0:
        return ("float32" if recipe.precision == "auto" else recipe.precision), {}
    key = _key(spec, recipe, size, device, photos)
    seconds = cache.load_json(key)
    if not isinstance(seconds, dict) or not seconds:
        sizes = (size,) if device.type == "cpu" else sorted({spec.input_size, size}, reverse=True)

        def taken(precision: str) -> float:
            step = partial(step_seconds, network, spec, recipe, device=device, precision=precision, photos=photos)
            found = [step(size=each) for each in sizes]
            return math.inf if math.inf in found else found[-1]

        seconds = {
            precision: taken(precision)
            for precision in CANDIDATES.get(device.type, ("float32",))
            if not (device.type == "cpu" and size < SMALLEST and precision == "bfloat16")
        }
        if min(seconds.values()) == math.inf:
            raise BadRecipe(f"the memory of {device} is too small for {photos} photos at once: lower --batch-size")
        cache.save_json(key, seconds)
    return min(seconds, key=lambda precision: seconds[precision]), seconds


def _key(spec: Spec, recipe: Recipe, size: int, device: torch.device, photos: int) -> str:
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() + platform.node()
    asked = [spec.architecture, spec.channels, photos, size, spec.input_size]
    asked += [recipe.optimiser, recipe.channels_last, recipe.frozen_blocks]
    parts = [machine, device.type, torch.get_num_threads(), torch.__version__, *asked]
    return "speed-" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()
