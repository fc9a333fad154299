"""Commands that look and measure, and one that passes a model on: check, evaluate, export."""

from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import torch
import typer
from rich.console import Console

from training.cache import DEFAULT_FOLDER, Cache
from training.check import CheckOptions
from training.check import check as run_check
from training.commands import shared
from training.commands.data_options import with_data_options
from training.console import print_line
from training.data.options import DataOptions
from training.evaluate import EvaluationOptions, load_model
from training.evaluate import evaluate as run_evaluate
from training.export import export as run_export
from training.recipe import BadRecipe


@with_data_options
def check(
    data: shared.Data,
    data_options: DataOptions,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 where anything is wrong.")] = False,
    probe: Annotated[bool, typer.Option("--probe", help="Also look for labels in doubt, by a network.")] = False,
    rename: shared.Rename = None,
    architecture: shared.Architecture = "mobilenet_v2",
    weights: shared.WeightsFile = None,
    html: Annotated[Path | None, typer.Option(help="Also write a page with thumbnails to this file.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Also write the list of findings to this file.")] = None,
    workers: shared.Workers = None,
    device: shared.Device = "auto",
    cache: shared.NamedFolder = DEFAULT_FOLDER,
) -> None:
    """Decode every file and list what is wrong with the data; changes nothing."""
    console = Console()
    with shared.told_errors(console):
        path = shared.data_at(data, cache, console)
        inspection = CheckOptions(
            path,
            probe,
            shared.renaming(rename),
            data_options,
            Cache(cache.expanduser()).unpacked,
            architecture,
            weights,
            page=html,
            csv=csv,
            workers=shared.worker_count(workers),
            device=shared.device_named(device),
        )
        if run_check(inspection, console).findings and strict:
            raise typer.Exit(1)


@with_data_options
def evaluate(
    model: Annotated[str, typer.Argument(help="A checkpoint's file, or a served name: cats-dogs, imagenet/resnet50.")],
    data: shared.Data,
    data_options: DataOptions,
    side: Annotated[
        str,
        typer.Option(
            help="all, train, validation, test; auto: test where there is one or the model was trained on it."
        ),
    ] = "auto",
    rename: shared.Rename = None,
    attack: Annotated[
        str, typer.Option(help="One of the service's attacks with a budget; none: leave it out.")
    ] = "apgd",
    norm: Annotated[str, typer.Option(help="linf, l2, l1.")] = "linf",
    epsilon: Annotated[
        list[str] | None,
        typer.Option(help="Budgets, like 4/255. [default: 1/255 2/255 4/255 8/255; l2: 0.5 1 2 4; l1: 10 30 100 300]"),
    ] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Of the attack. [default: its own; apgd's are 100]")] = None,
    restarts: Annotated[int, typer.Option(min=1, help="Of the attack, from other random points.")] = 1,
    photos: Annotated[int, typer.Option(min=1, help="How many are attacked at most, spread over all.")] = 500,
    report: Annotated[Path | None, typer.Option(help="Folder for a page with plots and the worst mistakes.")] = None,
    workers: shared.Workers = None,
    device: shared.Device = "auto",
    cache: shared.CacheFolder = DEFAULT_FOLDER,
) -> None:
    """Measure a classifier: accuracy, calibration, confusion, and accuracy under attack by budget."""
    console = Console()
    with shared.told_errors(console):
        asked: dict[str, Any] = {"attack": attack, "norm": norm}
        asked |= {"epsilons": _budgets(epsilon)} if epsilon else {}
        asked |= {"steps": steps} if steps is not None else {}
        asked |= {"restarts": restarts} if restarts > 1 else {}
        question = EvaluationOptions(
            model,
            shared.data_at(data, cache, console),
            side,
            shared.renaming(rename),
            data_options,
            attack={} if attack == "none" else asked,
            photos=photos,
            report=report,
            workers=shared.worker_count(workers),
            cache=Cache(cache.expanduser()),
            device=shared.device_named(device),
        )
        run_evaluate(question, console)


def export(
    model: Annotated[str, typer.Argument(help="A checkpoint's file, or a served name.")],
    output: Annotated[Path, typer.Option(help="The file to write, *.onnx.")],
) -> None:
    """Write a classifier as ONNX with its preprocessing inside, and check that it says the same."""
    console = Console()
    with shared.told_errors(console):
        moved = run_export(load_model(model, torch.device("cpu")), output)
        print_line(console, f"{output}: probabilities within {moved:.1e} of the checkpoint's, on pictures of several shapes")


def _budgets(given: list[str]) -> tuple[float, ...]:
    try:
        return tuple(float(Fraction(text)) for text in given)
    except (ValueError, ZeroDivisionError) as error:
        raise BadRecipe(f"a budget is a number or a fraction like 4/255 ({error})") from error
