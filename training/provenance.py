"""Where a checkpoint comes from: the JSON that it carries. No path of the machine is in it."""

import platform
import shlex
import tomllib
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from training.evaluate import Metrics
from training.prepare import Job, Prepared
from training.recipe import Recipe
from training.runs import State

PACKAGES = ("torch", "torchvision", "numpy", "pillow")
OPTIONS = ("epochs", "batch_size", "input_size", "head_rate", "trunk_rate", "seed")
"""What the command line can choose of a recipe."""


def provenance(ready: Prepared, state: State, *, validation: Metrics, test: Metrics) -> dict[str, Any]:
    """Recipe, data, metrics (of the test split; `validation` beside), versions, parent, date."""
    folders = ready.layout.folders
    return {
        "recipe": {**asdict(ready.job.recipe), "precision": state.precision},
        "command": command(ready.job),
        "data": {
            "name": ready.source.path.name,
            "folders": dict(zip(ready.spec.classes, folders, strict=True)),
            "photos": ready.split.counts(folders),
            "files_digest": ready.scan.digest,
            "split_digest": ready.split.digest,
            "found": dict(Counter(finding.problem.value for finding in ready.scan.findings)),
        },
        "metrics": {**test.to_json(), "split": "test", "validation": validation.to_json()},
        "kept": {"weights": state.kept.name, "epoch": state.kept.epoch},
        "history": state.history,
        "versions": versions(),
        "parent": {"name": ready.parent.name, "digest": ready.parent.digest, "licence": ready.parent.licence},
        "created": datetime.now(UTC).date().isoformat(),
    }


def versions() -> dict[str, str]:
    """Of Python and the libraries that the weights depend on; without their build's own suffix."""
    libraries = {package: metadata.version(package) for package in PACKAGES}
    return {"mirage": _own_version(), "python": platform.python_version(), **libraries}


def _own_version() -> str:
    project = Path(__file__).parents[1] / "pyproject.toml"
    if project.is_file():  # run from the source tree
        version: str = tomllib.loads(project.read_text(encoding="utf-8"))["project"]["version"]
        return version
    return metadata.version("mirage-vision")


def command(job: Job) -> str:
    """The command that makes this checkpoint again, with names for paths."""
    words = ["python", "-m", "training", "fit", job.data.name, "--output", job.output.name]
    words += ["--architecture", job.architecture]
    if job.parent is not None:
        words += ["--parent", job.parent.name]
    if job.parent_licence is not None:
        words += ["--parent-licence", job.parent_licence]
    for folder, name in job.renamed.items():
        words += ["--rename", f"{folder}={name}"]
    usual, own = asdict(Recipe()), asdict(job.recipe)
    for choice in OPTIONS:
        if own[choice] != usual[choice]:
            words += [f"--{choice.replace('_', '-')}", str(own[choice])]
    if job.recipe.grey:
        words.append("--grey")
    return shlex.join(words)
