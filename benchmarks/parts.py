"""The parts of `make bench`: which scripts run, with which options, and how long each takes."""

from dataclasses import dataclass

SKIPPED = 3
"""Exit status of a script that cannot run here, because data or another package is missing; it says so in a line."""


@dataclass(frozen=True)
class Part:
    """One script `benchmarks/NAME.py`, which writes its figures with `--json FILE`.

    `title` says what the figures are. `seconds` is what the part takes on two cores without other work; it is stopped
    after three times as long.
    """

    name: str
    title: str
    seconds: int
    options: tuple[str, ...] = ()


PARTS = (
    Part("network", "Passes of the network", 20, ("--rounds", "9")),
    Part("first_results", "The first results over HTTP", 150),
    Part("attacks_efforts", "The efforts of the default attack", 500, ("--limit", "40")),
    Part("ideals_efforts", "The efforts of ideal pictures", 210, ("--seeds", "3")),
    Part("engine_batches", "Batches of the engine, and /classify beside 16 attacks", 140),
    Part("classify_peers", "/classify beside a plain handler and LitServe", 600),
    Part("classify_verdicts", "/classify of large JPEGs, decoded at a smaller scale", 60),
    Part("training_first_result", "The first result of training", 120),
    Part("service_memory", "Start and memory of the service", 300),
    Part("page", "The page in Chromium", 200),
    Part("gpu", "A machine with a GPU", 70),  # `make gpu` ends after 240 s: stopped before, it records what it has
    Part("steps_overhead", "The Python of many tasks between passes", 30),
)
