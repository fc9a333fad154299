"""mirage curve and mirage targets: how much the model withstands on one picture."""

from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from mirage.command_line import output
from mirage.command_line.connect import Json, Key, Model, Url, connect, for_people
from mirage.command_line.inside import Picture
from mirage.command_line.live import watch
from mirage.command_line.terminal import err, figures, out, plain, printable, write_json
from mirage.results.curves import CurveResult


def curve(
    picture: Picture,
    to: output.Output = None,
    target: Annotated[
        str | None, typer.Option("--as", "--target", help="Class that the model is to see; without it any other class.")
    ] = None,
    norm: Annotated[str | None, typer.Option(help="Norm of the curve's budgets: linf, l2 or l1.")] = None,
    norms: Annotated[
        str | None, typer.Option(help="Norms of the smallest changes, such as linf,l2; all four by default.")
    ] = None,
    effort: Annotated[str | None, typer.Option(help="quick, standard or thorough.")] = None,
    steps: Annotated[int | None, typer.Option(help="Number of steps of each search, 1 to 1000.")] = None,
    deadline: Annotated[
        float | None, typer.Option(help="Seconds after which the best result so far is returned.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the random number generator.")] = None,
    model: Model = None,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Measure how much the model withstands on one picture, as figures and as a plot."""
    output.check(to)
    options: dict[str, Any] = {
        "target": target,
        "norm": norm,
        "norms": norms,
        "effort": effort,
        "steps": steps,
        "deadline_s": deadline,
        "seed": seed,
        "model": model,
    }
    with connect(url, key) as client:
        result = watch(client.curve.stream(picture, **options))
    output.deliver(result, to, summary(result), for_people=for_people(as_json))
    if result.stopped:
        err.print("mirage: the curve was stopped before it was complete: give it a longer --deadline")


def summary(result: CurveResult) -> RenderableType:
    """The smallest perturbation of each norm."""
    table = Table("norm", "smallest change", "the model sees")
    for norm, smallest in result.smallest.items():
        if norm not in ("linf", "l2", "l1", "l0"):
            continue  # of a newer service
        size = getattr(smallest.norms, norm)
        text = f"{size:,} pixels" if norm == "l0" else f"{size:.3g}"
        table.add_row(norm, text if smallest.success else "none found", printable(smallest.label))
    original = result.original
    said = Text.assemble(printable(original.label), f" {100 * original.probability:.1f} %; {plain(result.model)}")
    return Group(said, table)


def targets(
    picture: Picture,
    top: Annotated[int | None, typer.Option(help="Number of classes to list, 1 to 50.")] = None,
    candidates: Annotated[int | None, typer.Option(help="Number of classes that are tried, 1 to 50.")] = None,
    model: Model = None,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """List the classes that need the smallest change of a picture."""
    with connect(url, key) as client:
        result = client.targets(picture, top=top, candidates=candidates, model=model)
    if not for_people(as_json):
        write_json(figures(result))
        return
    table = Table("class", "probability", "DeepFool's L2 at the input size")
    for near in result.nearest:
        distance = "not reached" if near.distance is None else f"{near.distance:.3g}"
        table.add_row(printable(near.label), f"{near.probability:.3g}", distance)
    out.print(table)
