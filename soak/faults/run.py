"""The table of the faults, and how all of them, or one, are planted."""

import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from soak.faults import of_files, of_models, of_processes, of_the_cache
from soak.faults.scene import Scene
from soak.outcome import Outcome
from soak.service import NotStarted

Fault = Callable[[Scene], Outcome]

FAULTS: Mapping[str, Fault] = {
    "hanging_network": of_models.hanging_network,
    "cache_shared": of_the_cache.cache_shared,
    "cache_deleted": of_the_cache.cache_deleted,
    "cache_truncated": of_the_cache.cache_truncated,
    "cache_overwritten": of_the_cache.cache_overwritten,
    "cache_falsified": of_the_cache.cache_falsified,
    "cache_disk_full": of_the_cache.cache_disk_full,
    "cache_read_only": of_the_cache.cache_read_only,
    "cache_locked": of_the_cache.cache_locked,
    "memory_error": of_models.memory_error,
    "torch_memory": of_models.torch_memory,
    "torch_memory_for_many": of_models.torch_memory_for_many,
    "nan": of_models.nan,
    "checkpoint_rewritten": of_files.checkpoint_rewritten,
    "decoder_killed": of_processes.decoder_killed,
    "idle_decoders_killed": of_processes.idle_decoders_killed,
    "checkpoint_incomplete_at_start": of_files.checkpoint_incomplete_at_start,
    "engine_thread": of_models.engine_thread,
    "clock_jumps": of_processes.clock_jumps,
    "log_not_read": of_processes.log_not_read,
    "log_closed": of_processes.log_closed,
    "stop_while_loading": of_processes.stop_while_loading,
    "stop_twice": of_processes.stop_twice,
}
"""The faults by name, in the order in which they are planted."""
BESIDE = ("hanging_network",)
"""Those that take a minute, and run beside the others."""


def faults(*, only: str | None = None) -> Outcome:
    """Plant each fault, or only the one of this name, and compare what clients see with docs/reference/operations.md.

    The figures and problems of each fault begin with its name. Raises KeyError for an unknown name.
    """
    chosen = FAULTS if only is None else {only: FAULTS[only]}
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(len(BESIDE)) as beside:
        scene = Scene(Path(folder))
        try:
            begun = {name: beside.submit(_planted, name, chosen[name], scene) for name in BESIDE if name in chosen}
            outcomes = {name: begun.get(name) or _planted(name, fault, scene) for name, fault in chosen.items()}
            return together({name: _done(outcome) for name, outcome in outcomes.items()})
        finally:
            scene.close()


def together(outcomes: Mapping[str, Outcome]) -> Outcome:
    """One outcome with the figures and problems of all faults, which begin with their names."""
    whole = Outcome({"faults": len(outcomes)})
    for name, outcome in outcomes.items():
        whole.figures |= {f"{name}_{figure}": value for figure, value in outcome.figures.items()}
        whole.problems += [f"{name}: {problem}" for problem in outcome.problems]
    return whole


def _planted(name: str, fault: Fault, scene: Scene) -> Outcome:
    """The outcome of one fault; that it ends the service, or this function, is one as well."""
    begun = time.monotonic()
    try:
        outcome = fault(scene)
    except NotStarted as error:
        outcome = Outcome(problems=[str(error)])
    except Exception as error:  # the other faults are planted all the same
        outcome = Outcome(problems=[f"it could not be planted or judged: {type(error).__name__}: {error}"])
    outcome.figures["took_s"] = took_s = round(time.monotonic() - begun, 1)
    print(f"-- {name}: {took_s} s", *outcome.problems, sep="\n   ", flush=True)
    return outcome


def _done(outcome: "Outcome | Future[Outcome]") -> Outcome:
    return outcome.result() if isinstance(outcome, Future) else outcome
