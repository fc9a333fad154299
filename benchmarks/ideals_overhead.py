"""What an ideal picture costs over its own passes through the network, and what four cost over one.

python -m benchmarks.ideals_overhead --rounds 5
"""

import argparse
from collections.abc import Callable

import torch

from benchmarks.ideals_subjects import DRAWS
from benchmarks.measure import interleaved, machine
from models.allocator import keep_freed_memory
from models.classifier import Classifier, choose_device
from models.ideal import METHODS, ideal
from models.query import Answer, Query, run
from models.store import load

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


def draw(classifier: Classifier, options: dict[str, object]) -> Callable[[], object]:
    """The whole of it, the verdict included."""
    return lambda: run(ideal(340, classifier.spec, device=classifier.device, **options), classifier)


def replay(classifier: Classifier, options: dict[str, object]) -> Callable[[], object]:
    """The same batches, forward and backward, and nothing else."""
    recording = Recording(classifier)
    run(ideal(340, classifier.spec, device=classifier.device, **options), recording)
    return lambda: [classifier.answer(batch) for batch in recording.batches]


def main() -> None:
    """Print both ratios, round by round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    keep_freed_memory()  # as the service does
    device = choose_device(options.device)
    print(machine(device))
    classifier = load(DRAWS, device=torch.device(device)).classifier
    for method in options.methods:
        one = {"method": method}
        variants = {"its passes": replay(classifier, one), "one": draw(classifier, one)}
        if method == "fourier":
            # Without an early stop, which comes sooner for one seed than for another.
            variants["one of 48 steps"] = draw(classifier, {**one, **EQUAL})
            variants["four of 48 steps"] = draw(classifier, {**one, **EQUAL, "count": 4})
        timings = interleaved(variants, rounds=options.rounds, device=device)
        for name, base in (("one", "its passes"), ("four of 48 steps", "one of 48 steps")):
            if name in timings:
                ratio, least, most = timings[name].ratio(timings[base])
                print(
                    f"{method:8} {name:16} {timings[name].median:6.2f} s, over {base}: {ratio:.3f} "
                    f"({least:.3f} to {most:.3f})",
                    flush=True,
                )


if __name__ == "__main__":
    main()
