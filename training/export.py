"""Exports a classifier as an ONNX file for pictures of any size, and checks that its results are the same."""

import contextlib
import io
import json
import logging
import warnings
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from models.files import write_atomically
from models.golden import golden_pictures
from models.preprocessing import preprocess, to_float
from models.probabilities import probabilities
from models.resize import OVERSHOOTING, kernel_of
from models.spec import Spec
from models.store import Model

OPSET = 20
"""Version of the ONNX operators."""
SHAPES = ((180, 180), (240, 320), (333, 250), (97, 400), (600, 500))
"""Height and width of the pictures of the check."""
TOLERANCE = 1e-4
"""Largest difference of a probability. A logit may differ by ten times that, relative to one plus the largest logit:
rounding errors are about a tenth of this."""
MAX_BYTES = 2_000_000_000
"""Largest size of an ONNX file, which is a protobuf message."""


class ExportError(RuntimeError):
    """A package for ONNX is not installed, or the exported file gives other results."""


class ExportedClassifier(nn.Module):
    """The network to export, with preprocessing: RGB pictures uint8 [n, h, w, 3] to logits and probabilities [n, k]."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.spec, self.network = model.spec, model.classifier.network

    def forward(self, pictures: UInt8[Tensor, "n h w 3"]) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k"]]:
        """Logits and probabilities of pictures, computed as in the service."""
        height, width = pictures.shape[1:3]
        pixels = pictures.permute(0, 3, 1, 2).to(torch.float32) / 255
        rows, columns = weights((height, width), self.spec)
        inputs = rows @ pixels @ columns.T
        if self.spec.resize_mode == "pad":
            shown = rows.sum(dim=1).unsqueeze(1) * columns.sum(dim=1)  # 1 where the picture is, 0 in the padding
            inputs = inputs + torch.tensor(self.spec.padding).reshape(3, 1, 1) * (1 - shown)
        if self.spec.interpolation in OVERSHOOTING:
            inputs = inputs.clamp(0, 1)
        logits = self.network(inputs) / self.spec.temperature
        return logits, probabilities(logits, self.spec)


def weights(size: tuple[int, int], spec: Spec) -> tuple[Float[Tensor, "crop_h h"], Float[Tensor, "crop_w w"]]:
    """The matrices of `models.preprocessing.input_matrices`, in operations that work in a graph for any size."""
    lengths = [_traced_length(length) for length in size]
    height, width = (
        _weights(length, traced, resized, crop, spec)
        for length, traced, resized, crop in zip(size, lengths, _resized(lengths, spec), spec.size, strict=True)
    )
    return height, width


def _traced_length(length: int) -> Tensor:
    """A length as a tensor, so that the graph uses the length of the actual picture and not that of the example."""
    return torch.ones(length, dtype=torch.float64).sum()


def _resized(lengths: list[Tensor], spec: Spec) -> list[Tensor]:
    """The lengths of the resized picture, as `models.resize.sides` rounds them."""
    targets = [torch.tensor(float(target), dtype=torch.float64) for target in spec.resize_size]
    if spec.resize_mode == "squash":
        return targets
    if spec.resize_mode == "crop" and spec.resize_size[0] == spec.resize_size[1]:
        return [torch.floor(targets[0] * length / torch.minimum(*lengths) + 1e-9) for length in lengths]
    ratios = [length / target for length, target in zip(lengths, targets, strict=True)]
    ratio = torch.maximum(*ratios) if spec.resize_mode == "pad" else torch.minimum(*ratios)
    return [torch.round(length / ratio).clamp(min=1) for length in lengths]


def _weights(length: int, traced: Tensor, resized: Tensor, crop: int, spec: Spec) -> Float[Tensor, "crop length"]:
    """The matrix of one side of `length` pixels, which is `traced` as a tensor."""
    antialias = spec.antialias and spec.interpolation != "nearest"
    kernel, reach = kernel_of(spec.interpolation, antialias=antialias)
    scale = traced / resized
    rounded = torch.floor if spec.crop_down else torch.round
    first = torch.where(resized >= crop, rounded((resized - crop) / 2), -torch.floor((crop - resized) / 2))
    positions = torch.arange(crop, dtype=torch.float64) + first
    inside = torch.minimum(positions.clamp(min=0), resized - 1)
    centres = (inside + 0.5) * scale
    beyond = 0 if antialias else int(reach)  # pixels beyond the edge, which are those at the edge
    columns = torch.arange(length + 2 * beyond, dtype=torch.float64) - beyond
    wide = scale.clamp(min=1.0) if antialias else torch.ones_like(scale)
    matrix = kernel((columns - centres.unsqueeze(1) + 0.5) * (1 / wide))
    if antialias:
        window = [torch.floor(centres + end + 0.5).unsqueeze(1) for end in (-reach * wide, reach * wide)]
        matrix = torch.where((columns >= window[0]) & (columns < window[1]), matrix, 0.0)
    if beyond:
        before, matrix, after = matrix[:, :beyond], matrix[:, beyond:-beyond], matrix[:, -beyond:]
        columns = columns[beyond:-beyond]
        for edge, outside in ((columns == 0, before), (columns == length - 1, after)):
            matrix = matrix + edge * outside.sum(dim=1, keepdim=True)
    matrix = matrix / matrix.sum(dim=1, keepdim=True)
    return torch.where((positions == inside).unsqueeze(1), matrix, 0.0).to(torch.float32)


def export(model: Model, output: Path) -> float:
    """Write the file; returns the largest difference of a probability from the checkpoint. Raises ExportError."""
    if output.suffix != ".onnx":
        raise ExportError(f"--output must end in .onnx: {output.name!r}")
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ExportError(f"{error.name} is missing: pip install onnx onnxruntime onnxscript") from error
    network = ExportedClassifier(model).cpu().eval()
    size = sum(weight.numel() * weight.element_size() for weight in network.state_dict().values())
    if size > MAX_BYTES:
        raise ExportError(
            f"{model.name} has {size / 1e9:.1f} GB of weights, but an ONNX file holds at most {MAX_BYTES / 1e9:.0f} GB"
        )
    sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC}
    example = torch.zeros(2, 240, 320, 3, dtype=torch.uint8)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # they are about the internals of the exporter
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        program = torch.onnx.export(
            network,
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["pictures"],
            output_names=["logits", "probabilities"],
            dynamic_shapes={"pictures": sizes},
        )
    assert program is not None
    graph = program.model_proto
    onnx.helper.set_model_props(
        graph, {"classes": json.dumps(model.spec.classes), "spec": json.dumps(asdict(model.spec)), "name": model.name}
    )
    trial = output.with_name(f".{output.name}")
    try:
        write_atomically(trial, graph.SerializeToString())
        difference, logit_difference = largest_differences(model, trial)
        if not (difference <= TOLERANCE and logit_difference <= 10 * TOLERANCE):
            raise ExportError(
                f"the ONNX file and {model.name} give different results: probabilities differ by {difference:.2g}, "
                f"logits by {logit_difference:.2g}"
            )
        trial.replace(output)
    finally:
        trial.unlink(missing_ok=True)
    return difference


def largest_differences(model: Model, file: Path) -> tuple[float, float]:
    """The largest values of `differences` on smooth pictures and noise of several shapes."""
    random = torch.Generator().manual_seed(0)
    noise = [torch.randint(0, 256, (1, 3, *shape), dtype=torch.uint8, generator=random) for shape in SHAPES]
    pictures = [*(picture.unsqueeze(0) for picture in golden_pictures()), *noise]
    session = open_session(file)
    results = [differences(model, session, picture) for picture in pictures]
    return max(probability for probability, _ in results), max(logit for _, logit in results)


def open_session(file: Path) -> Any:
    """Open the file in onnxruntime on the CPU, as an InferenceSession. This reads all weights."""
    import onnxruntime

    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


def differences(model: Model, session: Any, picture: UInt8[Tensor, "n 3 h w"]) -> tuple[float, float]:
    """The largest differences between the file and the checkpoint on these pictures: of a probability, and of a logit
    relative to one plus the largest logit."""
    outputs = session.run(["logits", "probabilities"], {"pictures": picture.permute(0, 2, 3, 1).numpy()})
    logits, of_file = map(torch.from_numpy, outputs)
    with torch.no_grad():
        expected = model.classifier.logits(preprocess(to_float(picture), model.spec)).cpu()
    logit_difference = (logits - expected).abs().max() / (1 + expected.abs().max())
    difference = (of_file - probabilities(expected, model.spec)).abs().max()
    return difference.item(), logit_difference.item()
