"""Files of weights as training scripts leave them: the holders, the prefixes and the formats that occur."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torchvision.models import get_model

Weights = Mapping[str, Tensor]


def source_network(name: str, classes: int = 7, **options: Any) -> nn.Module:
    """A network as torchvision itself builds it, with random weights, in eval mode; without auxiliary heads."""
    if name in ("googlenet", "inception_v3"):
        # Their own initialisation takes a minute, and they scale their input themselves unless they are told not to.
        options = {"init_weights": False, "aux_logits": False, "transform_input": False, **options}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return get_model(name, weights=None, num_classes=classes, **options).eval()


def prefixed(weights: Weights, prefix: str) -> dict[str, Tensor]:
    """The weights as a wrapper names them."""
    return {f"{prefix}{key}": tensor for key, tensor in weights.items()}


def _averaged(weights: Weights) -> dict[str, Any]:
    """torchvision's reference scripts: the averaged weights have a counter beside them, and are those to take."""
    last = {key: torch.zeros_like(tensor) for key, tensor in weights.items()}
    ema = {"n_averaged": torch.tensor(9), **prefixed(weights, "module.")}
    return {"model": last, "model_ema": ema, "epoch": 3, "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]}}


WRAPPERS: dict[str, Callable[[Weights], Any]] = {
    "plain": dict,
    "state_dict": lambda weights: {"epoch": 4, "arch": "?", "state_dict": dict(weights), "best_acc1": 71.5},
    "DataParallel": lambda weights: {"model": prefixed(weights, "module.")},
    "torch.compile": lambda weights: {"model_state_dict": prefixed(weights, "_orig_mod."), "loss": 0.5},
    "DataParallel of torch.compile": lambda weights: prefixed(weights, "module._orig_mod."),
    "Lightning": lambda weights: {
        "state_dict": prefixed(weights, "model."),
        "hyper_parameters": {"lr": 0.1},
        "pytorch-lightning_version": "2.5.0",
        "callbacks": {},
    },
    "averaged": _averaged,
    "timm": lambda weights: {"arch": "?", "state_dict_ema": dict(weights), "state_dict": prefixed(weights, "x.")},
    "nested": lambda weights: {"ema": {"decay": 0.99, "state_dict": dict(weights)}},
}
"""What a script saves, for each kind of script."""


def write(path: Path, content: Any) -> Path:
    """Save as torch.save does, or as a safetensors file where the name of the path says so."""
    if path.suffix == ".safetensors":
        save_file({key: tensor.contiguous().clone() for key, tensor in content.items()}, path)
    else:
        torch.save(content, path)
    return path
