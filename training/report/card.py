"""The model card: a page that says what a checkpoint is, written from its provenance alone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from models.spec import Spec

NORMS = {"linf": "Linf", "l2": "L2", "l1": "L1", "l0": "L0"}


def model_card(name: str, spec: Spec, provenance: Mapping[str, Any]) -> str:
    """The card as Markdown; every figure comes from the provenance that the checkpoint carries."""
    sections = [
        _what(name, spec, provenance),
        _figures(provenance["metrics"]),
        _data(provenance["data"]),
        _made(provenance),
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

**{_percent(metrics["accuracy"])} of {metrics["photos"]:,} test photos right** (95 % interval {_percent(low)} to \
{_percent(high)}), on photos that {_looked_at(metrics, parent)}. Made on {provenance["created"]} from the weights \
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


def _figures(metrics: Mapping[str, Any]) -> str:
    rows = [
        (name, f"{row['photos']:,}", _percent(row["accuracy"]), _confused(metrics, name))
        for name, row in metrics["per_class"].items()
    ]
    many = len(metrics["per_class"]) > 3
    both = [
        (
            *(side, f"{found['photos']:,}", _percent(found["accuracy"]), *([_percent(found["top3"])] if many else [])),
            *(f"{found['nll']:.4f}", f"{found['ece']:.4f}"),
        )
        for side, found in (("test", metrics), ("validation", metrics["validation"]))
    ]
    heads = (
        "split",
        "photos",
        "accuracy",
        *(["top 3"] if many else []),
        "log-likelihood, negative",
        "calibration (ECE)",
    )
    parts = [
        "## Figures",
        _table(heads, both),
        "Validation chose among candidates and set the temperature; only the test split was untouched. Per class, on "
        "the test split:",
        _table(("class", "photos", "accuracy", "most often taken for"), rows),
    ]
    return "\n\n".join([*parts, *_robustness(metrics)])


def _robustness(metrics: Mapping[str, Any]) -> list[str]:
    found = metrics.get("robustness")
    if not found:
        return []
    rows = [
        (
            _change(row["epsilon"], found["norm"]),
            _percent(row["accuracy"]),
            " to ".join(map(_percent, row["interval"])),
        )
        for row in found["curve"]
    ]
    options = ", ".join(f"{name} {value}" for name, value in found["options"].items())
    return [
        f"Attacked by `{found['attack']}` in {NORMS[found['norm']]} ({options}), on {found['photos']:,} photos of the "
        "test split, each at its own resolution, success judged on the 8-bit picture:",
        _table(("largest change", "accuracy", "95 % interval"), rows),
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
            _table(("split", "photos", "per class"), sides),
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


def _made(provenance: Mapping[str, Any]) -> str:
    recipe = _table(("choice", "value"), [(f"`{key}`", str(value)) for key, value in provenance["recipe"].items()])
    versions = ", ".join(f"{name} {version}" for name, version in provenance["versions"].items())
    parts = [
        "## How it was made",
        f"```\n{provenance['command']}\n```",
        _how(provenance),
    ]
    if provenance["history"]:
        shown = [key for key in provenance["history"][-1] if key.endswith(("_accuracy", "_clean"))]
        rows = [
            (str(row["epoch"]), str(row["size"]), f"{row['loss']:.4f}", *(_percent(row[key]) for key in shown))
            for row in provenance["history"]
        ]
        attacked = provenance["recipe"]["attack_steps"] > 0
        parts.append(_table(("epoch", "pixels", "training loss", *(_head(key, attacked) for key in shown)), rows))
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
    return f"{told}, attacked." if steps else f"{told}."


def _head(key: str, attacked: bool) -> str:
    name, figure = key.rsplit("_", 1)
    told = {"raw": "raw", "ema": "averaged"}[name]
    return f"validation, {told}" + (", attacked" if attacked and figure == "accuracy" else "")


def _limits(spec: Spec, provenance: Mapping[str, Any]) -> str:
    parent = provenance["parent"]
    return f"""## Limits and licence

- It knows its {len(spec.classes)} classes and nothing else: any picture is given to one of them, with confidence.
- The figures hold for photos like those of `{provenance["data"]["name"]}`.
- Like every network of its kind it can be fooled by changes that no person sees: that is what Mirage shows.
- The weights derive from `{parent["name"]}` (SHA-256 `{parent["digest"]}`), whose licence is: {parent["licence"]}. \
The photos keep the terms of their source."""


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2f} %"


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = tuple(titles)
    lines = [titles, ("---",) * len(titles), *(tuple(row) for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
