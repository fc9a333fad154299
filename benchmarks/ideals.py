"""Ideal pictures of twelve classes by each method: the score of each picture, and sheets of the pictures.

python -m benchmarks.ideals --seeds 3 --sheets docs/pictures
"""

import argparse
import time
from pathlib import Path
from typing import get_args

from benchmarks.ideals_subjects import CLASSES, Verdict, draw, load_two, summary
from benchmarks.measure import machine
from models.classifier import choose_device
from models.effort import Effort
from models.ideal import METHODS, IdealPicture
from models.ideal.sheet import tile
from models.pictures import encode


def print_row(label: str, seed: int, drawn: IdealPicture, verdict: Verdict) -> None:
    """Print one line of the table: the scores of a picture under the drawing and under the judging network."""
    own, other = drawn.score, verdict.other
    print(
        f"{label:17} {seed:4}  {own.strength:.3f} {own.robust:.3f} {own.held_out:.3f}  {own.slope:5.2f}  "
        f"{other.probability:.3f} {other.rank:4}  {other.top.label:22} {drawn.steps:4}",
        flush=True,
    )


def main() -> None:
    """Print a table per method; with --sheets also write a sheet of the pictures of the first seed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=list(METHODS), choices=list(METHODS))
    parser.add_argument("--classes", nargs="+", default=list(CLASSES))
    parser.add_argument("--effort", default="standard", choices=get_args(Effort))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--sheets", type=Path, help="folder for a picture of each method's pictures of seed 0")
    parser.add_argument("--device", default="auto")
    options = parser.parse_args()
    device = choose_device(options.device)
    print(machine(device))
    two = load_two(device)
    for method in options.methods:
        print(
            f"\n{method}\nclass             seed  p     R     held   slope  T     rank  the other network sees  steps"
        )
        begun, verdicts = time.monotonic(), []
        for seed in range(options.seeds):
            pictures = draw(two.draws, method, options.classes, seed, options.effort)
            for label, drawn in zip(options.classes, pictures, strict=True):
                verdicts.append(Verdict(label, drawn.score, two.judgement(drawn.picture, label)))
                print_row(label, seed, drawn, verdicts[-1])
            if seed == 0 and options.sheets is not None:
                sheet = tile([drawn.picture for drawn in pictures])
                (options.sheets / f"ideals-{method}.jpg").write_bytes(encode(sheet, format="jpeg", quality=88))
        seconds = (time.monotonic() - begun) / len(verdicts)
        print(f"all: {summary(verdicts)}; {seconds:.1f} s a picture", flush=True)


if __name__ == "__main__":
    main()
