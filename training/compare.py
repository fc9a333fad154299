"""Comparison of two classifiers on the same photos: accuracy, calibration, robustness, and transfer of attacks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from jaxtyping import Float
from rich.console import Console
from torch import Tensor

from models.attacks.options import choose_attack
from models.classes import UnknownClass, normal_form
from models.probabilities import probabilities
from models.store import Model
from training.common_photos import CommonPhotos, choose_common_photos
from training.comparison import ComparedClass, Comparison, DifferingPhoto, paired_text
from training.console import print_line, track
from training.data.layout.layout import Layout
from training.data.loading.batches import LabelledPhotos
from training.data.scan.scan_source import scan_files
from training.evaluate import (
    EvaluationOptions,
    class_indices_of,
    classify_photos,
    headline,
    load_model,
    open_data,
    print_photos,
    under_attack,
)
from training.metrics import Metrics, are_right
from training.paired import PairedCounts
from training.report.comparison import write_comparison
from training.robustness import checked_options, default_epsilons, sampled
from training.transfer import Transfer, transfer, transfer_text


@dataclass(frozen=True)
class ComparisonOptions(EvaluationOptions):
    """Which two models are compared, `model` and `other`, and how: the other options are those of an evaluation.

    With "auto" for `on` the photos are the test split if the data has one, or if one of the models was trained on this
    data.
    """

    other: str = field(kw_only=True)


@dataclass(frozen=True)
class Measured:
    """A model with its logits for the photos, and its metrics."""

    model: Model
    data: LabelledPhotos
    logits: Float[Tensor, "n k"]
    metrics: Metrics

    @cached_property
    def predicted(self) -> list[int]:
        """The index of the most probable class of each photo."""
        indices: list[int] = self.logits.argmax(dim=1).tolist()
        return indices

    @cached_property
    def confidence(self) -> list[float]:
        """The probability of the most probable class of each photo, from 0 to 1."""
        largest: list[float] = probabilities(self.logits, self.model.spec).amax(dim=1).tolist()
        return largest

    @cached_property
    def right(self) -> list[bool]:
        """Whether each photo is classified correctly, as `training.metrics.are_right` says."""
        right: list[bool] = are_right(self.logits, self.data.labels, multi_label=self.model.spec.multi_label).tolist()
        return right

    @cached_property
    def comparable_classes(self) -> list[str]:
        """The predicted class of each photo, by its folder, or by its name if the data has no folder of this class.

        Two models may call one class differently; the folder is the same for both. Several folders may be one class of
        a model: if the prediction is right, it is the photo's own folder.
        """
        folders = {index: folder for folder, index in self.data.index_of.items()}
        return [
            photo.folder if right else folders.get(index) or normal_form(self.model.spec.classes[index])
            for photo, right, index in zip(self.data.photos, self.right, self.predicted, strict=True)
        ]


def compare(options: ComparisonOptions, console: Console) -> Comparison:
    """Compare the models; with `report` also write an HTML page. Each part is printed as soon as it is known.

    Raises BadData, BadAttack, and the errors of loading a model.
    """
    if options.attack:  # wrong options are reported before the photos are read
        checked_options(**options.attack)
    models = load_pair(options)
    for model in models if options.attack else ():  # so is an attack that needs gradients where a model has none
        choose_attack(options.attack.get("attack", "apgd"), {}, differentiable=model.spec.differentiable)
    source, data_layout = open_data(options, console)
    indices = [_class_indices(data_layout, model, models, options.renamed, console) for model in models]
    scan = scan_files(source, data_layout, workers=options.workers, console=console, cache=options.cache)
    common = choose_common_photos(options.on, scan, data_layout, models)
    for note in common.notes:
        print_line(console, note)
    print_photos(common.on, common.photos, console)
    warnings = (*common.warnings, *_class_warnings(models))
    for warning in warnings:
        print_line(console, f"warning: {warning}")
    first, second = (
        _measure(options, model, LabelledPhotos(source, common.photos, index_of), console)
        for model, index_of in zip(models, indices, strict=True)
    )
    comparison = _compared(first, second, replace(common, warnings=warnings))
    print_line(console, paired_text(comparison))
    if options.attack:
        comparison = _add_attacks(options, comparison, first, second, console)
    if options.report is not None:
        write_comparison(options.report, comparison, first.data)
    return comparison


def load_pair(options: ComparisonOptions) -> tuple[Model, Model]:
    """Load both models. Where both have the same name, such as files in two folders, it says which is the first."""
    first, second = (load_model(name, options.device) for name in (options.model, options.other))
    if first.name != second.name:
        return first, second
    return replace(first, name=f"{first.name} (first)"), replace(second, name=f"{second.name} (second)")


def _class_indices(
    data_layout: Layout, model: Model, models: Sequence[Model], renamed: Mapping[str, str], console: Console
) -> Mapping[str, int]:
    """The index of the model's class for each folder; raises BadData.

    The new name of a folder does not apply to a model that has no class of this name, if the other model has one: the
    models may call the same class differently.
    """
    own_names = {
        folder: name
        for folder, name in renamed.items()
        if _has_class(model, name) or not any(_has_class(other, name) for other in models)
    }
    return class_indices_of(data_layout, model, own_names, console)


def _has_class(model: Model, name: str) -> bool:
    try:
        model.spec.names.find(name)
    except UnknownClass:
        return False
    return True


def _class_warnings(models: Sequence[Model]) -> list[str]:
    """What has to be said if the models distinguish different numbers of classes, or different kinds."""
    warnings = []
    if models[0].spec.multi_label != models[1].spec.multi_label:
        several, one = sorted(models, key=lambda model: not model.spec.multi_label)
        warnings.append(
            f"{several.name} gives each label a probability of its own and is right only if it finds the label, while "
            f"the probabilities of {one.name} add up to 1: their calibration and their accuracies differ by that alone"
        )
    first, second = (len(model.spec.classes) for model in models)
    if first == second:
        return warnings
    return [
        *warnings,
        f"{models[0].name} distinguishes {first:,} classes and {models[1].name} {second:,}: with more classes there "
        "are more ways to be wrong, and less probability for each class",
    ]


def _measure(options: ComparisonOptions, model: Model, data: LabelledPhotos, console: Console) -> Measured:
    logits, metrics = classify_photos(options, model, data, console)
    print_line(console, f"{model.name}: {headline(metrics)}")
    return Measured(model, data, logits, metrics)


def _compared(first: Measured, second: Measured, common: CommonPhotos) -> Comparison:
    """The comparison without an attack."""
    right = list(zip(first.right, second.right, strict=True))
    by_folder: dict[str, list[tuple[bool, bool]]] = {folder: [] for folder in first.data.index_of}
    for photo, flags in zip(first.data.photos, right, strict=True):
        by_folder[photo.folder].append(flags)
    classes = first.model.spec.classes
    return Comparison(
        names=(first.model.name, second.model.name),
        on=common.on,
        notes=common.notes,
        warnings=common.warnings,
        metrics=(first.metrics, second.metrics),
        counts=PairedCounts.of(right),
        classes=tuple(
            ComparedClass(
                classes[first.data.index_of[folder]],
                len(rows),
                correct=(sum(flags[0] for flags in rows), sum(flags[1] for flags in rows)),
            )
            for folder, rows in by_folder.items()
        ),
        differing=tuple(_differing(first, second)),
    )


def _differing(first: Measured, second: Measured) -> list[DifferingPhoto]:
    """The photos that are classified differently, the most confident mistake first."""
    classes, other_classes = first.model.spec.classes, second.model.spec.classes
    photos = [
        DifferingPhoto(
            index,
            photo.name,
            classes[first.data.label(index)],
            right=(first.right[index], second.right[index]),
            predicted=(classes[first.predicted[index]], other_classes[second.predicted[index]]),
            confidence=(first.confidence[index], second.confidence[index]),
        )
        for index, photo in enumerate(first.data.photos)
        if first.comparable_classes[index] != second.comparable_classes[index]
    ]
    return sorted(photos, key=lambda photo: -photo.mistake)


def _add_attacks(
    options: ComparisonOptions, comparison: Comparison, first: Measured, second: Measured, console: Console
) -> Comparison:
    """The comparison with both curves of accuracy under attack, and the transfer of attacks in both directions."""
    curves = []
    for measured in (first, second):
        print_line(console, f"accuracy of {measured.model.name} under attack:")
        curves.append(under_attack(options, measured.model, measured.data, console))
    transfers = [_transfer(options, *order, console) for order in ((first, second), (second, first))]
    return replace(comparison, robustness=(curves[0], curves[1]), transfer=(transfers[0], transfers[1]))


def _transfer(options: ComparisonOptions, attacked: Measured, other: Measured, console: Console) -> Transfer:
    """Attacks on one model within the largest budget of the curve, on photos that both classify correctly.

    The largest budget, since there most attacks succeed, so that the share of those that transfer is measured best.
    """
    photos = [photo for photo, *right in zip(other.data.photos, attacked.right, other.right, strict=True) if all(right)]
    attack = {"attack": "apgd", "norm": "linf", **options.attack}
    epsilon = max(attack.pop("epsilons", None) or default_epsilons(attack["norm"]))
    count = min(options.photos, len(photos))
    result = transfer(
        attacked.model.classifier,
        other.model.classifier,
        sampled(replace(other.data, photos=photos), count),
        epsilon=epsilon,
        track=lambda results: track(console, results, what=f"attacking {attacked.model.name}", total=count),
        **attack,
    )
    print_line(console, transfer_text(attacked.model.name, other.model.name, result))
    return result
