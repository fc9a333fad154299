from collections.abc import Sequence

import pytest

from models.store import Model
from tests.training.reds import red_model
from training.common_photos import choose_common_photos
from training.data.layout.layout import Layout
from training.data.scan.findings import Photo, Scan
from training.data.sources.source import BadData
from training.data.split import split
from training.recipe import Recipe

FOLDERS = ("dark", "bright")


def scan_of(count: int, split_name: str = "", beginning: str = "") -> Scan:
    """`count` photos in each of two classes, without files."""
    names = [f"{folder}/{beginning}{number}" for folder in FOLDERS for number in range(count)]
    return Scan(tuple(Photo(name, name.split("/")[0], f"digest of {name}", split_name) for name in names), ())


def trained_on(scan: Scan, name: str, seed: int = 0) -> Model:
    """A model that was trained on these photos, with the split that this seed makes."""
    recipe = Recipe(seed=seed)
    fractions = {"validation": recipe.validation, "test": recipe.test, "seed": seed}
    digests = {"files_digest": scan.digest, "split_digest": split(scan.photos, FOLDERS, **fractions).digest}
    data = {**digests, "folders": {folder: folder for folder in FOLDERS}}
    return red_model(100.5, name, provenance={"data": data, "recipe": fractions})


def part(scan: Scan, name: str, seed: int = 0) -> set[str]:
    """The names of the photos of one split."""
    recipe = Recipe(seed=seed)
    parts = split(scan.photos, FOLDERS, validation=recipe.validation, test=recipe.test, seed=seed)
    return {photo.name for photo in parts.by_name[name]}


def names(photos: Sequence[Photo]) -> set[str]:
    return {photo.name for photo in photos}


@pytest.fixture
def layout() -> Layout:
    return Layout(FOLDERS, {}, ())


SCAN = scan_of(60)
STRANGER = red_model(100.5, "stranger")
OLD = trained_on(SCAN, "old")
NEW = trained_on(SCAN, "new", seed=1)


@pytest.mark.parametrize("models", [(OLD, STRANGER), (STRANGER, OLD)], ids=["first", "second"])
def test_the_test_split_of_the_model_that_was_trained_on_the_data_is_used(
    layout: Layout, models: tuple[Model, Model]
) -> None:
    common = choose_common_photos("auto", SCAN, layout, models)
    assert common.on == "test" and names(common.photos) == part(SCAN, "test") and len(common.photos) == 18
    assert common.notes == ("old was trained on this data: only the photos of the test split are used",)
    (warning,) = common.warnings
    assert warning == (
        "old was trained on other photos of this data and stranger was not: the comparison may favour old"
    )


@pytest.mark.parametrize(
    ("on", "use"),
    [
        ("all", "trained on some of these photos"),
        ("train", "trained on these photos"),
        ("validation", "chosen among candidates by these photos"),
    ],
)
def test_a_warning_names_the_model_that_is_favoured(layout: Layout, on: str, use: str) -> None:
    common = choose_common_photos(on, SCAN, layout, (STRANGER, OLD))
    assert common.warnings == (f"old was {use} and stranger was not: the comparison favours old",)
    assert common.notes == () and (on == "all" or names(common.photos) == part(SCAN, on))
    both = choose_common_photos(on, SCAN, layout, (OLD, trained_on(SCAN, "other")))
    assert both.warnings == (f"old and other were {use}: the figures of both are too good",)


def test_both_models_of_one_split_are_measured_on_its_test_photos(layout: Layout) -> None:
    common = choose_common_photos("auto", SCAN, layout, (OLD, trained_on(SCAN, "other")))
    assert names(common.photos) == part(SCAN, "test") and common.warnings == ()
    assert common.notes == ("old and other were trained on this data: only the photos of the test split are used",)


def test_models_of_different_splits_are_measured_on_photos_that_neither_was_trained_on(layout: Layout) -> None:
    """A photo of one model's test split may be a training photo of the other."""
    common = choose_common_photos("auto", SCAN, layout, (OLD, NEW))
    assert names(common.photos) == part(SCAN, "test") & part(SCAN, "test", seed=1)
    assert 0 < len(common.photos) < 18 and common.warnings == ()
    assert common.notes == (
        "old and new were trained with different splits of this data: only the photos are used that are in the test "
        "split of both",
    )
    assert len(choose_common_photos("all", SCAN, layout, (OLD, NEW)).photos) == 120


def test_splits_without_a_common_photo_are_refused(layout: Layout) -> None:
    """Of four photos in each class one is a test photo: another one with each of these seeds."""
    scan = scan_of(4)
    first = part(scan, "test")
    seed = next(seed for seed in range(1, 100) if not first & part(scan, "test", seed))
    models = (trained_on(scan, "old"), trained_on(scan, "new", seed))
    with pytest.raises(
        BadData, match=r"different splits of this data: .* and there are none: --on all measures on all"
    ):
        choose_common_photos("auto", scan, layout, models)


def test_all_photos_of_data_that_no_model_knows_are_used_but_a_test_split_if_there_is_one(layout: Layout) -> None:
    common = choose_common_photos("auto", SCAN, layout, (STRANGER, STRANGER))
    assert (common.on, len(common.photos), common.notes, common.warnings) == ("all", 120, (), ())
    divided = Scan((*scan_of(5, "train", "a").photos, *scan_of(3, "test", "b").photos), ())
    common = choose_common_photos("auto", divided, layout, (STRANGER, STRANGER))
    assert common.on == "test" and len(common.photos) == 6 and common.notes == ()


def test_photos_that_may_have_been_trained_on_cause_a_warning(layout: Layout) -> None:
    """One more photo than in training: whether the others were trained on is not known."""
    larger = Scan((*SCAN.photos, Photo("dark/new", "dark", "new")), ())
    (one,) = choose_common_photos("auto", larger, layout, (OLD, STRANGER)).warnings
    assert one.startswith("the classes are those of old, but the photos differ from its training data, of which some")
    (two,) = choose_common_photos("auto", larger, layout, (OLD, NEW)).warnings
    assert two.startswith("the classes are those of old and new, but the photos differ from their training data")
    (known,) = choose_common_photos("auto", larger, layout, (trained_on(larger, "exact"), OLD)).warnings
    assert known.startswith("the classes are those of old, but"), "whether the comparison favours exact is not known"


def test_an_unknown_split_is_refused(layout: Layout) -> None:
    with pytest.raises(BadData, match="--on is auto, all, train, validation or test, not 'best'"):
        choose_common_photos("best", SCAN, layout, (OLD, STRANGER))
