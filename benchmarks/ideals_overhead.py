"""The cost of an ideal picture compared with only its passes through the network, and of four pictures with one.

python -m benchmarks.ideals_overhead --rounds 5
"""

import argparse
import statistics
import time
from functools import partial
from typing import Any

import torch

from app.memory.allocator import keep_freed_memory
from benchmarks.ideals_subjects import DRAWS
from benchmarks.measure import Stopwatch, interleaved, machine
from models.classifier import Classifier, choose_device
from models.ideal import METHODS, Ideal, ideal
from models.query import Answer, Query, Task
from models.run import run
from models.store import load

ZEBRA = 340
EQUAL = {"steps": 48, "patience": 0}


class Recording:
    """A classifier that records every batch of queries."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self.batches: list[list[Query]] = []

    def answer(self, queries: list[Query]) -> list[Answer]:
        """Record the batch and return the classifier's answers."""
        self.batches.append(queries)
        return self.classifier.answer(queries)


class Bench:
    """One method of drawing on one network, with the batches that it needs."""

    def __init__(self, classifier: Classifier, method: str) -> None:
        self.classifier, self.method = classifier, method
        recording = Recording(classifier)
        run(self.task(), recording)
        self.batches = recording.batches
        self.shares: list[float] = []

    def task(self, **options: Any) -> Task[Ideal]:
        """The whole task of drawing a picture, its final score included."""
        return ideal(ZEBRA, self.classifier.spec, method=self.method, device=self.classifier.device, **options)

    def whole(self) -> None:
        """Draw one picture, and record the ratio of its seconds to those of the network."""
        watch, begun = Stopwatch(self.classifier), time.perf_counter()
        run(self.task(), watch)
        self.shares.append((time.perf_counter() - begun) / watch.seconds)

    def passes(self) -> None:
        """Run the same batches, forward and backward, and nothing else."""
        for batch in self.batches:
            self.classifier.answer(batch)

    def several(self, count: int) -> None:
        """Draw `count` pictures without an early stop, which would come sooner for one seed than for another."""
        run(self.task(**EQUAL, count=count), self.classifier)


def main() -> None:
    """Print the ratios: median, minimum and maximum of the rounds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--several", action="store_true", help="also four pictures at once over one")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    keep_freed_memory()  # as the service does
    device = choose_device(options.device)
    print(machine(device))
    classifier = load(DRAWS, device=torch.device(device)).classifier
    for method in options.methods:
        bench = Bench(classifier, method)
        variants = {"passes": bench.passes, "whole": bench.whole}
        if options.several:
            variants |= {"one": partial(bench.several, 1), "four": partial(bench.several, 4)}
        timings = interleaved(variants, rounds=options.rounds, device=device)
        start = f"{method:8} {timings['whole'].median:6.2f} s"
        print(f"{start}, over the same passes:  {_format_ratio(timings['whole'].ratio(timings['passes']))}")
        if device.type == "cpu":  # elsewhere passes are asynchronous, so the split cannot be timed
            shares = bench.shares[1:]  # the first one warmed up
            split = (statistics.median(shares), min(shares), max(shares))
            print(f"{start}, one run, split in two: {_format_ratio(split)}")
        if options.several:
            ratio = timings["four"].ratio(timings["one"])
            print(f"{method:8} {timings['four'].median:6.2f} s, four over one:           {_format_ratio(ratio)}")


def _format_ratio(ratio: tuple[float, float, float]) -> str:
    return "{:.3f} ({:.3f} to {:.3f})".format(*ratio)


if __name__ == "__main__":
    main()
