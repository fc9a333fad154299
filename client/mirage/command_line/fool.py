"""mirage fool: changes a picture so that the model sees another class."""

from typing import Annotated, Any

import typer
from rich.console import Group, RenderableType
from rich.text import Text

from mirage.command_line import output
from mirage.command_line.connect import Json, Key, Model, Url, connect, for_people
from mirage.command_line.exits import NOT_AS_ASKED
from mirage.command_line.extra_options import Extra, extra_options
from mirage.command_line.live import watch
from mirage.command_line.pictures import can_show
from mirage.command_line.terminal import err, out, plain, printable, shows_letters
from mirage.options import FoolOptions
from mirage.results.adversarial import AdversarialResult


def fool(
    picture: Annotated[str, typer.Argument(metavar="PICTURE", help="The picture to change, a file.")],
    target: Annotated[
        str | None,
        typer.Option(
            "--as", "--target", help="Class that the model is to see, by name or index; without it any other class."
        ),
    ] = None,
    to: output.Output = None,
    epsilon: Annotated[
        str | None,
        typer.Option(
            help="Budget in the unit of the norm, pixel values being 0 to 1, such as 8/255. Without it the smallest "
            "change is looked for."
        ),
    ] = None,
    attack: Annotated[str | None, typer.Option(help="The attack: auto, pgd, ddn, patch and others.")] = None,
    norm: Annotated[str | None, typer.Option(help="Norm of the change: linf, l2, l1 or l0.")] = None,
    effort: Annotated[str | None, typer.Option(help="quick, standard or thorough.")] = None,
    confidence: Annotated[
        float | None, typer.Option(help="Margin in logits, 0 to 100, by which the goal must lead.")
    ] = None,
    survive: Annotated[
        list[str] | None,
        typer.Option(help="What the change must survive: jpeg:75, resize:0.5; may be given several times."),
    ] = None,
    mask: Annotated[
        str | None, typer.Option(help="A picture of the same size, light where the picture may change.")
    ] = None,
    box: Annotated[
        str | None, typer.Option(help="Rectangle left,top,width,height in pixels, where the picture may change.")
    ] = None,
    deadline: Annotated[
        float | None, typer.Option(help="Seconds after which the best result so far is returned.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the random number generator.")] = None,
    extra: Extra = None,
    model: Model = None,
    as_json: Json = False,
    url: Url = None,
    key: Key = None,
) -> None:
    """Change a picture so little that a person sees the same, and the model another class.

    The terminal shows how the change comes about; without one, standard output has the figures as JSON.
    """
    output.check(to)
    options: dict[str, Any] = {
        "target": target,
        "epsilon": epsilon,
        "attack": attack,
        "norm": norm,
        "effort": effort,
        "confidence": confidence,
        "survive": survive or None,
        "mask": mask,
        "box": box,
        "deadline_s": deadline,
        "seed": seed,
        "model": model,
    } | extra_options(extra, FoolOptions)
    with connect(url, key) as client:
        result = watch(client.fool.stream(picture, previews=can_show(err), **options))
    output.deliver(result, to, summary(result), for_people=for_people(as_json))
    if not result.success:
        err.print(
            "mirage: the attack was stopped before the model was fooled as asked: give it a longer --deadline"
            if result.stopped
            else "mirage: the model is not fooled as asked: allow a larger change, more steps, or another class"
        )
        raise typer.Exit(NOT_AS_ASKED)


def summary(result: AdversarialResult) -> RenderableType:
    """What the attack has reached, in a few lines."""
    before, after, norms = result.original, result.adversarial, result.norms
    arrow = "\u2192" if shows_letters(out, "\u2192") else "->"
    lines = [
        Text.assemble(
            printable(before.label), f" {100 * before.probability:.1f} % {arrow} ", printable(after.label),
            f" {100 * after.probability:.1f} %",
        ),
        Text(f"{plain(result.model)}, {plain(result.attack)}, {result.seconds:.1f} s"),
        Text(
            f"{100 * result.perception.unchanged:.1f} % of the values are unchanged; L2 {norms.l2:.3g}, largest change "
            f"{round(255 * norms.linf)} of 255"
        ),
    ]  # fmt: skip
    for verdict in result.transfer:
        seen = Text.assemble("the model ", printable(verdict.model), " sees ", printable(verdict.adversarial.label))
        lines.append(seen + Text(" as well" if verdict.fooled else ", and is not fooled"))
    return Group(*lines)
