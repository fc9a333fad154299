"""mirage explain and mirage features: what a prediction depends on, and what a layer makes of a picture."""

from typing import Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from mirage.command_line import output
from mirage.command_line.connect import Json, Key, Model, Url, connect, for_people
from mirage.command_line.extra_options import Extra, extra_options
from mirage.command_line.live import watch
from mirage.command_line.terminal import figures, out, plain, printable, write_json
from mirage.errors import BadOption
from mirage.options import ExplainOptions

Picture = Annotated[str, typer.Argument(metavar="PICTURE", help="The picture, a file.")]


def explain(
    picture: Picture,
    to: output.Output = None,
    target: Annotated[
        str | None, typer.Option("--class", "--target", help="The class; by default the most probable one.")
    ] = None,
    method: Annotated[str | None, typer.Option(help="grad_cam, smooth_grad or integrated_gradients.")] = None,
    layer: Annotated[str | None, typer.Option(help="The layer whose feature maps grad_cam weights.")] = None,
    extra: Extra = None,
    model: Model = None,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Show on which parts of a picture a prediction depends."""
    output.check(to)
    options: dict[str, Any] = {"target": target, "method": method, "layer": layer, "model": model}
    with connect(url, key) as client:
        result = watch(client.explain.stream(picture, **options | extra_options(extra, ExplainOptions)))
    said = Text.assemble(
        printable(result.target.label), f" {100 * result.target.probability:.1f} %; {plain(result.method)}",
        f" at the layer {plain(result.layer)}" if result.layer else "",
        f"; {plain(result.model)}, {result.seconds:.1f} s",
    )  # fmt: skip
    output.deliver(result, to, said, for_people=for_people(as_json))


def features(
    picture: Picture,
    layer: Annotated[
        str | None, typer.Argument(metavar="LAYER", help="Name of a layer. Without it, the layers are listed.")
    ] = None,
    to: output.Output = None,
    channels: Annotated[
        str | None, typer.Option(help="Number of channels to show, strongest first, or indices such as 3,17,40.")
    ] = None,
    model: Model = None,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Show the feature maps of a layer for a picture; without a layer, list the layers of the model."""
    output.check(to)
    options: dict[str, Any] = {"channels": channels, "model": model}
    with connect(url, key) as client:
        if layer is None:
            if to is not None or channels is not None:
                raise BadOption("name the layer that is to be shown: mirage features PICTURE lists the layers")
            _list_layers(client.model(model or client.models().default), for_people=for_people(as_json))
            return
        result = watch(client.features.stream(picture, layer, **options))
    shown = result.layer
    said = Text.assemble(
        "the layer ", printable(shown.name), f" ({plain(shown.kind)}): {len(result.shown)} of {shown.channels} ",
        f"channels of {shown.height} x {shown.width}; the model sees ", printable(result.prediction.label),
    )  # fmt: skip
    output.deliver(result, to, said, for_people=for_people(as_json))


def _list_layers(model: Any, *, for_people: bool) -> None:
    if not for_people:
        write_json(figures(model.layers))
        return
    table = Table("layer", "kind", "channels", "height x width")
    for layer in model.layers:
        table.add_row(
            printable(layer.name), printable(layer.kind), str(layer.channels), f"{layer.height} x {layer.width}"
        )
    out.print(table)
