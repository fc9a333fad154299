from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data.scan import Photo
from training.data.sources import BadData
from training.data.split import Split, split


def photos(counts: dict[str, int]) -> list[Photo]:
    return [
        Photo(f"{folder}/{n}.png", folder, f"{folder}-{n}") for folder, count in counts.items() for n in range(count)
    ]


def cut(given: list[Photo], seed: int = 0) -> Split:
    folders = sorted({photo.folder for photo in given})
    return split(given, folders, validation=0.15, test=0.15, seed=seed)


@given(st.integers(4, 60), st.integers(4, 60), st.integers(0, 5))
def test_every_photo_is_on_one_side_and_each_side_has_every_class(x: int, y: int, seed: int) -> None:
    given = photos({"x": x, "y": y})
    sides = cut(given, seed)
    assert sorted([*sides.train, *sides.validation, *sides.test], key=lambda p: p.name) == sorted(
        given, key=lambda p: p.name
    )
    assert all(min(counts) >= 1 for counts in sides.counts(("x", "y")).values())


def test_the_split_is_stratified() -> None:
    """Of 200 and of 40 photos, 15 % each are 30 and 6."""
    counts = cut(photos({"x": 200, "y": 40})).counts(("x", "y"))
    assert counts == {"train": [140, 28], "validation": [30, 6], "test": [30, 6]}


def test_the_seed_decides_and_names_do_not() -> None:
    given = photos({"x": 50, "y": 50})
    renamed = [Photo(f"other/{photo.name}", photo.folder, photo.digest) for photo in reversed(given)]
    assert cut(given).digest == cut(given).digest == cut(renamed).digest
    assert cut(given, seed=1).digest != cut(given).digest


def test_added_photos_move_few_others() -> None:
    """One more in a hundred can push one photo over each border, no more."""
    before, after = cut(photos({"x": 100, "y": 100})), cut(photos({"x": 101, "y": 100}))
    moved = [
        side
        for side in ("train", "validation", "test")
        for photo in set(getattr(before, side)) - set(getattr(after, side))
    ]
    assert len(moved) <= 2


def test_photos_that_look_alike_go_to_one_side_that_has_room_for_them() -> None:
    """Of 100, of which 40 are one burst and 2 another, test and validation have 15 each whatever the seed."""
    burst = [replace(photo, group="burst") for photo in photos({"x": 40})]
    pair = [replace(photo, folder="x", group="pair") for photo in photos({"pair": 2})]
    single = [replace(photo, folder="x") for photo in photos({"single": 58})]
    for seed in range(40):
        sides = split([*burst, *pair, *single], ["x"], validation=0.15, test=0.15, seed=seed)
        assert {side: len(found) for side, found in sides.sides.items()} == {"train": 70, "validation": 15, "test": 15}
        assert sides.alike_on_several_sides == 0 and set(burst) <= set(sides.train)


def test_too_few_photos_are_told() -> None:
    with pytest.raises(BadData, match="'y' has 3 usable photos, 4 are needed"):
        cut(photos({"x": 10, "y": 3}))


def test_a_folder_without_photos_is_told() -> None:
    with pytest.raises(BadData, match="'z' has 0 usable photos"):
        split(photos({"x": 10}), ("x", "z"), validation=0.15, test=0.15, seed=0)
