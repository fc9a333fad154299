"""A classifier as one ONNX file that takes pictures of any size, with a check that it says what the checkpoint says."""

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
from models.resize import KERNELS
from models.spec import Spec
from models.store import Model

OPSET = 20
SHAPES = ((180, 180), (240, 320), (333, 250), (97, 400), (600, 500))
"""Of the pictures that the check is made on, height and width."""
TOLERANCE = 1e-4
"""By how much a probability may differ. A logit may by ten times that, as a share of one plus the largest logit:
rounding alone makes a tenth of it."""
MOST_BYTES = 2_000_000_000
"""Of a protobuf message, which an ONNX file is."""


class ExportError(RuntimeError):
    """What writes or runs ONNX is not installed, or the file that was written says something else."""


class Exported(nn.Module):
    """Pictures uint8 [n, h, w, 3], RGB, of any one size -> logits and probabilities [n, k]."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.spec, self.network = model.spec, model.classifier.network

    def forward(self, pictures: UInt8[Tensor, "n h w 3"]) -> tuple[Float[Tensor, "n k"], Float[Tensor, "n k"]]:
        """What the service says of the same pictures."""
        height, width = pictures.shape[1:3]
        pixels = pictures.permute(0, 3, 1, 2).to(torch.float32) / 255
        shorter = torch.minimum(_counted(height), _counted(width))
        rows, columns = weights(height, shorter, self.spec), weights(width, shorter, self.spec)
        seen = rows @ pixels @ columns.T
        if self.spec.interpolation == "bicubic":
            seen = seen.clamp(0, 1)
        logits = self.network(seen) / self.spec.temperature
        return logits, logits.softmax(dim=1)


def _counted(length: int) -> Tensor:
    """A length as a tensor: in the graph it is that of whatever picture comes."""
    return torch.ones(length, dtype=torch.float64).sum()


def weights(length: int, shorter: Tensor, spec: Spec) -> Float[Tensor, "crop length"]:
    """`models.resize.matrices` of one side, in operations that a graph can do for a length that it does not know."""
    kernel, _ = KERNELS[spec.interpolation]
    counted = _counted(length)
    resized = torch.floor(spec.resize * counted / shorter + 1e-9)
    scale = counted / resized
    first = torch.round((resized - spec.input_size) / 2)
    centres = (torch.arange(spec.input_size, dtype=torch.float64) + first + 0.5) * scale
    columns = torch.arange(length, dtype=torch.float64) + 0.5
    found = kernel((columns - centres.unsqueeze(1)) / scale.clamp(min=1.0))
    return (found / found.sum(dim=1, keepdim=True)).to(torch.float32)


def export(model: Model, output: Path) -> float:
    """Write the file; returns by how much a probability differs at most from the checkpoint's. Raises ExportError."""
    if output.suffix != ".onnx":
        raise ExportError(f"the output's name must end in .onnx, not {output.name!r}")
    try:
        import onnx
        import onnxruntime  # noqa: F401
        import onnxscript  # noqa: F401
    except ImportError as error:
        raise ExportError(f"{error.name} is missing: pip install 'mirage-vision[export]'") from error
    network = Exported(model).cpu().eval()
    size = sum(each.numel() * each.element_size() for each in network.state_dict().values())
    if size > MOST_BYTES:
        raise ExportError(f"{model.name} has {size / 1e9:.1f} GB of weights; one ONNX file holds {MOST_BYTES / 1e9:.0f}")
    sizes = {0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC, 2: torch.export.Dim.DYNAMIC}
    example = torch.zeros(2, 240, 320, 3, dtype=torch.uint8)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # of the exporter's own parts to one another
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
        moved, logits_moved = disagreement(model, trial)
        if not (moved <= TOLERANCE and logits_moved <= 10 * TOLERANCE):
            raise ExportError(
                f"as ONNX {model.name} says something else (probabilities by {moved:.2g}, logits by {logits_moved:.2g})"
            )
        trial.replace(output)
    finally:
        trial.unlink(missing_ok=True)
    return moved


def disagreement(model: Model, file: Path) -> tuple[float, float]:
    """The largest of both differences on pictures of several shapes, of waves and of noise."""
    random = torch.Generator().manual_seed(0)
    noise = [torch.randint(0, 256, (1, 3, *shape), dtype=torch.uint8, generator=random) for shape in SHAPES]
    pictures = [*(picture.unsqueeze(0) for picture in golden_pictures()), *noise]
    session = opened(file)
    found = [difference(model, session, picture) for picture in pictures]
    return max(moved for moved, _ in found), max(moved for _, moved in found)


def opened(file: Path) -> Any:
    """The file in onnxruntime on the CPU, an InferenceSession: it reads all weights, and is opened once."""
    import onnxruntime

    return onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


def difference(model: Model, session: Any, picture: UInt8[Tensor, "n 3 h w"]) -> tuple[float, float]:
    """The largest difference that the file makes to a probability of these pictures, and to a logit as a share of one
    and the largest."""
    found = session.run(["logits", "probabilities"], {"pictures": picture.permute(0, 2, 3, 1).numpy()})
    logits, probabilities = map(torch.from_numpy, found)
    with torch.no_grad():
        expected = model.classifier.logits(preprocess(to_float(picture), model.spec)).cpu()
    moved = (logits - expected).abs().max() / (1 + expected.abs().max())
    return (probabilities - expected.softmax(dim=1)).abs().max().item(), moved.item()
