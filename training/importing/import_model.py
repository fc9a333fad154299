"""Imports a model: reads it, compares its preprocessing with the source's, checks it on photos, and writes it."""

import shlex
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from jaxtyping import UInt8
from rich.console import Console
from torch import Tensor

from models import checkpoint
from models.classifier import Classifier
from models.files import write_atomically
from models.golden import golden_pictures
from training.console import print_line
from training.importing.agreement import Agreement, compare, unsteady_text
from training.importing.check import CheckedPhotos, check_photos, check_text, refusal
from training.importing.class_names import given_names
from training.importing.gradients import gradients_flow
from training.importing.model import BadSource, SourceModel
from training.importing.open_source_model import open_source_model
from training.importing.options import ImportOptions
from training.provenance import versions
from training.report.import_card import import_card

COMPARED = 20
"""Largest number of photos of the data on which the preprocessing is compared, beside a few synthetic pictures."""

ASSUMED = (
    "nothing in the file says how pictures are preprocessed, so it is done as for {}: --check shows whether that is "
    "right, and --input-size, --resize, --mean, --std and --colours change it"
)
"""The warning about preprocessing that is a guess."""
IN_RANGE = (
    "all outputs of the network are between 0 and 1: if they are probabilities of several labels, give --outputs "
    "probabilities --multi-label"
)
A_SIGMOID = (
    "the network's only output is between 0 and 1: give --outputs probabilities if the network ends in a sigmoid, and "
    "--outputs logits if it does not"
)


class CheckFailed(RuntimeError):
    """The check on photos has found a mistake, so no checkpoint was written."""


def import_model(options: ImportOptions, console: Console) -> None:
    """Write the model as a checkpoint with its card; everything that may be wrong is looked at before.

    Raises BadSource, CheckFailed, and the errors of reading the source and the photos.
    """
    if options.output.suffix != ".safetensors":
        raise BadSource(f"--output must end in .safetensors: {options.output.name!r}")
    card = options.output.with_suffix(".md")
    for file in (options.output, card):
        if file.exists() and not options.overwrite:
            raise BadSource(f"{file} exists: give another --output, or --overwrite")
    classes = None if options.classes is None else given_names(options.classes)
    model = open_source_model(options.source, options.architecture, classes, background=options.spec.background)
    model = replace(model, spec=options.spec.apply(model.spec))
    if model.assumed and not options.spec.says_all:
        model = replace(model, warnings=(*model.warnings, ASSUMED.format(model.assumed)))
    print_line(console, _summary(model))
    for warning in model.warnings:
        print_line(console, f"warning: {warning}")
    classifier = Classifier(model.network, model.spec, device=options.device)
    raw = _check_outputs(classifier)
    if options.spec.outputs is None and not model.spec.multi_label and _are_probabilities(raw):
        print_line(console, "the outputs of the network are probabilities (--outputs probabilities): so they are taken")
        model = replace(model, spec=replace(model.spec, outputs="probabilities"))
        classifier = Classifier(model.network, model.spec, device=options.device)
    elif options.spec.outputs is None and _in_range(raw):
        if model.spec.network_outputs == 1:  # as a logit, every probability of an output of a sigmoid is above 0.5
            raise BadSource(A_SIGMOID)
        print_line(console, f"warning: {IN_RANGE}")
    model, classifier = _with_gradients(model, classifier, console)
    photos = None if options.check is None else check_photos(options, model.spec, console)
    agreement = _agreement(model, classifier, photos, options, console)
    if photos is not None:
        _check(photos, classifier, options, console)
    provenance = _provenance(model, options, agreement, photos)
    _write(options.output, model, provenance)
    text = import_card(options.output.stem, model.spec, provenance)
    write_atomically(card, text.encode("utf-8", "replace"))
    folder, name = shlex.quote(str(options.output.parent)), shlex.quote(options.output.stem)
    print_line(
        console,
        f"{options.output} is ready; the card is {card}\n"
        f"to serve it: MIRAGE_CHECKPOINTS={folder} MIRAGE_MODELS={name} python -m app",
    )


def _write(output: Path, model: SourceModel, provenance: dict[str, Any]) -> None:
    """Write the checkpoint. It takes its name when it has been read again, and has given the same logits."""
    written = output.with_name(f".{output.name}.new")
    try:
        checkpoint.save(written, model.network, model.spec, provenance, dtype=_stored_dtype(model))
        checkpoint.load(written)
        written.replace(output)
    finally:
        written.unlink(missing_ok=True)


def _summary(model: SourceModel) -> str:
    spec, weights = model.spec, sum(weight.numel() for weight in model.network.parameters())
    names = ", ".join(spec.classes[:5]) + (", ..." if len(spec.classes) > 5 else "")
    return f"{spec.architecture}: {weights / 1e6:.1f} million weights, {len(spec.classes)} classes ({names})"


def _check_outputs(classifier: Classifier) -> Tensor:
    """The network's own outputs for three pictures of noise, [3, outputs].

    Raises BadSource unless there is one finite logit for each class, whatever the other rows are.
    """
    spec = classifier.spec
    pixels = torch.rand(3, 3, *spec.size, generator=torch.Generator().manual_seed(0)).to(classifier.device)
    # With the same statistics the others would not change what batch norms of training do to one; nor would darker ones
    # change a maximum over the batch, or brighter ones a minimum.
    pixels[1], pixels[2] = pixels[1] / 4, pixels[2] / 4 + 0.75
    try:
        with torch.no_grad():
            raw: object = classifier.network[1](classifier.network[0](pixels))
    except Exception as error:  # the network may be anybody's, and raise anything
        height, width = spec.size
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadSource(
            f"the network takes no pictures of {height} x {width} pixels in {spec.channel_names} ({reason}): give "
            "--input-size or --colours"
        ) from error
    expected = spec.network_outputs
    if not isinstance(raw, Tensor):
        raise BadSource(f"the network returns a {type(raw).__name__}, and a classifier a tensor of one row per picture")
    if raw.ndim != 2:
        raise BadSource(
            f"the network's output has the shape {tuple(raw.shape)} for {len(pixels)} pictures, and a classifier's is "
            f"({len(pixels)}, number of outputs): export it with one row per picture"
        )
    if raw.shape != (len(pixels), expected):
        of_output = " of a binary network" if spec.binary else " and a background class" if spec.background else ""
        but_first = " but the first" if spec.background else ""
        names = f"{len(spec.classes)} classes{of_output}"
        raise BadSource(
            f"the network's output has the shape {tuple(raw.shape)} for {len(pixels)} pictures, and {names} need "
            f"({len(pixels)}, {expected}): give the names of all outputs{but_first} with --classes"
        )
    with torch.no_grad():
        together = classifier.logits(pixels)
        alone = torch.cat([classifier.logits(picture[None]) for picture in pixels])
    if not torch.isfinite(together).all():
        raise BadSource("the network's outputs are not all finite numbers: its weights are damaged")
    if (together - alone).abs().max() > 1e-2 * (1 + alone.abs().max()):
        raise BadSource(
            "the network's output for a picture depends on the other pictures of the batch: export it after "
            "model.eval()"
        )
    if spec.outputs == "probabilities" and not (
        _are_probabilities(raw) or ((spec.multi_label or spec.binary) and _in_range(raw))
    ):
        raise BadSource("the outputs of the network are no probabilities: leave out --outputs probabilities")
    return raw


def _are_probabilities(raw: Tensor) -> bool:
    """Whether the outputs for each picture add up to 1."""
    return _in_range(raw) and bool((raw.sum(dim=1) - 1).abs().max() < 1e-3)


def _in_range(raw: Tensor) -> bool:
    return bool(raw.min() >= 0 and raw.max() <= 1 + 1e-4)


def _with_gradients(model: SourceModel, classifier: Classifier, console: Console) -> tuple[SourceModel, Classifier]:
    """The model, with `differentiable` as it is measured."""
    if gradients_flow(classifier):
        return model, classifier
    print_line(
        console,
        "warning: gradients with respect to the pixels do not flow through this network: it is served for classifying, "
        "feature maps and the attack `square`, which needs none",
    )
    spec = replace(model.spec, differentiable=False)
    return replace(model, spec=spec), Classifier(model.network, spec, device=classifier.device)


def _agreement(
    model: SourceModel,
    classifier: Classifier,
    photos: CheckedPhotos | None,
    options: ImportOptions,
    console: Console,
) -> Agreement | None:
    """How far the preprocessing agrees with the source library's own; raises BadSource where it does not."""
    if model.preprocessing is None or not options.spec.is_empty:
        return None
    agreement = compare(model, classifier, model.preprocessing, _compared(photos))
    library = model.source["kind"]
    print_line(console, f"compared with {library}'s own preprocessing: {agreement.text}")
    if not agreement.holds:
        raise BadSource(
            f"the preprocessing of {library} for this model cannot be reproduced: give --resize, --resize-mode, "
            "--interpolation, --mean and --std as it was trained"
        )
    if not agreement.is_steady:
        print_line(console, f"warning: {unsteady_text(agreement)}")
    return agreement


def _compared(photos: CheckedPhotos | None) -> Iterator[UInt8[Tensor, "3 _ _"]]:
    yield from golden_pictures()
    if photos is not None:
        yield from (photo for photo, _ in photos.photos[:COMPARED])


def _check(photos: CheckedPhotos, classifier: Classifier, options: ImportOptions, console: Console) -> None:
    diagnosis = photos.diagnose(classifier, console)
    print_line(console, check_text(photos, diagnosis, classifier.spec))
    if not diagnosis.is_healthy and not options.anyway:
        raise CheckFailed(refusal(diagnosis))


def _stored_dtype(model: SourceModel) -> torch.dtype | None:
    """float16 or bfloat16 where all weights were stored so; None, for float32, otherwise."""
    stored = model.source.get("dtype")
    return {"float16": torch.float16, "bfloat16": torch.bfloat16}.get(str(stored))


def _provenance(
    model: SourceModel, options: ImportOptions, agreement: Agreement | None, photos: CheckedPhotos | None
) -> dict[str, Any]:
    licence = options.licence or model.source.get("licence", "unknown")
    name = model.source.get("name") or model.source.get("file")
    provenance: dict[str, Any] = {
        "source": {**model.source, "licence": licence},
        "parent": {"name": name, "licence": licence, "digest": model.source.get("sha256")},
        "warnings": [*model.warnings, *(photos.findings if photos is not None else ())],
        "agreement": None if agreement is None else agreement.to_json(),
        "command": options.command(),
        "versions": {**versions(), **model.source.get("versions", {})},
        "created": datetime.now(UTC).date().isoformat(),
    }
    return provenance if photos is None else {**provenance, **photos.to_json()}
