"""A task that is shown in the terminal while it runs: the picture so far, the probabilities, the time left."""

from typing import TypeVar

from rich.console import Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from mirage.command_line.pictures import HalfBlocks, can_show
from mirage.command_line.terminal import err, printable, shows_letters
from mirage.results.shared import Prediction, ProgressEvent
from mirage.stream import Steps

Result = TypeVar("Result")
BAR_COLUMNS, MOST_COLUMNS = 24, 48
"""Width of a bar of a probability, and largest width of the picture."""


def watch(steps: Steps[Result]) -> Result:
    """Go through the steps of a task and return its result; a terminal shows them, other outputs nothing."""
    with steps:
        if not err.is_terminal:
            return steps.finish()
        with Live(console=err, refresh_per_second=12, transient=True) as live:
            live.update(Text("waiting for the service ..."))
            picture: RenderableType = ""
            for step in steps:
                if step.preview is not None and can_show(err):
                    picture = HalfBlocks(step.preview, min(MOST_COLUMNS, err.width // 2), max(4, err.height - 5))
                live.update(_view(picture, step))
        return steps.result


def _view(picture: RenderableType, step: ProgressEvent) -> RenderableType:
    side = Table.grid(padding=(0, 1))
    side.add_row(picture, Group(bars(step.probabilities), _state(step)))
    return side


def _state(step: ProgressEvent) -> RenderableType:
    left = "" if step.eta_s is None else f", {step.eta_s:.0f} s left"
    verified = "; it holds in the file" if step.success else ""
    return Group(
        ProgressBar(total=step.steps, completed=step.step, width=BAR_COLUMNS),
        Text(f"step {step.step} of at most {step.steps}{left}{verified}"),
    )


def bars(predictions: tuple[Prediction, ...]) -> RenderableType:
    """The probabilities of classes as bars, with their names and in percent."""
    full, empty = ("\u2588", "\u00b7") if shows_letters(err, "\u2588\u00b7") else ("#", ".")
    table = Table.grid(padding=(0, 1))
    for prediction in predictions:
        length = round(prediction.probability * BAR_COLUMNS)
        bar = Text(full * length, style="cyan") + Text(empty * (BAR_COLUMNS - length), style="dim")
        table.add_row(printable(prediction.label), bar, f"{100 * prediction.probability:.1f} %")
    return table
