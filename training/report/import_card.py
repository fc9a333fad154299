"""The model card of an imported model: a page in Markdown, made only from its provenance."""

from collections.abc import Mapping
from typing import Any

from models.figures import balanced_accuracy
from models.spec import Spec
from training.importing.agreement import cut_text
from training.report.markdown import block, code, figure, percent, plain, table

KINDS = {
    "torchvision": "a network of torchvision, with weights from a file",
    "timm": "a network of timm (pytorch-image-models)",
    "huggingface": "a network of Hugging Face's transformers",
    "exported": "a program that torch.export wrote",
    "registered": "a network that its user registered as an architecture",
}


def import_card(name: str, spec: Spec, provenance: Mapping[str, Any]) -> str:
    """The card as Markdown."""
    sections = [_summary(name, spec, provenance), _preprocessing(spec, provenance), _metrics(provenance)]
    return "\n\n".join([*(section for section in sections if section), _limits(spec, provenance)]) + "\n"


def _summary(name: str, spec: Spec, provenance: Mapping[str, Any]) -> str:
    source = provenance["source"]
    names = ", ".join(code(label) for label in spec.classes[:40])
    more = f" and {len(spec.classes) - 40} more" if len(spec.classes) > 40 else ""
    several = " A picture can have several of these labels." if spec.multi_label else ""
    digest = f", SHA-256 `{source['sha256']}`" if source.get("sha256") else ""
    return f"""# {name}

A `{spec.architecture}` that distinguishes {len(spec.classes)} classes: {names}{more}.{several}

It was not trained here, but imported on {provenance["created"]}: {KINDS[source["kind"]]}, \
{code(str(source.get("name") or source.get("file")))}{digest}. Licence: {plain(str(source["licence"]))}.

{block(provenance["command"])}"""


def _preprocessing(spec: Spec, provenance: Mapping[str, Any]) -> str:
    rows = [
        ("input", " x ".join(map(str, spec.size)) + f" pixels, {spec.channel_names}"),
        ("resize", f"{spec.resize_mode} to {' x '.join(map(str, spec.resize_size))} pixels"),
        ("interpolation", spec.interpolation + ("" if spec.antialias else ", without antialiasing")),
        ("mean", ", ".join(f"{value:.6g}" for value in spec.mean)),
        ("standard deviation", ", ".join(f"{value:.6g}" for value in spec.std)),
        ("outputs", _outputs(spec)),
        ("gradients with respect to the pixels", "yes" if spec.differentiable else "no"),
    ]
    parts = ["## Preprocessing", table(("step", "value"), rows)]
    agreement = provenance.get("agreement")
    if agreement:
        parts.append(
            f"Compared with the source library's own preprocessing on {agreement['photos']} pictures: the most "
            f"probable class is the same on {agreement['same_top']}; the values of the input differ by at most "
            f"{agreement['levels']:.2f} levels of 255 ({agreement['mean_levels']:.3f} on average"
            f"{cut_text(agreement['levels'], agreement['levels_cut'])}), and the logits by at most "
            f"{agreement['logits']:.2g} of their size (accepted: {agreement['tolerance']['levels']} levels)."
        )
    parts += [f"**Warning:** {warning[0].upper()}{warning[1:]}." for warning in provenance.get("warnings", [])]
    return "\n\n".join(parts)


def _outputs(spec: Spec) -> str:
    if spec.binary:
        return f"one {'logit' if spec.outputs == 'logits' else 'probability'}, that of the second class"
    return spec.outputs + (", the first one is left out" if spec.background else "")


def _metrics(provenance: Mapping[str, Any]) -> str:
    metrics = provenance.get("metrics")
    if not metrics:
        return ""
    low, high = metrics["interval"]
    rows = [
        (name, f"{row['photos']:,}", figure(row["accuracy"], "no photos"))
        for name, row in metrics["per_class"].items()
        if row["photos"]
    ]
    return "\n\n".join(
        (
            "## Metrics",
            f"**{percent(metrics['accuracy'])} of {metrics['photos']:,} photos of {code(provenance['checked_on'])} "
            f"classified correctly** (95 % interval {percent(low)} to {percent(high)}; balanced accuracy "
            f"{figure(balanced_accuracy(metrics))}). Nothing is known about whether the model was trained on some of "
            "them.",
            table(("class", "photos", "accuracy"), rows[:100]),
        )
    )


def _limits(spec: Spec, provenance: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {plain(str(version))}" for name, version in provenance["versions"].items())
    return f"""## Limits and licence

- It knows only its {len(spec.classes)} classes.
- Like all such networks it can be fooled by perturbations that people do not see, which Mirage demonstrates.
- The licence of the weights is: {plain(str(provenance["source"]["licence"]))}.

Versions: {versions}."""
