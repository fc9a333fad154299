"""Finds out what kind of source a name is, and reads the model."""

import os
from collections.abc import Sequence
from pathlib import Path

from models import architectures
from models.architectures import registered, timm_networks
from training.importing.model import BadSource, SourceModel
from training.importing.sources import hugging_face, programs, state_dicts, timm_models

UNREADABLE = {
    ".onnx": "ONNX has no gradients: export the network with torch.export.export and torch.export.save (.pt2)",
    ".h5": "Keras files are not read: load the model in Keras with its PyTorch backend, and export it (.pt2)",
    ".keras": "Keras files are not read: load the model in Keras with its PyTorch backend, and export it (.pt2)",
    ".pb": "TensorFlow files are not read: convert the weights to PyTorch, as timm and transformers do",
    ".tflite": "TensorFlow Lite files are not read: convert the weights to PyTorch, as timm and transformers do",
    ".npz": "NumPy files are not read: load the weights into the network, and save its state_dict()",
}
"""Why files of these kinds are not read, and what to do."""


def open_source_model(
    source: str, architecture: str | None, classes: Sequence[str] | None, *, background: bool = False
) -> SourceModel:
    """The model that a source names; raises BadSource and the errors of the module that reads it.

    With `background` its first output may be one for which `classes` have no name.
    """
    path = Path(source)
    suffix = path.suffix.lower()
    if os.path.isdir(source):  # Path.is_dir raises OSError for a text that is longer than names of files may be
        if not hugging_face.is_folder(path):
            raise BadSource(f"{source} has no {hugging_face.CONFIG}: give a file of weights, or a Hugging Face folder")
        return _unnamed(hugging_face.read(path, classes, background=background), architecture)
    if os.path.isfile(source):
        if suffix in UNREADABLE:
            raise BadSource(f"{path.name} cannot be imported: {UNREADABLE[suffix]}")
        if suffix == ".pt2":
            return _unnamed(programs.read(path, classes, background=background), architecture)
        return state_dicts.read(path, architecture, classes, background=background)
    if source.startswith(timm_networks.PREFIX):
        return _unnamed(timm_models.published(source, classes, background=background), architecture)
    if suffix in (".pth", ".pt", ".pt2", ".safetensors", ".bin", ".ckpt") or path.is_absolute():
        raise BadSource(f"there is no file or folder {source}")
    if source in registered.registered() or source in architectures.architectures():
        published = f"; torchvision's own weights are served as imagenet/{source} without an import"
        raise BadSource(
            f"{source} is an architecture, and has no weights: give a file of weights, and --architecture {source}"
            f"{published if source in architectures.architectures() else ''}"
        )
    if "/" not in source:
        raise BadSource(f"there is no file or folder {source[:200]}, and a name on the Hugging Face Hub is OWNER/MODEL")
    folder = hugging_face.download(source)
    return _unnamed(hugging_face.read(folder, classes, name=source, background=background), architecture)


def _unnamed(model: SourceModel, architecture: str | None) -> SourceModel:
    if architecture is not None:
        raise BadSource("--architecture is for weights in a file: this source says itself which network it is")
    return model
