"""The model card: a page that says what a checkpoint is, written from its provenance alone."""

from collections.abc import Mapping, Sequence
from typing import Any

from models.figures import balanced_accuracy
from models.spec import Spec
from training.rare import rare_class_warnings
from training.report.making import made
from training.report.markdown import figure, percent, table

NORMS = {"linf": "Linf", "l2": "L2", "l1": "L1", "l0": "L0"}


def model_card(name: str, spec: Spec, provenance: Mapping[str, Any]) -> str:
    """The card as Markdown; every figure comes from the provenance that the checkpoint carries."""
    sections = [
        _what(name, spec, provenance),
        _figures(provenance["metrics"], provenance["recipe"]),
        _data(provenance["data"]),
        made(provenance),
        _limits(spec, provenance),
    ]
    return "\n\n".join(sections) + "\n"


def _what(name: str, spec: Spec, provenance: Mapping[str, Any]) -> str:
    metrics, parent = provenance["metrics"], provenance["parent"]
    low, high = metrics["interval"]
    some = ", ".join(f"`{label}`" for label in spec.classes[:40])
    more = f" and {len(spec.classes) - 40} more" if len(spec.classes) > 40 else ""
    return f"""# {name}

A `{spec.architecture}` that tells {len(spec.classes)} classes apart: {some}{more}.

**{percent(metrics["accuracy"])} of {metrics["photos"]:,} test photos right** (95 % interval {percent(low)} to \
{percent(high)}; balanced accuracy {figure(balanced_accuracy(metrics))}), on photos that \
{_looked_at(metrics, parent)}. Made on {provenance["created"]} from the weights \
`{parent["name"]}` (licence: {parent["licence"]}).

Input: a picture of any size in {"grey" if spec.channels == 1 else "RGB"}; its shorter side is resized to \
{spec.resize} pixels ({spec.interpolation}, antialiased) and the {spec.input_size} x {spec.input_size} centre is \
classified. Logits are divided by the temperature {spec.temperature:.3f}, so that probabilities mean what they say."""


def _looked_at(metrics: Mapping[str, Any], parent: Mapping[str, Any]) -> str:
    looks = metrics["earlier_looks"]
    if parent.get("split_differs"):
        return "**those weights have been trained on in part: these figures flatter**"
    if not looks:
        return "this run had used for nothing before"
    return f"earlier states of this run had been measured on ({looks} of them)"


def _figures(metrics: Mapping[str, Any], recipe: Mapping[str, Any]) -> str:
    rows = [
        (name, f"{row['photos']:,}", figure(row["accuracy"], "no photos"), _confused(metrics, name))
        for name, row in metrics["per_class"].items()
    ]
    many = len(metrics["per_class"]) > 3
    both = [
        (
            *(side, f"{found['photos']:,}", percent(found["accuracy"]), figure(balanced_accuracy(found))),
            *(percent(found["top3"]) for _ in range(many)),
            *(f"{found['nll']:.4f}", f"{found['ece']:.4f}"),
        )
        for side, found in (("test", metrics), ("validation", metrics["validation"]))
    ]
    heads = (
        "split",
        "photos",
        "accuracy",
        "balanced accuracy",
        *(["top 3"] if many else []),
        "log-likelihood, negative",
        "calibration (ECE)",
    )
    parts = [
        "## Figures",
        table(heads, both),
        *(f"**Warning:** {warning}" for warning in rare_class_warnings(metrics, recipe.get("class_weights"))),
        "Balanced accuracy is the mean of the classes' own accuracies: a class with few photos counts as much as one "
        "with many. Validation chose among candidates and set the temperature; only the test split was untouched. Per "
        "class, on the test split:",
        table(("class", "photos", "accuracy", "most often taken for"), rows),
    ]
    return "\n\n".join([*parts, *_robustness(metrics)])


def _robustness(metrics: Mapping[str, Any]) -> list[str]:
    found = metrics.get("robustness")
    if not found:
        return []
    rows = [
        (
            _change(row["epsilon"], found["norm"]),
            percent(row["accuracy"]),
            " to ".join(map(percent, row["interval"])),
            figure(row.get("balanced_accuracy")),
        )
        for row in found["curve"]
    ]
    options = ", ".join(f"{name} {value}" for name, value in found["options"].items())
    return [
        f"Attacked by `{found['attack']}` in {NORMS[found['norm']]} ({options}), on {found['photos']:,} photos of the "
        "test split, each at its own resolution, success judged on the 8-bit picture:",
        table(("largest change", "accuracy", "95 % interval", "balanced accuracy"), rows),
    ]


def _change(epsilon: float, norm: str) -> str:
    if norm != "linf" or not epsilon:
        return f"{epsilon:g}" if epsilon else "none"
    levels = f"{epsilon * 255:g}"
    return f"{levels} level of 255" if levels == "1" else f"{levels} levels of 255"


def _confused(metrics: Mapping[str, Any], name: str) -> str:
    wrong = [row for row in metrics["mistaken"] if row["class"] == name]
    return ", ".join(f"{row['taken_for']} ({row['photos']})" for row in wrong[:3]) or "none"


def _data(data: Mapping[str, Any]) -> str:
    sides = [(side, f"{sum(counts):,}", _spread(counts)) for side, counts in data["photos"].items()]
    found = ", ".join(f"{count} {problem}" for problem, count in data["found"].items()) or "nothing wrong"
    return "\n\n".join(
        (
            "## Data",
            f"`{data['name']}`, {_split_by(data['given_sides'])}:",
            table(("split", "photos", "per class"), sides),
            f"Found among the files: {found}. What does not decode, and copies of the same pixels, were left out. "
            f"Photos that look like one on another side of the split: {data['alike_on_several_sides']:,}.{_lost(data)}",
            f"Digest of the pictures `{data['files_digest']}`, of the split `{data['split_digest']}`.",
        )
    )


def _lost(data: Mapping[str, Any]) -> str:
    if not data.get("lost"):
        return ""
    return f" {data['lost']:,} more had been gone when the run was finished: it may have trained on them."


def _split_by(given: Sequence[str]) -> str:
    if not given:
        return "split by content, of each class the same fractions"
    own = [side for side in ("validation", "test") if side not in given]
    more = f"; {' and '.join(own)} taken from what would train, by content" if own else ""
    return f"its own split ({', '.join(sorted(given))}){more}"


def _spread(counts: Sequence[int]) -> str:
    return f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"


def _limits(spec: Spec, provenance: Mapping[str, Any]) -> str:
    parent = provenance["parent"]
    return f"""## Limits and licence

- It knows its {len(spec.classes)} classes and nothing else: any picture is given to one of them, with confidence.
- The figures hold for photos like those of `{provenance["data"]["name"]}`.
- Like every network of its kind it can be fooled by changes that no person sees: that is what Mirage shows.
- The weights derive from `{parent["name"]}` (SHA-256 `{parent["digest"]}`), whose licence is: {parent["licence"]}. \
The photos keep the terms of their source."""
