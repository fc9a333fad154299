"""Folders of transformers whose configuration describes a network that would fill the memory."""

import resource
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.training.importing.sources.folders import REFUSED, change
from training.importing.sources import hugging_face

pytest.importorskip("transformers")


@pytest.mark.parametrize(
    "entry",
    [
        {"hidden_size": 10**7},
        {"num_hidden_layers": 10**8},
        {"image_size": 10**7},
        {"intermediate_size": 10**12},
        {"num_labels": 10**6},
        {"num_channels": 10**6},
        {"id2label": {str(label): str(label) for label in range(100_000)}, "hidden_size": 10**6},
    ],
    ids=lambda entry: ",".join(entry),
)
def test_a_network_that_would_fill_the_memory_is_never_built(folder: Path, entry: dict[str, Any]) -> None:
    """It is far larger than the weights in the file, and noticed before its own weights are made."""
    change(folder / "config.json", lambda content: content.update(entry))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(REFUSED):
        hugging_face.read(folder, None)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 1_000_000, "KiB, at most 1 GB more than before"


def test_a_head_of_no_size_does_not_say_how_many_classes_there_are(folder: Path) -> None:
    """It has 15 million rows of 0 numbers, so the file is small."""
    change(folder / "config.json", lambda content: (content.pop("id2label"), content.pop("label2id")))
    weights = load_file(folder / "model.safetensors")
    head = next(key for key in weights if key.endswith("classifier.weight"))
    save_file({**weights, head: torch.zeros(15_000_000, 0)}, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(REFUSED):
        hugging_face.read(folder, None)
