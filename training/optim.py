"""Which parameters are trained at which learning rate: blocks, rates and their schedule."""

import math
import re
from typing import Any

import torch
from torch import nn

from models import architectures
from training.recipe import BadRecipe, Recipe


def optimiser(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """AdamW or SGD over `parameter_groups`."""
    groups = parameter_groups(network, recipe)
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(groups, lr=0.0, momentum=recipe.momentum, nesterov=recipe.momentum > 0)
    return torch.optim.AdamW(groups, lr=0.0, fused=True)


def parameter_groups(network: nn.Module, recipe: Recipe) -> list[dict[str, Any]]:
    """A group for each block, its weights apart from its biases and norms; `highest` is the peak learning rate.

    The last block of the backbone has `backbone_rate`, each earlier one `layer_decay` times that of the next.
    """
    head, blocks = architectures.head_name(network) + ".", backbone_blocks(network)
    groups: dict[tuple[str, bool], list[nn.Parameter]] = {}
    for name, parameter in network.named_parameters():
        if not parameter.requires_grad:
            continue
        own_block = "" if name.startswith(head) else block(name)
        groups.setdefault((own_block, parameter.ndim > 1), []).append(parameter)
    return [
        {
            "params": parameters,
            "highest": recipe.backbone_rate * recipe.layer_decay ** (len(blocks) - 1 - blocks.index(own_block))
            if own_block
            else recipe.head_rate,
            "weight_decay": recipe.weight_decay if decays else 0.0,
        }
        for (own_block, decays), parameters in groups.items()
    ]


def freeze(network: nn.Module, count: int) -> None:
    """Freeze the first `count` blocks of the backbone; raises BadRecipe where it has fewer."""
    blocks = backbone_blocks(network)
    if count > len(blocks):
        raise BadRecipe(f"frozen_blocks must be 0 to {len(blocks)} for this network, not {count}")
    for name, parameter in network.named_parameters():
        parameter.requires_grad_(block(name) not in blocks[:count])


def backbone_blocks(network: nn.Module) -> list[str]:
    """The blocks before the head, in the order in which the network has them."""
    head = architectures.head_name(network) + "."
    return list(dict.fromkeys(block(name) for name, _ in network.named_parameters() if not name.startswith(head)))


def block(name: str) -> str:
    """The block to which a parameter belongs: its name up to the first part with a number in it.

    `features.3.conv.0.weight` -> `features.3`, `encoder.layers.encoder_layer_2.mlp.0.bias` -> ... `encoder_layer_2`,
    `conv1.weight` -> `conv1`, `conv_proj.weight` -> `conv_proj`.
    """
    parts = name.split(".")
    for place, part in enumerate(parts[:-1]):
        if re.search(r"\d", part):
            return ".".join(parts[: place + 1])
    return ".".join(parts[:-1]) or name


def set_rates(optimiser: torch.optim.Optimizer, fraction: float) -> None:
    """Set the learning rate of each group to this fraction of its peak."""
    for group in optimiser.param_groups:
        group["lr"] = group["highest"] * fraction


def schedule(step: int, steps: int, recipe: Recipe) -> float:
    """Fraction of the peak learning rate: a linear rise over the fraction `warm_up` of the steps, then the schedule."""
    rising = max(1, round(recipe.warm_up * steps))
    if step < rising:
        return (step + 1) / rising
    done = (step - rising) / max(1, steps - rising)
    if recipe.schedule == "constant":
        return 1.0
    return 1 - done if recipe.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * done))
