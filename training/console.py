"""What the person at the terminal sees: progress with an estimate of the time left, tables, lines."""

import io
import math
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from training.data.loading.plan import Plan
from training.data.scan.findings import FileProblem, Finding, Scan

Item = TypeVar("Item")

QUIET_S = 60.0
"""Where nobody watches (a log file), progress is one line in so many seconds."""


def write_any_text(*streams: TextIO | None) -> None:
    """Let streams whose code page lacks a character (cp1252, ASCII) write it as `\\u732b`, in place of a traceback."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def track(console: Console, items: Iterable[Item], total: int, *, what: str) -> Iterator[Item]:
    """Pass the items on, showing how many have passed and how long the rest may take."""
    if console.is_terminal:
        with _bar(console) as progress:
            yield from progress.track(items, total=total, description=what)
        return
    start = told = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - told >= QUIET_S and done < total:
            told = now
            print_line(console, f"  {what}: {done} of {total}, {duration((now - start) / done * (total - done))} left")


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)


class TrainingProgress:
    """Tells how far a run has come and how long the rest may take: from the work of its steps, by their pixels."""

    def __init__(self, console: Console, plan: Plan, step: int) -> None:
        self.console, self.plan = console, plan
        self.begun = self.last_save = self.epoch_begun = time.monotonic()
        self.told = -math.inf  # the first step is told at once
        self.first, self.step, self.measuring, self.epochs = step, step, 0.0, 0
        self.is_timed = False
        self.bar = _bar(console) if console.is_terminal else None
        if self.bar is not None:
            self.bar.start()
            self.task = self.bar.add_task("training", total=plan.steps, completed=step)

    def stepped(self, step: int, loss: float) -> None:
        """A step is done."""
        self.step, now = step, time.monotonic()
        if not self.is_timed:  # from the first step's end on: it waits for the photos, and compiles
            self.is_timed, self.first, self.begun = True, step, now
        epoch = min(self.plan.recipe.epochs, (step - 1) // self.plan.steps_per_epoch + 1)
        what = f"epoch {epoch} of {self.plan.recipe.epochs}, loss {loss:.3f}, {self.left()}"
        if self.bar is not None:
            self.bar.update(self.task, completed=step, description=what)
        elif now - self.told >= QUIET_S:
            self.told = now
            print_line(self.console, f"  step {step:,} of {self.plan.steps:,}: {what}")

    def measured(self, seconds: float) -> None:
        """Validation has taken so long."""
        self.measuring, self.epochs = self.measuring + seconds, self.epochs + 1

    def left(self) -> str:
        """`about 12 min left`: the work that is left at the speed so far, and validation after each epoch."""
        done = self.plan.cost(self.first) - self.plan.cost(self.step)
        if not done:
            return "how long the rest takes is not known yet"
        spent = time.monotonic() - self.begun - self.measuring
        epochs = self.plan.recipe.epochs - self.step // self.plan.steps_per_epoch
        seconds = spent / done * self.plan.cost(self.step) + self.measuring / max(1, self.epochs) * epochs
        return f"about {duration(seconds)} left"

    def epoch_seconds(self) -> float:
        """Time since this was last asked."""
        then, self.epoch_begun = self.epoch_begun, time.monotonic()
        return self.epoch_begun - then

    def since_saved(self) -> float:
        """Seconds since the state was saved."""
        return time.monotonic() - self.last_save

    def saved(self) -> None:
        """The state is saved now."""
        self.last_save = time.monotonic()

    def close(self) -> None:
        """Leave the terminal as it was."""
        if self.bar is not None:
            self.bar.stop()


def print_line(console: Console, text: str) -> None:
    """One line, broken by nobody: a log file has no width."""
    console.print(_plain(text, console), soft_wrap=True, highlight=False)


def duration(seconds: float) -> str:
    """`48 s`, `12 min`, `2 h 5 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def print_findings(console: Console, findings: tuple[Finding, ...], most: int = 200) -> None:
    """The files with something wrong, worst first."""
    table = Table(title=f"{len(findings)} files with something wrong; none was changed")
    for title in ("file", "problem", "detail"):
        table.add_column(title, overflow="fold")
    for finding in findings[:most]:
        table.add_row(_plain(finding.name, console), finding.problem.value, _plain(finding.detail, console))
    if len(findings) > most:
        table.add_row("...", f"{len(findings) - most} more", "give --csv FILE for the whole list")
    console.print(table)


def _plain(text: str, console: Console) -> Text:
    # A file may be called `[red]`, have bytes in its name that are no UTF-8, or letters that the console's code page
    # lacks: what is written for these takes more room, which a table has to know.
    return Text(text.encode(console.encoding, "backslashreplace").decode(console.encoding))


def print_classes(console: Console, scan: Scan, folders: tuple[str, ...], names: tuple[str, ...]) -> None:
    """Usable photos per class."""
    table = Table("class", "folder", "usable photos", title="Classes")
    counts = scan.counts
    for folder, name in zip(folders, names, strict=True):
        table.add_row(_plain(name, console), _plain(folder, console), f"{counts[folder]:,}")
    console.print(table)


def summary(scan: Scan) -> str:
    """How many files are used and how many are not, and why."""
    counts = {problem: sum(f.problem == problem for f in scan.findings) for problem in FileProblem}
    told = ", ".join(f"{count} {problem.value}" for problem, count in counts.items() if count)
    return f"{len(scan.photos):,} photos can be used; found: {told or 'nothing wrong'}"
