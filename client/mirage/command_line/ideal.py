"""mirage ideal: draws the picture that the model finds most typical of a class."""

from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from mirage.command_line import output
from mirage.command_line.connect import Json, Key, Model, Url, connect, for_people
from mirage.command_line.extra_options import Extra, extra_options
from mirage.command_line.live import watch
from mirage.command_line.pictures import can_show
from mirage.command_line.terminal import err, plain, printable
from mirage.errors import BadOption
from mirage.options import IdealOptions
from mirage.results.ideal import IdealResult


def ideal(
    target: Annotated[str | None, typer.Argument(metavar="CLASS", help="The class, by name or index.")] = None,
    to: output.Output = None,
    layer: Annotated[str | None, typer.Option(help="In place of a class: name of a layer, with --channel.")] = None,
    channel: Annotated[int | None, typer.Option(help="Index of a channel of the layer, from 0.")] = None,
    effort: Annotated[str | None, typer.Option(help="quick, standard or thorough.")] = None,
    method: Annotated[str | None, typer.Option(help="fourier, maco or pixel.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed: another seed draws another picture.")] = None,
    count: Annotated[int | None, typer.Option(help="Number of pictures, 1 to 16, side by side.")] = None,
    size: Annotated[int | None, typer.Option(help="Side of the picture in pixels, 16 to 1024.")] = None,
    extra: Extra = None,
    model: Model = None,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Draw the picture that the model finds most typical of a class, or that activates one channel most."""
    output.check(to)
    if (target is None) == (layer is None) or (layer is None) != (channel is None):
        raise BadOption("name what to draw: mirage ideal CLASS, or mirage ideal --layer NAME --channel NUMBER")
    options: dict[str, Any] = {
        "effort": effort,
        "method": method,
        "seed": seed,
        "count": count,
        "size": size,
        "model": model,
    } | extra_options(extra, IdealOptions)
    with connect(url, key) as client:
        steps = client.ideal.stream(target, layer=layer, channel=channel, previews=can_show(err), **options)
        result = watch(steps)
    output.deliver(result, to, summary(result), for_people=for_people(as_json))


def summary(result: IdealResult) -> RenderableType:
    """How well the picture shows what it shall show, in a few lines."""
    score = result.score
    seen = (
        f"activation {score.activation or 0:.3g} (on noise {score.on_noise or 0:.3g})"
        if score.probability is None
        else f"probability {score.probability:.3f}, rank {score.rank}; in changed pictures {score.robust:.2f}"
    )
    lines = [Text.assemble(printable(result.label), f": {seen}; {plain(result.model)}, {result.seconds:.1f} s")]
    if score.transfer is not None:
        judge = score.transfer
        lines.append(
            Text.assemble(
                "the model ", printable(judge.model), " sees ", printable(judge.label),
                f", and gives this class {judge.probability:.3f}",
            )
        )  # fmt: skip
    if result.reason is not None:
        lines.append(printable(result.reason))
    return Group(*lines)
