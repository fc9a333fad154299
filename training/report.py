"""The model card: a page that says what a checkpoint is, written from its provenance alone."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from models.spec import Spec


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
{_percent(high)}), on photos that were used for nothing before. Made on {provenance["created"]} from the weights \
`{parent["name"]}` (licence: {parent["licence"]}).

Input: a picture of any size in {"grey" if spec.channels == 1 else "RGB"}; its shorter side is resized to \
{spec.resize} pixels ({spec.interpolation}, antialiased) and the {spec.input_size} x {spec.input_size} centre is \
classified. Logits are divided by the temperature {spec.temperature:.3f}, so that probabilities mean what they say."""


def _figures(metrics: Mapping[str, Any]) -> str:
    names = list(metrics["per_class"])
    rows = [
        (name, f"{row['photos']:,}", _percent(row["accuracy"]), *(_confused(metrics, index, names)))
        for index, (name, row) in enumerate(metrics["per_class"].items())
    ]
    both = [
        (side, f"{found['photos']:,}", _percent(found["accuracy"]), f"{found['nll']:.4f}", f"{found['ece']:.4f}")
        for side, found in (("test", metrics), ("validation", metrics["validation"]))
    ]
    return "\n\n".join(
        (
            "## Figures",
            _table(("split", "photos", "accuracy", "negative log-likelihood", "calibration error (ECE)"), both),
            "Validation chose among candidates and set the temperature; only the test split was untouched. Per class, "
            "on the test split:",
            _table(("class", "photos", "accuracy", "most often taken for"), rows),
        )
    )


def _confused(metrics: Mapping[str, Any], index: int, names: Sequence[str]) -> tuple[str]:
    taken = enumerate(metrics["confusion"][index])
    wrong = [(count, names[other]) for other, count in taken if other != index and count]
    return (", ".join(f"{name} ({count})" for count, name in sorted(wrong, reverse=True)[:3]) or "none",)


def _data(data: Mapping[str, Any]) -> str:
    sides = [(side, f"{sum(counts):,}", _spread(counts)) for side, counts in data["photos"].items()]
    found = ", ".join(f"{count} {problem}" for problem, count in data["found"].items()) or "nothing wrong"
    return "\n\n".join(
        (
            "## Data",
            f"`{data['name']}`, split by content, of each class the same fractions:",
            _table(("split", "photos", "per class"), sides),
            f"Found among the files: {found}. What does not decode, and copies of the same pixels, were left out; "
            "misnamed pictures were used.",
            f"Digest of the pictures `{data['files_digest']}`, of the split `{data['split_digest']}`.",
        )
    )


def _spread(counts: Sequence[int]) -> str:
    return f"{min(counts):,}" if min(counts) == max(counts) else f"{min(counts):,} to {max(counts):,}"


def _made(provenance: Mapping[str, Any]) -> str:
    recipe = _table(("choice", "value"), [(f"`{key}`", str(value)) for key, value in provenance["recipe"].items()])
    versions = ", ".join(f"{name} {version}" for name, version in provenance["versions"].items())
    kept = provenance["kept"]
    parts = [
        "## How it was made",
        f"```\n{provenance['command']}\n```",
        f"A linear probe on the parent's features, then fine-tuning from it. Of all candidates the `{kept['weights']}` "
        f"weights after epoch {kept['epoch']} did best on validation.",
    ]
    if provenance["history"]:
        rows = [
            (
                *(str(row["epoch"]), str(row["size"]), f"{row['loss']:.4f}"),
                *(_percent(row["raw_accuracy"]), _percent(row["ema_accuracy"])),
            )
            for row in provenance["history"]
        ]
        parts.append(_table(("epoch", "pixels", "training loss", "validation, raw", "validation, averaged"), rows))
    return "\n\n".join([*parts, recipe, f"With {versions}."])


def _limits(spec: Spec, provenance: Mapping[str, Any]) -> str:
    parent = provenance["parent"]
    return f"""## Limits and licence

- It knows its {len(spec.classes)} classes and nothing else: any picture is given to one of them, with confidence.
- The figures hold for photos like those of `{provenance["data"]["name"]}`. Only exact copies were kept out of the \
test split; photos that are nearly alike may be on both sides.
- Like every network of its kind it can be fooled by changes that no person sees: that is what Mirage shows.
- The weights derive from `{parent["name"]}` (SHA-256 `{parent["digest"]}`), whose licence is: {parent["licence"]}. \
The photos keep the terms of their source."""


def _percent(fraction: float) -> str:
    return f"{100 * fraction:.2f} %"


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = tuple(titles)
    lines = [titles, ("---",) * len(titles), *(tuple(row) for row in rows)]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
