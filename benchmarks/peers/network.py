"""The network that every peer serves: folded, channels_last, with its normalisation; and what it sees of a file."""

import io
import time
from collections.abc import Sequence
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torchvision.transforms.v2 import functional

from models import checkpoint
from models.classifier import Classifier
from models.store import BUNDLED

MODEL = "cats-dogs"


def load() -> Classifier:
    """The bundled classifier of cats and dogs, folded; its network is a plain torch module that takes [n, 3, s, s]."""
    classifier, _ = checkpoint.load(BUNDLED / f"{MODEL}.safetensors")
    return classifier.fold()


def preprocess(file: bytes, classifier: Classifier) -> Tensor:
    """Decode a file with Pillow, and resize and crop it with torchvision: float [3, s, s] in [0, 1]."""
    image = Image.open(io.BytesIO(file)).convert("RGB")
    spec = classifier.spec
    pixels = functional.to_dtype(functional.pil_to_tensor(image), torch.float32, scale=True)
    resized = functional.resize(pixels, [spec.resize], antialias=True)
    cropped: Tensor = functional.center_crop(resized, [spec.input_size])
    return cropped


def answers(pixels: Tensor, classifier: Classifier) -> list[dict[str, Any]]:
    """The classes of each row of the pixels [n, 3, s, s] with their probabilities, in the form of Mirage's response."""
    with torch.inference_mode():
        logits = classifier.network(pixels.to(memory_format=torch.channels_last)) / classifier.spec.temperature
        rows = logits.softmax(dim=1).tolist()
    names = classifier.spec.classes
    return [{"model": MODEL, "predictions": _ranked(row, names)} for row in rows]


def _ranked(probabilities: list[float], names: tuple[str, ...]) -> list[dict[str, Any]]:
    order = sorted(range(len(names)), key=lambda index: -probabilities[index])
    return [{"label": names[index], "index": index, "probability": probabilities[index]} for index in order]


def pictures_per_second(files: Sequence[bytes], classifier: Classifier, batch: int) -> float:
    """Pictures per second of the bare network: decode, preprocess and answer files in batches, without HTTP."""
    begun = time.perf_counter()
    for start in range(0, len(files), batch):
        rows = torch.stack([preprocess(file, classifier) for file in files[start : start + batch]])
        answers(rows, classifier)
    return len(files) / (time.perf_counter() - begun)
