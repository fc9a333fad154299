"""Decodes mutated files in processes like the service's decoders, and measures what each of them costs."""

import os
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from soak.outcome import Figure, Outcome
from soak.pictures.costs import Cost
from soak.pictures.mutations.mutate import mutated
from soak.pictures.worker import READ, WorkerEnded, costs

MOST_DEATHS = 20
"""Number of files that may end a worker before the run is given up: each new worker takes a second to start."""


def decode_mutated(*, count: int, seed: int, workers: int | None = None, read: str = READ) -> Outcome:
    """Decode the mutated files of `count` seeds from `seed` on, in as many processes as there are cores.

    Promised are for every file: a picture or a documented error, at most 2 s of the processor, and at most 200 MB
    beyond what is reserved. `read` names the function that decodes, which tests replace.
    """
    workers = min(workers or os.cpu_count() or 1, count)
    shares = [range(seed + worker, seed + count, workers) for worker in range(workers)]
    with ThreadPoolExecutor(workers) as pool:
        return judged([cost for share in pool.map(lambda seeds: list(_costs(seeds, read)), shares) for cost in share])


def judged(results: list[Cost]) -> Outcome:
    """The figures of the files and the promises that were broken."""
    outcomes = Counter(cost.outcome for cost in results)
    slowest = max(results, key=lambda cost: cost.seconds)
    largest = max(results, key=lambda cost: cost.grown_bytes - cost.reserved_bytes)
    figures: dict[str, Figure] = {
        "files": len(results),
        **{f"files_{outcome}": number for outcome, number in sorted(outcomes.items())},
        "processor_s": round(sum(cost.seconds for cost in results), 1),
        "longest_processor_s": round(slowest.seconds, 2),
        "longest_is": slowest.name,
        "most_grown_mb": round(max(cost.grown_bytes for cost in results) / 1e6),
        "most_beyond_reserved_mb": round((largest.grown_bytes - largest.reserved_bytes) / 1e6),
        "most_beyond_reserved_is": largest.name,
    }
    return Outcome(figures, [fault for cost in results for fault in cost.faults])


def _costs(seeds: range, read: str) -> Iterator[Cost]:
    """What the files of the seeds cost; after one that ends the worker, another worker goes on with the next seed."""
    deaths = 0
    while seeds:
        done = 0
        try:
            for cost in costs("mutated", str(seeds.start), str(seeds.stop), str(seeds.step), read=read):
                done += 1
                yield cost
            return
        except WorkerEnded as error:
            deaths += 1
            seed = seeds[done]
            yield Cost(f"{mutated(seed)[0]}, seed {seed}", 0, 0, 0, "death", str(error))
            if deaths == MOST_DEATHS:
                return
            seeds = seeds[done + 1 :]
