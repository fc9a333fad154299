"""Inspection of many files at once, on several processes."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from functools import partial
from itertools import islice

from training.data.loading.workers import begin_worker, worker_context
from training.data.scan.inspect_file import InspectedFile, inspect_file
from training.data.sources.source import BadData, Source

CHUNK = 16
"""Number of files that are sent to a worker at once."""


def inspect_files(
    source: Source, names: Iterable[str], workers: int, *, shorter: int | None = None
) -> Iterator[InspectedFile]:
    """`inspect_file` on many files, in order, on `workers` processes (0: in this process); raises BadData."""
    if workers == 0:
        yield from map(partial(inspect_file, source, shorter=shorter), names)
        return
    with ProcessPoolExecutor(
        workers, mp_context=worker_context(), initializer=_initialize, initargs=(source, shorter)
    ) as pool:
        # Workers get only a limited number of files in advance: pictures that wait for a slow disk take memory.
        pending: deque[Future[list[InspectedFile]]] = deque()
        remaining = iter(names)
        try:
            while chunk := list(islice(remaining, CHUNK)):
                pending.append(pool.submit(_inspect_chunk, chunk))
                if len(pending) > 2 * workers:
                    yield from pending.popleft().result()
            while pending:
                yield from pending.popleft().result()
        except BrokenProcessPool as error:
            raise BadData(
                "a worker process that decodes pictures was killed, perhaps because memory ran out: try --workers 0"
            ) from error


_inspect: Callable[[str], InspectedFile]
"""In a worker process: inspects one file. The source, with all its names, is sent once and not with each photo."""


def _initialize(source: Source, shorter: int | None) -> None:
    global _inspect
    begin_worker()
    _inspect = partial(inspect_file, source, shorter=shorter)


def _inspect_chunk(names: Sequence[str]) -> list[InspectedFile]:
    return [_inspect(name) for name in names]
