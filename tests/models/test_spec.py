"""Tests that a specification with impossible values cannot be created."""

from dataclasses import FrozenInstanceError

import pytest

from models.spec import BadSpec, Spec


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"classes": ()}, "two classes or more, not 0"),
        ({"classes": ("cat",)}, "two classes or more, not 1"),
        ({"input_size": 15}, "input_size"),
        ({"input_size": 257}, "not smaller than input_size"),
        ({"resize": 2049}, "2048"),
        ({"interpolation": "cubic"}, "nearest, box, bilinear"),
        ({"mean": (0.5, 0.5)}, "one finite number for each"),
        ({"mean": (0.5, 0.5), "std": (0.5, 0.5)}, "one finite number for each"),
        ({"mean": (0.5,)}, "one finite number for each"),
        ({"std": (0.5,)}, "one finite number for each"),
        ({"mean": (), "std": ()}, "one finite number for each"),
        ({"mean": (0.5,), "std": (0.0,)}, "std is above 0"),
        ({"mean": (float("nan"),), "std": (1.0,)}, "finite"),
        ({"std": (1.0, 1.0, 0.0)}, "std is above 0"),
        ({"std": (1.0, -1.0, 1.0)}, "std is above 0"),
        ({"temperature": 0.0}, "temperature"),
        ({"temperature": -1.0}, "temperature"),
        ({"temperature": float("inf")}, "temperature"),
        ({"temperature": float("nan")}, "temperature"),
    ],
)
def test_impossible_values_are_refused(fields: dict[str, object], reason: str) -> None:
    with pytest.raises(BadSpec, match=reason):
        Spec(**{"architecture": "mobilenet_v2", "classes": ("cat", "dog"), **fields})


@pytest.mark.parametrize("field", ["mean", "std"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_mean_and_std_must_be_finite(field: str, value: float) -> None:
    """With NaN every output is NaN, and division by infinity turns every picture into one constant."""
    with pytest.raises(BadSpec):
        Spec("mobilenet_v2", ("cat", "dog"), **{field: (0.5, value, 0.5)})


def test_the_smallest_and_the_largest_input_size_are_16_and_2048() -> None:
    for size in (16, 2048):
        assert Spec("mobilenet_v2", ("a", "b"), input_size=size, resize=size).input_size == size
    for size in (15, 2049):
        with pytest.raises(BadSpec):
            Spec("mobilenet_v2", ("a", "b"), input_size=size, resize=size)


def test_a_spec_is_immutable() -> None:
    spec = Spec("mobilenet_v2", ("a", "b"))
    with pytest.raises(FrozenInstanceError):
        spec.resize = 300  # type: ignore[misc]


def test_classes_are_found_by_name() -> None:
    assert Spec("mobilenet_v2", ("cat", "dog")).names.find("DOG") == 1


def test_the_number_of_channels_is_that_of_the_means() -> None:
    assert Spec("mobilenet_v2", ("a", "b")).channels == 3
    assert Spec("mobilenet_v2", ("a", "b"), mean=(0.5,), std=(0.25,)).channels == 1
