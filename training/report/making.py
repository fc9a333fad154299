"""The section of a model card on how the model was made."""

from collections.abc import Mapping
from typing import Any

from training.report.markdown import figure, table

ACCURACIES = ("_accuracy", "_clean")
"""Endings of the columns of the history that are accuracies."""
WEIGHTS = {"raw": "raw", "ema": "averaged"}
"""Names of the candidates of an epoch for readers: the weights, and their moving average."""


def training_section(provenance: Mapping[str, Any]) -> str:
    """The section with the commands, the kind of training, schedules, epochs, recipe and versions."""
    recipe = table(("option", "value"), [(f"`{key}`", str(value)) for key, value in provenance["recipe"].items()])
    versions = ", ".join(f"{name} {version}" for name, version in provenance["versions"].items())
    parts = [
        "## How it was made",
        f"```\n{provenance['command']}\n```",
        _procedure(provenance),
        *_extensions(provenance),
    ]
    if provenance["history"]:
        columns = [key for key in provenance["history"][-1] if key.endswith(ACCURACIES)]
        rows = [
            (str(row["epoch"]), str(row["size"]), f"{row['loss']:.4f}", *(figure(row.get(key)) for key in columns))
            for row in provenance["history"]
        ]
        attacked = provenance["recipe"]["attack_steps"] > 0
        titles = (_column_title(key, attacked) for key in columns)
        parts.append(table(("epoch", "image size in pixels", "training loss", *titles), rows))
    return "\n\n".join([*parts, recipe, f"Versions: {versions}."])


def _procedure(provenance: Mapping[str, Any]) -> str:
    best, recipe = provenance["kept"], provenance["recipe"]
    if not provenance["history"]:
        return "A linear probe on the features of the pretrained weights: no other weights were trained."
    steps = recipe["attack_steps"]
    kind = "fast FGSM" if steps == 1 else f"PGD of {steps} steps"
    budget = f"{recipe['epsilon'] * 255:g} levels of 255"
    attack = f" on pictures attacked by {kind} within {budget}" if steps else ""
    under_attack = " under attack" if steps else ""
    frozen = recipe.get("frozen_blocks")
    trained = f"all layers after the first {frozen} blocks" if frozen else "all layers"
    return (
        f"A linear probe on the features of the pretrained weights, then fine-tuning of {trained}{attack}. Of all "
        f"candidates, {_candidate(best)} were best on the validation split{under_attack}.{_class_weights(recipe)}"
    )


def _candidate(best: Mapping[str, Any]) -> str:
    if best["weights"] == "probe":
        return "the weights of the linear probe"
    return f"the {WEIGHTS[best['weights']]} weights after epoch {best['epoch']}"


def _class_weights(recipe: Mapping[str, Any]) -> str:
    if recipe.get("class_weights") != "balanced":
        return ""
    return (
        " The loss of each photo was weighted inversely to the number of training photos of its class, and the best "
        "weights were chosen by balanced accuracy. The temperature was set on the validation split without weights."
    )


def _extensions(provenance: Mapping[str, Any]) -> list[str]:
    """The learning rate schedules of a run that was extended, with their epochs."""
    schedules = provenance.get("schedules", [])
    if len(schedules) < 2:
        return []
    parts = [
        f"{_epochs(row)} ({row['schedule']}" + (f", planned for {row['planned_epochs']} epochs)" if _cut(row) else ")")
        for row in schedules
    ]
    return [
        "The run was extended after it had begun. Each of these parts has its own schedule of learning rates, while "
        f"weights, optimiser state and averaged weights continue from one to the next: {'; '.join(parts)}."
    ]


def _epochs(row: Mapping[str, Any]) -> str:
    first, last = row["first_epoch"], row["last_epoch"]
    return f"epoch {first}" if first == last else f"epochs {first} to {last}"


def _cut(row: Mapping[str, Any]) -> bool:
    return bool(row["last_epoch"] - row["first_epoch"] + 1 < row["planned_epochs"])


def _column_title(key: str, attacked: bool) -> str:
    candidate, metric = key.split("_", 1)
    weights = WEIGHTS[candidate]
    name = "balanced accuracy" if metric.endswith("balanced_accuracy") else "accuracy"
    under_attack = " under attack" if attacked and not metric.startswith("clean") else ""
    return f"validation {name} of {weights} weights{under_attack}"
