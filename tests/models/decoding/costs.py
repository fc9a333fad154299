"""Measures what decoding files costs, in a process of its own: `python -m tests.models.decoding.costs hostile JPEG`.

It prints one line of JSON per file: name, seconds of the processor, growth of memory in MB, what 25 bytes for each
pixel and the file itself take in MB, and the outcome. A file that takes 60 s ends the process.
"""

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.integration.project import REPOSITORY

LONGEST_S = 60
"""Seconds of the processor after which a file is given up."""
BYTES_OF_PIXEL = 25
"""Bytes that a decoded picture may take for each of its pixels, at the peak."""


@dataclass(frozen=True)
class Cost:
    """What one file cost; `allowed_mb` are the file and 25 bytes for each pixel that its header states."""

    name: str
    seconds: float
    grown_mb: float
    allowed_mb: float
    outcome: str


def costs(*arguments: str) -> list[Cost]:
    """Run this module in a new process, and return what it printed; raises CalledProcessError if it dies."""
    command = [sys.executable, "-W", "ignore", "-m", "tests.models.decoding.costs", *arguments]
    # libtiff writes what it finds damaged to the standard error, thousands of lines for some files.
    done = subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True)
    return [Cost(**json.loads(line)) for line in done.stdout.splitlines()]


def _files(kind: str, *arguments: str) -> Iterator[tuple[str, bytes]]:
    from tests.models.decoding.hostile import segments, trees
    from tests.models.decoding.mutations.mutate import mutated

    if kind == "hostile":
        for format in arguments:
            yield from ({**segments.FILES, **trees.FILES}[format])()
    else:
        for seed in range(int(arguments[0]), int(arguments[1])):
            format, data = mutated(seed)
            yield f"{format}, seed {seed}", data


def _memory_mb(field: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(float(line.split()[1]) / 1000 for line in lines if line.startswith(field))


def _seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def _cost(name: str, data: bytes) -> Cost:
    from models.pictures import PictureError, inspect

    pixels = [0]
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak of memory is counted anew
    before, begun = _memory_mb("VmRSS"), _seconds()
    signal.setitimer(signal.ITIMER_PROF, LONGEST_S)
    try:
        picture = inspect(data, admit=pixels.append)
        outcome = picture.format
        pixels.append(picture.width * picture.height)
    except PictureError as error:
        outcome = f"{type(error).__name__}: {error}"
    signal.setitimer(signal.ITIMER_PROF, 0)
    allowed = (BYTES_OF_PIXEL * max(pixels) + len(data)) / 1e6
    return Cost(name, _seconds() - begun, _memory_mb("VmHWM") - before, allowed, outcome)


def main() -> None:
    """Measure the files that the arguments name."""
    for _ in _files("mutated", "0", "200"):  # libraries are loaded, and memory that is kept is taken
        pass
    for name, data in _files("mutated", "0", "200"):
        _cost(name, data)
    for name, data in _files(*sys.argv[1:]):
        print(json.dumps(_cost(name, data).__dict__), flush=True)


if __name__ == "__main__":
    os.environ["OMP_NUM_THREADS"] = "1"
    main()
