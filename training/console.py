"""Output to the terminal or a log file: progress with an estimate of the time left, tables and lines."""

import io
import math
import time
from collections.abc import Iterable, Iterator
from typing import TextIO, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from training.control_characters import IN_TEXT
from training.data.loading.plan import Plan
from training.data.scan.findings import FileProblem, Finding, Scan

Item = TypeVar("Item")

LOG_INTERVAL_S = 60.0
"""Seconds between two lines of progress where the output is not a terminal but a log file, for example."""


def write_any_text(*streams: TextIO | None) -> None:
    """Let streams write characters that their encoding (cp1252, ASCII) lacks as `\\u732b`, instead of failing."""
    for stream in streams:
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def track(console: Console, items: Iterable[Item], total: int, *, what: str) -> Iterator[Item]:
    """Yield the items, and show how many are done and how long the rest will take."""
    if console.is_terminal:
        with _bar(console) as progress:
            yield from progress.track(items, total=total, description=what)
        return
    start = last_line = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - last_line >= LOG_INTERVAL_S and done < total:
            last_line = now
            print_line(console, f"  {what}: {done} of {total}, {duration((now - start) / done * (total - done))} left")


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True)


class TrainingProgress:
    """Shows the progress of a run, and estimates the time left from the number of pixels of the remaining steps."""

    def __init__(self, console: Console, plan: Plan, step: int) -> None:
        self.console, self.plan = console, plan
        self.begun = self.last_save = self.epoch_begun = time.monotonic()
        self.last_line = -math.inf  # the first step is printed at once
        self.first, self.step, self.measuring, self.epochs = step, step, 0.0, 0
        self.is_timed = False
        self.bar = _bar(console) if console.is_terminal else None
        if self.bar is not None:
            self.bar.start()
            self.task = self.bar.add_task("training", total=plan.steps, completed=step)

    def report_step(self, step: int, loss: float) -> None:
        """Report that a step is done."""
        self.step, now = step, time.monotonic()
        if not self.is_timed:  # time counts from the end of the first step, which waits for photos and compiles
            self.is_timed, self.first, self.begun = True, step, now
        epoch = min(self.plan.recipe.epochs, (step - 1) // self.plan.steps_per_epoch + 1)
        what = f"epoch {epoch} of {self.plan.recipe.epochs}, loss {loss:.3f}, {self.time_left()}"
        if self.bar is not None:
            self.bar.update(self.task, completed=step, description=what)
        elif now - self.last_line >= LOG_INTERVAL_S:
            self.last_line = now
            print_line(self.console, f"  step {step:,} of {self.plan.steps:,}: {what}")

    def report_validation(self, seconds: float) -> None:
        """Report that validation has taken this many seconds."""
        self.measuring, self.epochs = self.measuring + seconds, self.epochs + 1

    def time_left(self) -> str:
        """`about 12 min left`: the remaining steps at the speed so far, and the validation after each epoch."""
        done = self.plan.cost(self.first) - self.plan.cost(self.step)
        if not done:
            return "the time left is not known yet"
        spent = time.monotonic() - self.begun - self.measuring
        epochs = self.plan.recipe.epochs - self.step // self.plan.steps_per_epoch
        seconds = spent / done * self.plan.cost(self.step) + self.measuring / max(1, self.epochs) * epochs
        return f"about {duration(seconds)} left"

    def epoch_seconds(self) -> float:
        """Seconds since the last call."""
        previous, self.epoch_begun = self.epoch_begun, time.monotonic()
        return self.epoch_begun - previous

    def seconds_since_save(self) -> float:
        """Seconds since the state was saved last."""
        return time.monotonic() - self.last_save

    def report_save(self) -> None:
        """Report that the state has been saved."""
        self.last_save = time.monotonic()

    def close(self) -> None:
        """Remove the progress bar from the terminal."""
        if self.bar is not None:
            self.bar.stop()


def print_line(console: Console, text: str) -> None:
    """Print one line without wrapping it: a log file has no width.

    Names in it may be anybody's, so characters that control a terminal are replaced.
    """
    console.print(_plain(IN_TEXT.sub("?", text), console), soft_wrap=True, highlight=False)


def duration(seconds: float) -> str:
    """A duration as text: `48 s`, `12 min`, `2 h 5 min`."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 100 else f"{minutes // 60} h {minutes % 60} min"


def print_findings(console: Console, findings: tuple[Finding, ...], limit: int = 200) -> None:
    """Print a table of the files with a problem, the worst problems first."""
    table = Table(title=f"{len(findings):,} findings (no file was changed)")
    for title in ("file", "problem", "detail"):
        table.add_column(title, overflow="fold")
    for finding in findings[:limit]:
        table.add_row(_plain(finding.name, console), finding.problem.value, _plain(finding.detail, console))
    if len(findings) > limit:
        table.add_row("...", f"{len(findings) - limit} more", "give --csv FILE to get the whole list")
    console.print(table)


def _plain(text: str, console: Console) -> Text:
    # A file name may contain markup (`[red]`), bytes that are not UTF-8, or letters that the encoding of the console
    # lacks. Their replacements take more room, so they are made before the table is laid out.
    return Text(text.encode(console.encoding, "backslashreplace").decode(console.encoding))


def print_classes(console: Console, scan: Scan, folders: tuple[str, ...], names: tuple[str, ...]) -> None:
    """Print a table of the usable photos of each class."""
    table = Table("class", "folder", "usable photos", title="Classes")
    counts = scan.counts
    for folder, name in zip(folders, names, strict=True):
        table.add_row(_plain(name, console), _plain(folder, console), f"{counts[folder]:,}")
    console.print(table)


def summary(scan: Scan) -> str:
    """The number of usable photos, and the number of findings of each kind."""
    counts = {problem: sum(f.problem == problem for f in scan.findings) for problem in FileProblem}
    problems = ", ".join(f"{count} {problem.value}" for problem, count in counts.items() if count)
    return f"{len(scan.photos):,} photos can be used; findings: {problems or 'none'}"
