"""Attacks: ours and other libraries' on the same photos, what they cost beyond their passes, and which survive JPEG.

    python -m benchmarks attacks --limit 64 --json attacks.json
    python -m benchmarks attacks --part table --attacks ddn,fmn --libraries mirage,adv_lib --targeted
    python -m benchmarks attacks --part overhead

Mirage has two lines: `mirage` is the whole attack, whose result is a verified 8-bit picture; `bare` is only its attack
in float, which is what other libraries offer. Each line is printed when it is measured. With --json the results are
stored, and the same command continues where it was stopped. `make oracles` installs the other libraries; those that
are missing are left out.
"""

import argparse
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.attacks_overhead import part_overhead
from benchmarks.attacks_results import Results
from benchmarks.attacks_subjects import Bench, Plan, open_photos
from benchmarks.attacks_survive import part_survive
from benchmarks.attacks_table import part_table
from benchmarks.measure import machine
from benchmarks.oracles import PACKAGES, oracles
from models import store
from models.attacks.geometry import LEVEL, NORMS
from models.attacks.options import ATTACKS
from models.attacks.shared_options import DEFAULT_EPSILONS
from models.classifier import choose_device

SECTIONS = ("bare", "crop", "photo")


def arguments() -> argparse.ArgumentParser:
    """The parser of the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument

    def some_of(choices: Sequence[str]) -> Callable[[str], list[str]]:
        def parse(text: str) -> list[str]:
            names = [name.strip() for name in text.split(",")]
            if unknown := set(names) - set(choices):
                raise argparse.ArgumentTypeError(f"no {', '.join(sorted(unknown))}; there are {', '.join(choices)}")
            return [name for name in choices if name in names]

        return parse

    add("--part", choices=("table", "overhead", "survive", "all"), default="all")
    add("--photos", type=Path, help="folder or zip (without it ImageNet samples if they are there, or scikit-image's)")
    add("--limit", type=int, default=4, help="number of photos, counted from the first (4)")
    add("--model", default="imagenet/mobilenet_v2", help="a checkpoint's name, or imagenet/<architecture>")
    add("--folder", type=Path, default=store.BUNDLED, help="folder of checkpoints")
    add("--device", default="auto")
    add("--targeted", action="store_true", help="attack towards a target class that is drawn for each photo")
    add("--seed", type=int, default=0)
    libraries = ("mirage", *PACKAGES)
    add("--libraries", type=some_of(libraries), default=list(libraries), help=",".join(libraries))
    add(
        "--attacks",
        type=some_of(list(ATTACKS)),
        default=list(ATTACKS),
        help="names of attacks as Mirage calls them, separated by commas",
    )
    add("--norms", type=some_of(NORMS), default=list(NORMS), help=",".join(NORMS))
    add(
        "--sections",
        type=some_of(SECTIONS),
        default=list(SECTIONS),
        help="table: bare (all), crop, photo (the product)",
    )
    add(
        "--rows",
        type=int,
        default=1,
        help="table: photos per batch, in all libraries; above 1 the figures are means of a batch (1)",
    )
    add("--at-once", type=int, default=8, help="survive: number of photos attacked at the same time (8)")
    add("--steps", type=int, default=100, help="steps of attacks that look for the smallest perturbation (100)")
    add("--budget-steps", type=int, default=40, help="steps of attacks within a budget (40)")
    add("--queries", type=int, default=500, help="queries of the attack square (500)")
    add("--searches", type=int, default=3, help="binary search steps of Carlini and Wagner's attack (3)")
    add("--search-steps", type=int, default=50, help="gradient steps in each of these searches (50)")
    add("--candidates", type=int, default=10, help="number of most probable classes that DeepFool considers (10)")
    add(
        "--linf",
        type=float,
        default=DEFAULT_EPSILONS["linf"] * 255,
        help="linf budget in levels of 1/255 (%(default)g)",
    )
    add("--l2", type=float, default=DEFAULT_EPSILONS["l2"], help="l2 budget (%(default)g)")
    add("--l1", type=float, default=DEFAULT_EPSILONS["l1"], help="l1 budget (%(default)g)")
    add("--rounds", type=int, default=5, help="overhead: number of interleaved rounds (5)")
    add("--overhead-rows", type=int, nargs="+", default=[1, 8], help="overhead: batch sizes (1 8)")
    add("--overhead-steps", type=int, default=10, help="overhead: steps of every attack, at least 10 (10)")
    add("--json", type=Path, help="file that stores all figures per photo; the same command continues from it")
    return parser


def main() -> None:
    """Run the parts that the option --part names."""
    options = arguments().parse_args()
    warnings.filterwarnings("ignore")  # warnings of other libraries, which we cannot mend
    device = choose_device(options.device)
    plan = Plan(
        steps=options.steps,
        budget_steps=options.budget_steps,
        queries=options.queries,
        searches=options.searches,
        search_steps=options.search_steps,
        candidates=options.candidates,
        epsilon={"linf": options.linf * LEVEL, "l2": options.l2, "l1": options.l1},
        targeted=options.targeted,
        seed=options.seed,
    )
    try:
        model = store.load(options.model, folder=options.folder, device=device)
    except store.EXPECTED as error:
        raise SystemExit(str(error)) from error
    bench = Bench(model.classifier, plan)
    source, photos = open_photos(options.photos, options.limit)
    if not photos:
        raise SystemExit(f"there is no photo in {source}")
    theirs, versions = oracles(plan, set(options.libraries), device)
    left_out = ("part", "json", "libraries", "attacks", "norms", "sections", "photos", "folder", "device")
    settings = {name: str(value) for name, value in vars(options).items() if name not in left_out}
    settings |= {"photos": f"{len(photos)} of {source}", "device": str(device)}
    header = [machine(device), "; ".join(versions), ", ".join(f"{name} {value}" for name, value in settings.items())]
    results = Results(options.json, settings, header)
    print("\n".join(header))
    if options.part in ("table", "all"):
        print("\n-- table")
        part_table(bench, photos, theirs, results, options)
    if options.part in ("overhead", "all"):
        print("\n-- overhead")
        shorter = plan.shortened(options.overhead_steps)
        shorter_theirs, _ = oracles(shorter, set(options.libraries), device)
        part_overhead(bench.under(shorter), photos, shorter_theirs, results, options)
    if options.part in ("survive", "all"):
        print("\n-- survive")
        part_survive(bench, photos, results, options)


if __name__ == "__main__":
    main()
