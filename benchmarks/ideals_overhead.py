"""What an ideal picture costs over its own passes through the network, and what four cost over one.

python -m benchmarks.ideals_overhead --rounds 5
"""

import argparse
import statistics
import time
from functools import partial

import torch

from app.engine.allocator import keep_freed_memory
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
    """A classifier that remembers every batch that it was asked."""

    def __init__(self, classifier: Classifier) -> None:
        self.classifier = classifier
        self.batches: list[list[Query]] = []

    def answer(self, queries: list[Query]) -> list[Answer]:
        """The classifier's own answer."""
        self.batches.append(queries)
        return self.classifier.answer(queries)


class Bench:
    """One method on one network."""

    def __init__(self, classifier: Classifier, method: str) -> None:
        self.classifier, self.method = classifier, method
        recording = Recording(classifier)
        run(self.task(), recording)
        self.batches = recording.batches
        self.shares: list[float] = []

    def task(self, **options: int) -> Task[Ideal]:
        """The whole of it, the verdict included."""
        return ideal(ZEBRA, self.classifier.spec, method=self.method, device=self.classifier.device, **options)

    def whole(self) -> None:
        """One picture; of its seconds what the network took is kept apart."""
        watch, begun = Stopwatch(self.classifier), time.perf_counter()
        run(self.task(), watch)
        self.shares.append((time.perf_counter() - begun) / watch.seconds)

    def passes(self) -> None:
        """The same batches, forward and backward, and nothing else."""
        for batch in self.batches:
            self.classifier.answer(batch)

    def several(self, count: int) -> None:
        """So many of equally many steps: an early stop comes sooner for one seed than for another."""
        run(self.task(**EQUAL, count=count), self.classifier)


def main() -> None:
    """Print the ratios, round by round."""
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
        told = f"{method:8} {timings['whole'].median:6.2f} s"
        print(f"{told}, over the same passes:  {_told(timings['whole'].ratio(timings['passes']))}")
        if device.type == "cpu":  # elsewhere passes go on while nobody looks
            shares = bench.shares[1:]  # the first one warmed up
            print(f"{told}, one run, split in two: {_told((statistics.median(shares), min(shares), max(shares)))}")
        if options.several:
            ratio = timings["four"].ratio(timings["one"])
            print(f"{method:8} {timings['four'].median:6.2f} s, four over one:           {_told(ratio)}")


def _told(ratio: tuple[float, float, float]) -> str:
    return "{:.3f} ({:.3f} to {:.3f})".format(*ratio)


if __name__ == "__main__":
    main()
