"""The photos on which two classifiers are compared, and what has to be said about their choice."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.store import Model
from training.data.layout.layout import Layout
from training.data.scan.findings import Photo, Scan
from training.data.sources.source import BadData
from training.evaluate import choose_photos, training_folders, was_trained_on

USES = {
    "train": "trained on these photos",
    "validation": "chosen among candidates by these photos",
    "test": "trained on other photos of this data",
    "all": "trained on some of these photos",
}
"""How the photos of each split were used, if a classifier was trained on the data."""


@dataclass(frozen=True)
class CommonPhotos:
    """Photos of one split, or all (`on`); `notes` say how they were chosen, `warnings` what makes figures too good."""

    on: str
    photos: tuple[Photo, ...]
    notes: tuple[str, ...]
    warnings: tuple[str, ...]


def choose_common_photos(on: str, scan: Scan, data_layout: Layout, models: Sequence[Model]) -> CommonPhotos:
    """The photos of a split (train, validation, test), all of them, or with "auto" those that are fairest to both.

    That is the test split if one of the two models was trained on this data, or if the data has one; otherwise it is
    all photos. If both were trained on it with different splits, it is the photos that are in the split of both.
    Raises BadData.
    """
    trained = [model for model in models if was_trained_on(model, scan)]
    choices = [choose_photos(on, scan, data_layout, model) for model in trained or models[:1]]
    (chosen, photos), splits = choices[0], [{photo.digest for photo in photos} for _, photos in choices]
    common = tuple(photo for photo in photos if all(photo.digest in split for split in splits))
    names, were = _joined(trained), "were" if len(trained) > 1 else "was"
    notes = []
    if splits[0] != splits[-1]:
        notes.append(
            f"{names} were trained with different splits of this data: only the photos are used that are in the "
            f"{chosen} split of both"
        )
        if not common:
            raise BadData(f"{notes[0]}, and there are none: --on all measures on all photos")
    elif trained and on == "auto":
        notes.append(f"{names} {were} trained on this data: only the photos of the {chosen} split are used")
    others = [model for model in models if not any(model is each for each in trained)]
    return CommonPhotos(chosen, common, tuple(notes), tuple(_warnings(chosen, data_layout, trained, others)))


def _warnings(on: str, data_layout: Layout, trained: Sequence[Model], others: Sequence[Model]) -> list[str]:
    """What may make the figures of one model, or of both, too good, by the models that were trained on the data."""
    similar = [model for model in others if set(data_layout.folders) == set(training_folders(model))]
    warnings = []
    if similar:
        their, names = ("its", similar[0].name) if len(similar) == 1 else ("their", _joined(similar))
        warnings.append(
            f"the classes are those of {names}, but the photos differ from {their} training data, of which some may be "
            f"among them: {their} figures may be too good"
        )
    if len(trained) == 2 and on != "test":
        warnings.append(f"{_joined(trained)} were {USES[on]}: the figures of both are too good")
    elif len(trained) == 1 and not similar:
        favours = "may favour" if on == "test" else "favours"
        model, other = trained[0].name, others[0].name
        warnings.append(f"{model} was {USES[on]} and {other} was not: the comparison {favours} {model}")
    return warnings


def _joined(models: Sequence[Model]) -> str:
    return " and ".join(model.name for model in models)
