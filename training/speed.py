"""Which precision is fastest on this machine, and which picture sizes a network takes: measured before training."""

import copy
import hashlib
import json
import math
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from models.processor import multiplies_bfloat16
from models.spec import Spec
from training.cache import Cache
from training.learner import Diverged, Learner
from training.process_group import SingleProcess
from training.recipe import BadRecipe, Recipe

# Precisions that are tried, by the type of the device.
CANDIDATES = {"cpu": ("float32", "bfloat16"), "cuda": ("float32", "bfloat16", "float16"), "mps": ("float32", "float16")}
STEPS = 2
"""Number of training steps that are timed, after one that warms up."""
TRIED_PHOTOS = 8
"""Largest number of photos of a step that is timed on the CPU, where more of them only take more time."""
TRIED_S = 1.0
"""Seconds that a precision may take on the CPU beyond twice the time of the fastest one before it."""
SMALLEST = 32
"""Smallest side in pixels of early epochs, and of pictures for which the CPU uses bfloat16. With 16 pixels a strided
depthwise convolution sees one pixel, and its weight gradient is uninitialised memory: at times NaN (torch 2.15)."""


def early_size(network: nn.Module, spec: Spec, recipe: Recipe) -> int:
    """The size in pixels that early epochs train at; the input size if the network takes no other (ViT).

    Raises BadRecipe if the network does not take the input size either.
    """
    smaller = min(spec.side, max(SMALLEST, round(recipe.early_size * spec.side / 16) * 16))
    if refusal := _refusal(network, spec, spec.side):
        raise BadRecipe(
            f"{spec.architecture} takes no pictures of {spec.side} pixels ({refusal}): give another --input-size"
        )
    return spec.side if _refusal(network, spec, smaller) else smaller


def _refusal(network: nn.Module, spec: Spec, size: int) -> str:
    """The network's error message for pictures of that size; empty if it takes them."""
    try:
        with torch.no_grad():
            network.eval()(torch.zeros(1, spec.channels, size, size))
    except (RuntimeError, AssertionError, ValueError) as error:
        return str(error).splitlines()[0] if str(error) else type(error).__name__
    return ""


class _TooSlow(Exception):
    """A step has taken longer than its limit."""


def step_seconds(
    network: nn.Module,
    spec: Spec,
    recipe: Recipe,
    *,
    size: int,
    device: torch.device,
    precision: str,
    photos: int,
    limit_s: float = math.inf,
) -> float:
    """Seconds of one training step with `photos` photos: the faster of two, after one that warms up.

    Infinite if the device has too little memory, the precision too small a range, or a layer ends after all steps
    together have taken `limit_s`. The photos are noise, and the learning rates nearly 0, since at usual rates the loss
    on noise can become NaN within three steps.
    """
    timed_recipe = replace(recipe, head_rate=1e-9, backbone_rate=1e-9, attack_steps=0, compile=False)
    trial = copy.deepcopy(network)
    learner = Learner(trial, spec, timed_recipe, steps=STEPS + 1, precision=precision, group=SingleProcess(device))
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (photos, 3, size, size), dtype=torch.uint8, generator=random)
    labels = torch.zeros(photos, dtype=torch.int64)
    times = []
    _limit(trial, limit_s)
    for _ in range(STEPS + 1):
        start = time.perf_counter()
        try:
            learner.learn(pixels, labels)  # waits for the device, since it returns the loss
        except (torch.OutOfMemoryError, Diverged, _TooSlow):
            return math.inf
        times.append(time.perf_counter() - start)
    return min(times[1:])


def _limit(network: nn.Module, limit_s: float) -> None:
    """Let every layer of the network raise _TooSlow when it ends more than `limit_s` from now."""
    deadline = time.perf_counter() + limit_s

    def check(*_: object) -> None:
        if time.perf_counter() > deadline:
            raise _TooSlow

    for layer in network.modules():
        layer.register_forward_hook(check)


def choose_precision(
    network: nn.Module, spec: Spec, recipe: Recipe, *, size: int, device: torch.device, photos: int, cache: Cache
) -> tuple[str, dict[str, float]]:
    """The precision of the recipe, or the fastest one on this machine; and the measured seconds per step, by precision.

    Nothing is measured on a processor whose flags leave only one choice. `size` is that of the early epochs; a device
    with its own memory is tried at the full size too, because the last epochs need more memory. `photos` is the number
    of photos of a batch that one process has; on the CPU fewer are timed. The seconds are cached: they depend on the
    machine and the versions, not on the run. Raises BadRecipe if no precision fits the memory.
    """
    if recipe.precision != "auto" or recipe.epochs == 0:
        return ("float32" if recipe.precision == "auto" else recipe.precision), {}
    precisions = _worth_trying(device, size)
    if device.type == "cpu" and len(precisions) == 1:
        return precisions[0], {}
    photos = min(photos, TRIED_PHOTOS) if device.type == "cpu" else photos
    key = _key(spec, recipe, size, device, photos)
    seconds = cache.load_json(key)
    if not isinstance(seconds, dict) or not seconds:
        step = partial(step_seconds, network, spec, recipe, device=device, photos=photos)
        if device.type == "cpu":
            seconds = _within_limit(partial(step, size=size), precisions)
        else:
            seconds = {precision: _at_both_sizes(step, spec, size, precision) for precision in precisions}
        if min(seconds.values()) == math.inf:
            raise BadRecipe(f"the memory of {device} is too small for {photos} photos at once: lower --batch-size")
        cache.save_json(key, seconds)
    return min(seconds, key=lambda precision: seconds[precision]), seconds


def _worth_trying(device: torch.device, size: int) -> tuple[str, ...]:
    """The precisions that may be fastest on the device, for pictures of that size; float32 is always the first."""
    if device.type == "cpu" and (size < SMALLEST or not multiplies_bfloat16()):
        return ("float32",)
    return CANDIDATES.get(device.type, ("float32",))


def _within_limit(step: Callable[..., float], precisions: Sequence[str]) -> dict[str, float]:
    """Seconds per step by precision; each but the first is given up once it cannot be the fastest any more."""
    seconds: dict[str, float] = {}
    for precision in precisions:
        fastest = min(seconds.values(), default=math.inf)
        seconds[precision] = step(precision=precision, limit_s=TRIED_S + 2 * (STEPS + 1) * fastest)
    return seconds


def _at_both_sizes(step: Callable[..., float], spec: Spec, size: int, precision: str) -> float:
    """Seconds per step at `size`; infinite if it, or one at the full input size, does not fit the memory."""
    times = [step(size=side, precision=precision) for side in sorted({spec.side, size}, reverse=True)]
    return math.inf if math.inf in times else times[-1]


def _key(spec: Spec, recipe: Recipe, size: int, device: torch.device, photos: int) -> str:
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor() + platform.node()
    settings = [spec.architecture, spec.channels, photos, size, spec.side]
    settings += [recipe.optimiser, recipe.channels_last, recipe.frozen_blocks]
    parts = [machine, device.type, torch.get_num_threads(), torch.__version__, *settings]
    return "speed-" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()
