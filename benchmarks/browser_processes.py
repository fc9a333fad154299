"""What a browser's processes have used of the processor, by their types, as Linux counts it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser

from benchmarks.service import cpu_seconds

MAIN = "browser"
"""The type of a browser's first process, which starts all others."""


@dataclass(frozen=True)
class Process:
    """A process, and its type in Chromium: `browser`, `renderer`, `gpu-process`, `utility` or `zygote`."""

    id: int
    parent: int
    kind: str


def browser_process(browser: Browser) -> int:
    """The id of the browser's first process."""
    session = browser.new_browser_cdp_session()
    processes = session.send("SystemInfo.getProcessInfo")["processInfo"]
    session.detach()
    return int(next(process["id"] for process in processes if process["type"] == MAIN))


def kind_of(command: str) -> str:
    """The type of a process of Chromium by its command line, whose parts are separated by zero bytes or spaces."""
    found = re.search(r"[\0 ]--type=([\w-]+)", command)
    return found[1] if found else MAIN


def processes() -> list[Process]:
    """All processes of this machine that can be read."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rsplit(")", 1)[1].split()[1])
            found.append(Process(int(folder.name), parent, kind_of((folder / "cmdline").read_text())))
        except (FileNotFoundError, ProcessLookupError):  # it has just ended
            continue
    return found


def tree(root: int, among: Iterable[Process]) -> list[Process]:
    """The process `root` and all that descend from it."""
    among = list(among)
    found, wanted = [], {root}
    while wanted:
        level = [process for process in among if process.id in wanted and process not in found]
        found += level
        wanted = {process.id for process in among if process.parent in {parent.id for parent in level}}
    return found


def cpu_of(root: int) -> dict[Process, float]:
    """Seconds of the processor that each process of the tree has used so far."""
    seconds = {}
    for process in tree(root, processes()):
        try:
            seconds[process] = cpu_seconds(process.id)
        except (FileNotFoundError, ProcessLookupError):
            continue
    return seconds


def used_by_kind(before: Mapping[Process, float], after: Mapping[Process, float]) -> dict[str, float]:
    """Seconds of the processor between two moments, added up by type; a process that has ended between is left out."""
    used: dict[str, float] = {}
    for process, seconds in after.items():
        used[process.kind] = used.get(process.kind, 0.0) + seconds - before.get(process, 0.0)
    return used
