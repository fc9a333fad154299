"""Where a checkpoint comes from: the JSON that it carries. No path of the machine is in it."""

import json
import platform
import shlex
from collections import Counter
from dataclasses import asdict, replace
from datetime import UTC, datetime
from importlib import metadata
from typing import Any

from models.version import project_version
from training.extension import schedules, stages
from training.metrics import Metrics
from training.options import FitOptions
from training.prepare import PreparedRun
from training.recipe import ROBUST, Recipe
from training.run_state import State

PACKAGES = ("torch", "torchvision", "numpy", "pillow")


def provenance(
    prepared: PreparedRun[FitOptions],
    state: State,
    *,
    validation: Metrics,
    test: Metrics,
    robustness: dict[str, Any] | None,
) -> dict[str, Any]:
    """Recipe, data, metrics (of the test split; `validation` and `robustness` beside), versions, parent, date."""
    folders, pretrained = prepared.data.layout.folders, prepared.pretrained
    found = {
        "recipe": {**asdict(prepared.options.recipe), "precision": state.precision},
        "command": commands(prepared.options, state),
        "data": {
            "name": prepared.data.source.path.resolve().name,
            "folders": dict(zip(prepared.spec.classes, folders, strict=True)),
            "photos": prepared.split.counts(folders),
            "files_digest": prepared.data.scan.digest,
            "split_digest": prepared.split.digest,
            "lost": prepared.lost,
            "alike_on_several_sides": prepared.split.near_duplicates_across_splits,
            "given_sides": sorted({photo.split for photo in prepared.data.scan.photos} - {""}),
            "found": dict(Counter(finding.problem.value for finding in prepared.data.scan.findings)),
        },
        "metrics": {
            **test.to_json(),
            "split": "test",
            "earlier_looks": state.looks - 1,  # the one that these figures are from is counted
            "validation": validation.to_json(),
            "robustness": robustness,
        },
        "kept": {"weights": state.best.name, "epoch": state.best.epoch},
        "schedules": schedules(state, prepared.options.recipe),
        "history": state.history,
        "versions": versions(),
        "parent": {
            "name": pretrained.name,
            "digest": pretrained.digest,
            "licence": pretrained.licence,
            "split_differs": pretrained.data.get("files_digest") == prepared.data.scan.digest
            and pretrained.data.get("split_digest") != prepared.split.digest,
        },
        "created": datetime.now(UTC).date().isoformat(),
    }
    # A name may have bytes that are no UTF-8, which a reader of JSON need not take.
    readable: dict[str, Any] = json.loads(json.dumps(found, ensure_ascii=False).encode("utf-8", "replace"))
    return readable


def versions() -> dict[str, str]:
    """Of Python and the libraries that the weights depend on; without their build's own suffix."""
    libraries = {package: metadata.version(package) for package in PACKAGES}
    return {"mirage": project_version(), "python": platform.python_version(), **libraries}


def commands(options: FitOptions, state: State) -> str:
    """The commands that made the run, one a line: the one that began it, and one for each time it was extended."""
    found = stages(state)
    lines = []
    for number, (_, end) in enumerate(found):
        recipe = replace(options.recipe, epochs=end)
        if number == len(found) - 1:
            lines.append(command(replace(options, recipe=recipe, resume=number > 0)))
            continue
        lines.append(command(replace(options, recipe=recipe, resume=number > 0, finish=False, phase="all")))
        if found[number + 1][0] < end:
            lines.append(f"# stopped after epoch {found[number + 1][0]} of {end}")
    return "\n".join(lines)


def command(options: FitOptions) -> str:
    """The command that was given, with names for paths and every choice that is not the usual one."""
    words = ["python", "-m", "training", "fit", options.data.resolve().name, "--output", options.output.name]
    words += ["--architecture", options.architecture]
    if options.weights is not None:
        words += ["--weights", options.weights.name]
    if options.weights_licence is not None:
        words += ["--weights-licence", options.weights_licence]
    for folder, name in options.renamed.items():
        words += ["--rename", f"{folder}={name}"]
    words += options.data_options.words()
    words += ["--phase", "probe"] if options.phase == "probe" else []
    words += ["--resume"] if options.resume or options.finish else []
    words += ["--finish"] if options.finish else []
    choices = recipe_options(options.recipe)
    if (
        options.resume and "--epochs" not in choices
    ):  # without it, the run would keep the number that it was planned for
        choices += ["--epochs", str(options.recipe.epochs)]
    return shlex.join([*words, *choices])


def recipe_options(recipe: Recipe) -> list[str]:
    """The options that ask for a recipe: those in which it differs from the usual one, or from the robust one."""
    base, words = (ROBUST, ["--robust"]) if recipe.attack_steps else (Recipe(), [])
    usual, own = asdict(base), asdict(recipe)
    for choice in (choice for choice in own if own[choice] != usual[choice]):
        option = choice.replace("_", "-")
        if isinstance(own[choice], bool):
            words.append(f"--{option}" if own[choice] else f"--no-{option}")
        elif choice == "probe_penalties":
            words += [word for penalty in own[choice] for word in (f"--{option}", str(penalty))]
        elif isinstance(own[choice], tuple):
            words += [f"--{option}", *map(str, own[choice])]
        elif own[choice] is not None:
            words += [f"--{option}", str(own[choice])]
    return words
