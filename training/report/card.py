"""The model card: a page in Markdown that describes a checkpoint, made only from its provenance."""

from collections.abc import Mapping, Sequence
from typing import Any

from models.figures import balanced_accuracy
from models.spec import Spec
from training.rare import rare_class_warnings
from training.report.input_text import input_text
from training.report.making import training_section
from training.report.markdown import figure, percent, table

NORMS = {"linf": "Linf", "l2": "L2", "l1": "L1", "l0": "L0"}


def model_card(name: str, spec: Spec, provenance: Mapping[str, Any]) -> str:
    """The card as Markdown. Every number comes from the provenance, which is stored in the checkpoint."""
    sections = [
        _summary(name, spec, provenance),
        _figures(provenance["metrics"], provenance["recipe"]),
        _data(provenance["data"]),
        training_section(provenance),
        _limits(spec, provenance),
    ]
    return "\n\n".join(sections) + "\n"


def _summary(name: str, spec: Spec, provenance: Mapping[str, Any]) -> str:
    metrics, pretrained = provenance["metrics"], provenance["parent"]
    low, high = metrics["interval"]
    names = ", ".join(f"`{label}`" for label in spec.classes[:40])
    more = f" and {len(spec.classes) - 40} more" if len(spec.classes) > 40 else ""
    return f"""# {name}

A `{spec.architecture}` that distinguishes {len(spec.classes)} classes: {names}{more}.

**{percent(metrics["accuracy"])} of {metrics["photos"]:,} test photos classified correctly** (95 % interval \
{percent(low)} to {percent(high)}; balanced accuracy {figure(balanced_accuracy(metrics))}). \
{_test_use(metrics, pretrained)} Made on \
{provenance["created"]} from the pretrained weights `{pretrained["name"]}` (licence: {pretrained["licence"]}).

{input_text(spec)} Logits are divided by the temperature {spec.temperature:.3f}, which calibrates the probabilities."""


def _test_use(metrics: Mapping[str, Any], pretrained: Mapping[str, Any]) -> str:
    """Whether the test photos were used for anything else before."""
    measured = metrics["earlier_looks"]
    if pretrained.get("split_differs"):
        return "**The pretrained weights were trained on some of these photos: the metrics are too good.**"
    if not measured:
        return "This run had not used these photos for anything else."
    times = "once" if measured == 1 else f"{measured} times"
    return f"Earlier states of this run had been measured on these photos {times}."


def _figures(metrics: Mapping[str, Any], recipe: Mapping[str, Any]) -> str:
    rows = [
        (name, f"{row['photos']:,}", figure(row["accuracy"], "no photos"), _confused(metrics, name))
        for name, row in metrics["per_class"].items()
    ]
    many = len(metrics["per_class"]) > 3
    split_rows = [
        (
            *(split, f"{values['photos']:,}", percent(values["accuracy"]), figure(balanced_accuracy(values))),
            *(percent(values["top3"]) for _ in range(many)),
            *(f"{values['nll']:.4f}", f"{values['ece']:.4f}"),
        )
        for split, values in (("test", metrics), ("validation", metrics["validation"]))
    ]
    heads = (
        "split",
        "photos",
        "accuracy",
        "balanced accuracy",
        *(["top-3 accuracy"] if many else []),
        "negative log-likelihood",
        "expected calibration error",
    )
    parts = [
        "## Metrics",
        table(heads, split_rows),
        *(f"**Warning:** {warning}" for warning in rare_class_warnings(metrics, recipe.get("class_weights"))),
        "Balanced accuracy is the mean of the accuracies of the classes: a class with few photos counts as much as one "
        "with many. The validation split was used to choose among candidates and to set the temperature, so that only "
        "the metrics on the test split are unbiased. By class, on the test split:",
        table(("class", "photos", "accuracy", "most often classified as"), rows),
    ]
    return "\n\n".join([*parts, *_robustness(metrics)])


def _robustness(metrics: Mapping[str, Any]) -> list[str]:
    curve = metrics.get("robustness")
    if not curve:
        return []
    balanced = all("balanced_accuracy" in row for row in curve["curve"])  # earlier versions did not store it
    rows = [
        (
            _budget(row["epsilon"], curve["norm"]),
            percent(row["accuracy"]),
            " to ".join(map(percent, row["interval"])),
            *([figure(row["balanced_accuracy"])] if balanced else []),
        )
        for row in curve["curve"]
    ]
    heads = ("budget (largest change)", "accuracy", "95 % interval", *(["balanced accuracy"] if balanced else []))
    options = ", ".join(f"{name} {value}" for name, value in curve["options"].items())
    return [
        f"Accuracy under the attack `{curve['attack']}` in the {NORMS[curve['norm']]} norm ({options}), on "
        f"{curve['photos']:,} photos of the test split, each at its own resolution. An attack counts as successful if "
        "the 8-bit picture is classified wrongly:",
        table(heads, rows),
    ]


def _budget(epsilon: float, norm: str) -> str:
    if norm != "linf" or not epsilon:
        return f"{epsilon:g}" if epsilon else "none"
    levels = f"{epsilon * 255:g}"
    return f"{levels} level of 255" if levels == "1" else f"{levels} levels of 255"


def _confused(metrics: Mapping[str, Any], name: str) -> str:
    wrong = [row for row in metrics["mistaken"] if row["class"] == name]
    return ", ".join(f"{row['taken_for']} ({row['photos']})" for row in wrong[:3]) or "none"


def _data(data: Mapping[str, Any]) -> str:
    rows = [(split, f"{sum(counts):,}", _range(counts)) for split, counts in data["photos"].items()]
    problems = ", ".join(f"{problem} ({count})" for problem, count in data["found"].items()) or "none"
    return "\n\n".join(
        (
            "## Data",
            f"`{data['name']}`, {_split_by(data['given_sides'])}:",
            table(("split", "photos", "photos per class"), rows),
            f"Number of files with each problem: {problems}. Files that cannot be decoded, and duplicates with the "
            "same pixels, were left out. Number of photos with a near-duplicate in another split: "
            f"{data['alike_on_several_sides']:,}.{_lost(data)}",
            f"SHA-256 of the pictures: `{data['files_digest']}`, of the split: `{data['split_digest']}`.",
        )
    )


def _lost(data: Mapping[str, Any]) -> str:
    if not data.get("lost"):
        return ""
    return f" {data['lost']:,} more photos were missing when the run was finished; it may have been trained on them."


def _split_by(data_splits: Sequence[str]) -> str:
    if not data_splits:
        return "split by the content of the pictures, with the same fractions of each class"
    added = [split for split in ("validation", "test") if split not in data_splits]
    more = f"; {' and '.join(added)} taken from the training photos by their content" if added else ""
    return f"with the splits of the data set ({', '.join(sorted(data_splits))}){more}"


def _range(counts: Sequence[int]) -> str:
    return f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"


def _limits(spec: Spec, provenance: Mapping[str, Any]) -> str:
    pretrained = provenance["parent"]
    return f"""## Limits and licence

- It knows only its {len(spec.classes)} classes: every picture is assigned to one of them, often with high confidence.
- The metrics hold for photos like those of `{provenance["data"]["name"]}`.
- Like all such networks it can be fooled by perturbations that people do not see, which Mirage demonstrates.
- The weights derive from `{pretrained["name"]}` (SHA-256 `{pretrained["digest"]}`), whose licence is: \
{pretrained["licence"]}. \
The photos keep the terms of their source."""
