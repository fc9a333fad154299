"""Checkpoint files: one safetensors file with weights, spec, provenance and golden logits.

They are written atomically, and loading one runs no code of the file.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from pydantic import TypeAdapter, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load as deserialise
from safetensors.torch import save as serialise
from torch import Tensor, nn

from models import architectures
from models.classifier import Classifier
from models.files import write_atomically
from models.golden import disagreement, golden_logits
from models.program.graph import BadProgram
from models.spec import Spec

FORMAT = "1"
"""Version of the file format: the value of `mirage` in the header."""

GOLDEN_TOLERANCE = 1e-3
"""Largest accepted difference from the golden logits, relative to their size (see `models.golden.disagreement`).

Wrong preprocessing differs by more: with MobileNetV2's ImageNet weights a mean of (0.48, 0.46, 0.41) gives 7e-3, and
a resize to 233 in place of 232 gives 4e-2.
"""

MANY_CLASSES = 10_000
"""Number of classes above which a head takes much memory; torchvision's networks are small apart from it."""

BAD_NETWORK = (
    BadProgram,
    architectures.BadConfiguration,
    architectures.BadRegistration,
    architectures.BadWeights,
    architectures.UnknownArchitecture,
)
"""Errors of a checkpoint whose network cannot be built here from its architecture, configuration and weights."""

HEADER: dict[str, TypeAdapter[Any]] = {
    "spec": TypeAdapter(Spec),
    "provenance": TypeAdapter(dict[str, Any]),
    "golden": TypeAdapter(list[list[float]]),
}
"""The JSON values in the header of the file, and their types: each is checked, since a file may come from anywhere."""


class BadCheckpoint(ValueError):
    """The file is no checkpoint, is damaged, or gives other logits here than where it was written."""


class StillBeingWritten(BadCheckpoint):
    """The file was changed while it was read: it may be whole once nobody writes to it any more."""


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a checkpoint file.

    `provenance` is JSON: recipe, data (digests of the files and of the split), metrics, versions, and parent (name and
    licence of the pretrained weights that training started from).
    """

    spec: Spec
    weights: Mapping[str, Tensor]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    golden: list[list[float]] = field(default_factory=list)


def save(
    path: Path,
    network: nn.Module,
    spec: Spec,
    provenance: Mapping[str, Any],
    *,
    dtype: torch.dtype | None = torch.float16,
) -> None:
    """Write the network, and the golden logits that it gives with these weights, which are rounded to `dtype`.

    With None the weights are stored as they are.
    """
    weights = {
        # safetensors refuses channels_last tensors, and tensors that share memory.
        key: tensor.to(dtype if tensor.is_floating_point() else None).detach().cpu().contiguous().clone()
        for key, tensor in network.state_dict().items()
    }
    _write(path, Checkpoint(spec, weights, provenance, golden_logits(Classifier(_rebuild(spec, weights), spec))))


def replace_provenance(path: Path, provenance: Mapping[str, Any]) -> None:
    """Write a checkpoint file anew with other provenance; spec, weights and golden logits stay as they are.

    Raises BadCheckpoint or FileNotFoundError.
    """
    _write(path, replace(read(path), provenance=provenance))


def _write(path: Path, checkpoint: Checkpoint) -> None:
    header = {
        "mirage": FORMAT,
        "spec": json.dumps(asdict(checkpoint.spec)),
        "provenance": json.dumps(dict(checkpoint.provenance)),
        "golden": json.dumps(checkpoint.golden),
    }
    write_atomically(path, serialise(dict(checkpoint.weights), header))


def read(path: Path) -> Checkpoint:
    """Read a checkpoint file; raises BadCheckpoint, which may be StillBeingWritten, or FileNotFoundError."""
    data = _contents(path)
    try:
        weights = deserialise(data)
    except (SafetensorError, KeyError) as error:  # KeyError: a type of numbers that PyTorch does not have
        raise BadCheckpoint(f"{path.name} is no safetensors file, or a damaged one ({error}): copy it again") from error
    header = _metadata(data)
    if header.get("mirage") != FORMAT:
        raise BadCheckpoint(f"{path.name} carries no spec of format {FORMAT}: was it written by training?")
    try:
        spec, provenance, golden = (
            kind.validate_json(header.get(name, ""), strict=True) for name, kind in HEADER.items()
        )
    except ValidationError as error:
        fault = error.errors()[0]
        message = ".".join(map(str, (error.title, *fault["loc"]))) + f": {fault['msg']}"
        raise BadCheckpoint(f"{path.name} has a damaged header ({message}): train it again or copy it again") from error
    return Checkpoint(spec, weights, provenance, golden)


def _contents(path: Path) -> bytes:
    """The bytes of the file, which nobody writes to meanwhile, as far as its time and size tell.

    They are in memory of our own: weights that stay in the file (mmap) change with it, and end the process with SIGBUS
    once somebody makes the file shorter.
    """
    if not path.is_file():  # a pipe would be waited for without end
        if path.exists():
            raise BadCheckpoint(f"{path.name} is no file but a folder or a device: put a checkpoint file in its place")
        raise FileNotFoundError(f"there is no checkpoint {path}")
    try:
        with path.open("rb") as file:
            before = os.fstat(file.fileno())
            data = file.read()
            after = os.fstat(file.fileno())
    except OSError as error:
        raise BadCheckpoint(f"{path.name} cannot be read ({error.strerror}): check its permissions") from error
    if (before.st_mtime_ns, before.st_size) != (after.st_mtime_ns, after.st_size):
        raise StillBeingWritten(f"{path.name} was changed while it was read: wait until it is complete, and try again")
    return data


def _metadata(data: bytes) -> dict[str, str]:
    """The texts in the header of a safetensors file, which has been checked: its length, then JSON."""
    length = int.from_bytes(data[:8], "little")
    header: dict[str, Any] = json.loads(data[8 : 8 + length])
    return header.get("__metadata__") or {}


def load(path: Path, *, device: torch.device | str = "cpu") -> tuple[Classifier, Checkpoint]:
    """Read a checkpoint, build its network and check the golden logits; raises BadCheckpoint or FileNotFoundError."""
    checkpoint = read(path)
    try:
        network = _rebuild(checkpoint.spec, checkpoint.weights)
    except BAD_NETWORK as error:
        raise BadCheckpoint(f"{path.name}: {error}") from error
    try:
        classifier = Classifier(network, checkpoint.spec, device=device)
        difference = disagreement(classifier, checkpoint.golden)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # the network of a program or of another library may raise anything
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadCheckpoint(
            f"{path.name} has a network that takes no pictures of {checkpoint.spec.size} pixels ({reason}): train or "
            "import it again"
        ) from error
    if not difference <= GOLDEN_TOLERANCE:  # also when it is NaN
        raise BadCheckpoint(
            f"{path.name} gives other logits here than where it was trained (by {difference:.2g} of their size, "
            f"{GOLDEN_TOLERANCE:.2g} is allowed): its preprocessing or weights have changed, so train it again"
        )
    return classifier, checkpoint


def _check_outputs(weights: Mapping[str, Tensor], outputs: int) -> None:
    """Raise BadWeights before there is memory for a head of many more outputs than the weights are for."""
    if not any(tensor.ndim and len(tensor) == outputs and tensor.numel() for tensor in weights.values()):
        raise architectures.BadWeights(f"these weights are for another number of classes than {outputs:,}")


def _rebuild(spec: Spec, weights: Mapping[str, Tensor]) -> nn.Module:
    def build() -> nn.Module:
        return architectures.build(
            spec.architecture,
            spec.network_outputs,
            channels=spec.channels,
            configuration=spec.configuration,
        )

    if spec.architecture == architectures.EXPORTED or "/" in spec.architecture:
        architectures.sketch(weights, build)  # the sizes of these networks are in the configuration, too
    elif len(spec.classes) > MANY_CLASSES:
        _check_outputs(weights, spec.network_outputs)
    network = build()
    full = {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in weights.items()}
    architectures.load_exactly(network, full)
    if spec.architecture == architectures.EXPORTED:
        from models.program.network import Program  # late: it takes a second to import

        assert isinstance(network, Program)
        network.check_sizes()
    return network
