"""The command `export`: writes a classifier as ONNX."""

from pathlib import Path
from typing import Annotated

import torch
from rich.console import Console

from training.command_line import CommandLine
from training.commands.expand import expanded
from training.console import print_line
from training.evaluate import load_model
from training.export import export as run_export


@expanded()
def export(
    model: Annotated[
        str,
        "The classifier: a checkpoint file, or the name under which the service serves it, such as cats-dogs or "
        "imagenet/resnet50.",
        CommandLine(positional=True),
    ],
    output: Annotated[Path, "The ONNX file to write, *.onnx."],
) -> None:
    """Write a classifier as ONNX with its preprocessing inside, and check that both give the same probabilities."""
    largest = run_export(load_model(model, torch.device("cpu")), output)
    print_line(
        Console(), f"{output}: probabilities within {largest:.1e} of the checkpoint's, on pictures of several shapes"
    )
