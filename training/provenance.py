"""The provenance of a checkpoint: the JSON in it that says how it was made. It contains no paths of the machine."""

import json
import platform
import shlex
from collections import Counter
from collections.abc import Mapping
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
"""Packages whose versions are recorded, because the trained weights depend on them."""


def provenance(
    prepared: PreparedRun[FitOptions], state: State, *, validation: Metrics, test: Metrics
) -> dict[str, Any]:
    """Recipe, data, metrics, versions, pretrained weights and date.

    The metrics are those on the test split; those on `validation` are a key in them, and so is `robustness`, which is
    None until accuracy under attack has been measured.
    """
    return _readable(
        {
            **_origin(prepared, state),
            "command": commands(prepared.options, state),
            "metrics": {
                **test.to_json(),
                "split": "test",
                "earlier_looks": _earlier_looks(state),
                "validation": validation.to_json(),
                "robustness": None,
            },
            "versions": versions(),
            "created": datetime.now(UTC).date().isoformat(),
        }
    )


def is_of(written: Mapping[str, Any], prepared: PreparedRun[FitOptions], state: State) -> bool:
    """Whether the provenance of a checkpoint says that it was written from exactly this state of the run."""
    origin = _origin(prepared, state)
    looks = written.get("metrics", {}).get("earlier_looks")
    return looks == _earlier_looks(state) and all(written.get(key) == value for key, value in origin.items())


def _earlier_looks(state: State) -> int:
    return state.looks - 1  # `looks` includes the measurement of these metrics


def _origin(prepared: PreparedRun[FitOptions], state: State) -> dict[str, Any]:
    """What determines the weights: the same for every process that finishes the same state. Plain JSON."""
    folders, pretrained = prepared.data.layout.folders, prepared.pretrained
    return _readable(
        {
            "recipe": {**asdict(prepared.options.recipe), "precision": state.precision},
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
            "kept": {"weights": state.best.name, "epoch": state.best.epoch},
            "schedules": schedules(state, prepared.options.recipe),
            "history": state.history,
            "parent": {
                "name": pretrained.name,
                "digest": pretrained.digest,
                "licence": pretrained.licence,
                "split_differs": pretrained.data.get("files_digest") == prepared.data.scan.digest
                and pretrained.data.get("split_digest") != prepared.split.digest,
            },
        }
    )


def _readable(values: dict[str, Any]) -> dict[str, Any]:
    """The values as plain JSON. A name may contain bytes that are not UTF-8, which not all readers of JSON accept."""
    plain: dict[str, Any] = json.loads(json.dumps(values, ensure_ascii=False).encode("utf-8", "replace"))
    return plain


def versions() -> dict[str, str]:
    """The versions of Mirage, Python and the packages that the weights depend on."""
    libraries = {package: metadata.version(package) for package in PACKAGES}
    return {"mirage": project_version(), "python": platform.python_version(), **libraries}


def commands(options: FitOptions, state: State) -> str:
    """The commands that made the run, one per line: the one that began it, and one for each extension."""
    schedule = stages(state)
    lines = []
    for number, (_, end) in enumerate(schedule):
        recipe = replace(options.recipe, epochs=end)
        if number == len(schedule) - 1:
            lines.append(command(replace(options, recipe=recipe, resume=number > 0)))
            continue
        lines.append(command(replace(options, recipe=recipe, resume=number > 0, finish=False, phase="all")))
        if schedule[number + 1][0] < end:
            lines.append(f"# stopped after epoch {schedule[number + 1][0]} of {end}")
    return "\n".join(lines)


def command(options: FitOptions) -> str:
    """The command of a run, with names instead of paths, and only the options that differ from their defaults."""
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
    # Without --epochs a resumed run keeps the number of epochs that it was planned for.
    if options.resume and "--epochs" not in choices:
        choices += ["--epochs", str(options.recipe.epochs)]
    return shlex.join([*words, *choices])


def recipe_options(recipe: Recipe) -> list[str]:
    """The options of a recipe that differ from the defaults, or from those of --robust for a robust one."""
    base, words = (ROBUST, ["--robust"]) if recipe.attack_steps else (Recipe(), [])
    default, values = asdict(base), asdict(recipe)
    for choice in (choice for choice in values if values[choice] != default[choice]):
        option = choice.replace("_", "-")
        if isinstance(values[choice], bool):
            words.append(f"--{option}" if values[choice] else f"--no-{option}")
        elif choice == "probe_penalties":
            words += [word for penalty in values[choice] for word in (f"--{option}", str(penalty))]
        elif isinstance(values[choice], tuple):
            words += [f"--{option}", *map(str, values[choice])]
        elif values[choice] is not None:
            words += [f"--{option}", str(values[choice])]
    return words
