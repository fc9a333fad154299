"""A task that is shown in the terminal while it runs: the picture so far, the probabilities, the time left."""

from dataclasses import dataclass
from typing import TypeVar

from rich.console import RenderableType
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
    if not err.is_terminal:
        with steps:
            return steps.finish()
    with Live(Text("waiting for the service ..."), console=err, refresh_per_second=12, transient=True) as live, steps:
        pictures = Pictures()
        for step in steps:
            pictures.update(step)
            live.update(_view(pictures, step))
    return steps.result


@dataclass
class Pictures:
    """The latest pictures of a task as half blocks: itself, and its change; not every step has them."""

    preview: RenderableType | None = None
    change: RenderableType | None = None

    def update(self, step: ProgressEvent) -> None:
        """Take the pictures of this step, if it has any and the terminal can show them."""
        if not can_show(err):
            return
        rows = max(4, err.height - 3)
        if step.preview is not None:
            self.preview = HalfBlocks(step.preview, min(MOST_COLUMNS, err.width // 2), rows)
        if step.change is not None:
            beside = len(step.probabilities) + 4
            self.change = HalfBlocks(step.change, MOST_COLUMNS // 2, max(2, rows - beside)).amplified()


def _view(pictures: Pictures, step: ProgressEvent) -> RenderableType:
    left = "" if step.eta_s is None else f", {step.eta_s:.0f} s left"
    figures = Table.grid()
    figures.add_row(bars(step.probabilities))
    figures.add_row(ProgressBar(total=step.steps, completed=step.step, width=BAR_COLUMNS + 8))
    figures.add_row(Text(f"step {step.step} of at most {step.steps}{left}", no_wrap=True))
    figures.add_row(Text("it holds in the file" if step.success else "", no_wrap=True))
    if pictures.change is not None:
        figures.add_row(pictures.change)
        figures.add_row(Text("the change, amplified", style="dim", no_wrap=True))
    side = Table.grid(padding=(0, 2, 0, 0))
    side.add_row(*([] if pictures.preview is None else [pictures.preview]), figures)
    return side


def bars(predictions: tuple[Prediction, ...]) -> RenderableType:
    """The probabilities of classes as bars, with their names and in percent."""
    full, empty = ("\u2588", "\u00b7") if shows_letters(err, "\u2588\u00b7") else ("#", ".")
    table = Table.grid(padding=(0, 1))
    for prediction in predictions:
        length = round(min(max(prediction.probability, 0.0), 1.0) * BAR_COLUMNS)
        bar = Text(full * length, style="cyan") + Text(empty * (BAR_COLUMNS - length), style="dim")
        table.add_row(printable(prediction.label), bar, f"{100 * prediction.probability:.1f} %")
    return table
