"""What the person at the terminal sees: progress with an estimate of the time left, tables, lines."""

import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from training.scan import Finding, Problem, Scan

Item = TypeVar("Item")

QUIET_S = 60.0
"""Where nobody watches (a log file), progress is one line in so many seconds."""


def track(console: Console, items: Iterable[Item], *, total: int, what: str) -> Iterator[Item]:
    """Pass the items on, showing how many have passed and how long the rest may take."""
    if console.is_terminal:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            yield from progress.track(items, total=total, description=what)
        return
    start = told = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - told >= QUIET_S and done < total:
            told = now
            tell(console, f"  {what}: {done} of {total}, {duration((now - start) / done * (total - done))} left")


def tell(console: Console, text: str) -> None:
    """One line, broken by nobody: a log file has no width."""
    console.print(text, soft_wrap=True, highlight=False, markup=False)


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
        table.add_row(_plain(finding.name), finding.problem.value, _plain(finding.detail))
    if len(findings) > most:
        table.add_row("...", f"{len(findings) - most} more", "give --csv FILE for the whole list")
    console.print(table)


def _plain(text: str) -> Text:
    # A file may be called `[red]`, or have bytes in its name that are no UTF-8.
    return Text(text.encode("utf-8", "backslashreplace").decode())


def print_classes(console: Console, scan: Scan, folders: tuple[str, ...], names: tuple[str, ...]) -> None:
    """Usable photos per class."""
    table = Table("class", "folder", "usable photos", title="Classes")
    for folder, name in zip(folders, names, strict=True):
        table.add_row(_plain(name), _plain(folder), f"{sum(photo.folder == folder for photo in scan.photos):,}")
    console.print(table)


def summary(scan: Scan) -> str:
    """How many files are used and how many are not, and why."""
    counts = {problem: sum(f.problem == problem for f in scan.findings) for problem in Problem}
    told = ", ".join(f"{count} {problem.value}" for problem, count in counts.items() if count)
    return f"{len(scan.photos):,} photos can be used; found: {told or 'nothing wrong'}"
