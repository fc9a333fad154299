"""The part of a model card that says how the model was made."""

from collections.abc import Mapping
from typing import Any

from training.report.markdown import figure, table

ACCURACIES = ("_accuracy", "_clean")
"""How the columns of the history end that are fractions of photos or of classes."""


def made(provenance: Mapping[str, Any]) -> str:
    """The section that says how: commands, kind of training, schedules, epochs, recipe, versions."""
    recipe = table(("choice", "value"), [(f"`{key}`", str(value)) for key, value in provenance["recipe"].items()])
    versions = ", ".join(f"{name} {version}" for name, version in provenance["versions"].items())
    parts = [
        "## How it was made",
        f"```\n{provenance['command']}\n```",
        _how(provenance),
        *_extended(provenance),
    ]
    if provenance["history"]:
        shown = [key for key in provenance["history"][-1] if key.endswith(ACCURACIES)]
        rows = [
            (str(row["epoch"]), str(row["size"]), f"{row['loss']:.4f}", *(figure(row.get(key)) for key in shown))
            for row in provenance["history"]
        ]
        attacked = provenance["recipe"]["attack_steps"] > 0
        parts.append(table(("epoch", "pixels", "training loss", *(_head(key, attacked) for key in shown)), rows))
    return "\n\n".join([*parts, recipe, f"With {versions}."])


def _how(provenance: Mapping[str, Any]) -> str:
    kept, recipe = provenance["kept"], provenance["recipe"]
    if not provenance["history"]:
        return "A linear probe on the parent's features: no other weight was changed."
    steps = recipe["attack_steps"]
    kind = "fast FGSM" if steps == 1 else f"PGD of {steps} steps"
    attack = f" on pictures attacked by {kind} within {recipe['epsilon'] * 255:g} levels of 255" if steps else ""
    best = f"`{kept['weights']}` weights after epoch {kept['epoch']} did best on validation"
    told = f"A linear probe on the parent's features, then fine-tuning from it{attack}. Of all candidates the {best}"
    told += ", attacked" if steps else ""
    return f"{told}.{_weighed(recipe)}"


def _weighed(recipe: Mapping[str, Any]) -> str:
    if recipe.get("class_weights") != "balanced":
        return ""
    return (
        " The loss of each photo was weighed inversely to how many training photos its class has, and the best was "
        "chosen by balanced accuracy. The temperature was set on the validation split as it is, unweighted."
    )


def _extended(provenance: Mapping[str, Any]) -> list[str]:
    """Which epochs followed which schedule, of a run that was made longer after it had begun."""
    schedules = provenance.get("schedules", [])
    if len(schedules) < 2:
        return []
    each = [
        f"{_epochs(row)} ({row['schedule']}" + (f", planned for {row['planned_epochs']} epochs)" if _cut(row) else ")")
        for row in schedules
    ]
    return [
        "The run was extended after it had begun. The learning rates rose and fell anew in each of these parts, while "
        f"weights, optimiser state and averaged weights were carried on: {'; '.join(each)}."
    ]


def _epochs(row: Mapping[str, Any]) -> str:
    first, last = row["first_epoch"], row["last_epoch"]
    return f"epoch {first}" if first == last else f"epochs {first} to {last}"


def _cut(row: Mapping[str, Any]) -> bool:
    return bool(row["last_epoch"] - row["first_epoch"] + 1 < row["planned_epochs"])


def _head(key: str, attacked: bool) -> str:
    name, figure = key.split("_", 1)
    told = {"raw": "raw", "ema": "averaged"}[name]
    balanced = ", balanced" if figure.endswith("balanced_accuracy") else ""
    return f"validation, {told}{balanced}" + (", attacked" if attacked and not figure.startswith("clean") else "")
