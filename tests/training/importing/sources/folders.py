"""Folders of tiny models of transformers, and changes of their files."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from models.architectures import BadConfiguration, BadWeights, UnknownArchitecture
from models.spec import BadSpec
from training.importing.contents import BadWeightsFile
from training.importing.model import BadSource

SIDE = 32
"""Side in pixels of the input of the tiny model."""
REFUSED = (BadConfiguration, BadSource, BadSpec, BadWeights, BadWeightsFile, UnknownArchitecture)
"""Errors that say what is wrong with a folder."""
LABELS = ("cat", "dog", "tree frog", "lemon", "tea cup")


def tiny_config(**fields: Any) -> Any:
    """The configuration of a vision transformer of two layers for five classes."""
    from transformers import ViTConfig

    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    labels = {"id2label": dict(enumerate(LABELS)), "label2id": {name: index for index, name in enumerate(LABELS)}}
    return ViTConfig(**{**sizes, **labels, "image_size": SIDE, "patch_size": 8, **fields})


def tiny_processor(**fields: Any) -> Any:
    """The image processor of the tiny model: pictures are squashed to its size."""
    from transformers import ViTImageProcessor

    return ViTImageProcessor(**{"size": {"height": SIDE, "width": SIDE}, **fields})


def change(file: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    """Change the content of a JSON file."""
    content = json.loads(file.read_text())
    edit(content)
    file.write_text(json.dumps(content))


def parameters(network: nn.Module) -> int:
    """The number of weights."""
    return sum(weight.numel() for weight in network.parameters())
