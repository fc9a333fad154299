"""Decodes one file after the other in a process of its own, which is neither the service nor has imported PyTorch.

The program is `python -m soak.pictures.worker READ mutated FIRST STOP STEP`, with the seeds of a range, or
`... READ hostile FORMAT`. READ names the function that decodes, as `module:function`. It prints a line of JSON when it
is ready, and one for each file.
"""

import json
import os
import pkgutil
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from app.decoding.process import ENVIRONMENT
from models.decoding.levels import read_levels
from soak.pictures.costs import Cost, cost_of
from soak.pictures.hostile import segments, trees
from soak.pictures.mutations.bases import bases
from soak.pictures.mutations.mutate import mutated

REPOSITORY = Path(__file__).parents[2]
READ = "models.decoding.levels:read_levels"
"""What decodes files in the service's decoder processes."""
MOST_BYTES = 4_000_000_000
"""Address space of a worker, so that a file that takes endless memory does not fill the machine."""


class WorkerEnded(RuntimeError):
    """The process has ended while it decoded a file."""


class WorkerNotReady(RuntimeError):
    """The process has ended before it decoded the first file; the message has the end of its output."""


def costs(*arguments: str, read: str = READ) -> Iterator[Cost]:
    """What each file costs that the arguments name, decoded in a new process.

    Raises WorkerEnded if it dies of a file, the one after the last whose cost was returned, and WorkerNotReady.
    """
    ready = False
    environment = os.environ | ENVIRONMENT
    with tempfile.TemporaryFile() as errors:  # libtiff writes thousands of lines about some files
        with subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "soak.pictures.worker", read, *arguments],
            cwd=REPOSITORY,
            env=environment | {"PYTHONPATH": os.pathsep.join(filter(None, [str(REPOSITORY), *sys.path]))},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process:
            assert process.stdout is not None
            try:
                for line in process.stdout:
                    if ready:
                        yield Cost(**json.loads(line))
                    ready = True
            except GeneratorExit:
                process.kill()
                raise
        if not ready:
            errors.seek(0)
            raise WorkerNotReady(f"no worker can be started: {errors.read()[-1000:].decode(errors='replace')}")
        if process.returncode:
            raise WorkerEnded(f"the process that decoded it has ended with exit code {process.returncode}")


def _files(kind: str, *arguments: str) -> Iterator[tuple[str, bytes]]:
    if kind == "hostile":
        (format,) = arguments
        yield from ({**segments.FILES, **trees.FILES}[format])()
        return
    for seed in range(*map(int, arguments)):
        format, data = mutated(seed)
        yield f"{format}, seed {seed}", data


def main() -> None:
    """Measure the files that the arguments name."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a library prints must not end up among the answers
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    for format, data in bases():  # libraries are loaded, and memory that is kept is taken
        cost_of(format, data, read_levels)
    read = pkgutil.resolve_name(sys.argv[1])
    print("{}", file=answers, flush=True)
    for name, data in _files(*sys.argv[2:]):
        print(json.dumps(asdict(cost_of(name, data, read))), file=answers, flush=True)


if __name__ == "__main__":
    main()
