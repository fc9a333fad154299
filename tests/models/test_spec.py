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
        ({"classes": (), "multi_label": True}, "two classes or more, not 0"),
        ({"input_size": (224, 15)}, "input_size"),
        ({"input_size": (224, 300), "resize": (256, 256)}, "not smaller than input_size"),
        ({"input_size": (224, 300), "resize": 256, "resize_mode": "squash"}, "not smaller than input_size"),
        ({"resize": (224, 2049)}, "2048"),
        ({"input_size": 15, "resize_mode": "pad"}, "from 16 to 2048"),
        ({"resize_mode": "stretch"}, "resize_mode is one of crop, squash, pad, not 'stretch'"),
        ({"padding": (0.0, 0.5, 1.1)}, "padding are from 0 to 1"),
        ({"padding": (float("nan"), 0.5, 1.0)}, "padding are from 0 to 1"),
        ({"colours": "GBR"}, "colours is one of RGB, BGR, RGBA, BGRA, L, LA"),
        ({"colours": "RGBA"}, "4 channels of RGBA, not 3 and 3"),
        ({"colours": "L"}, "1 channels of L, not 3 and 3"),
        ({"colours": "RGB", "mean": (0.5,), "std": (0.5,)}, "3 channels of RGB, not 1 and 1"),
        ({"outputs": "scores"}, "outputs is one of logits, probabilities"),
        ({"binary": True, "classes": ("cat", "dog", "owl")}, "has two, not 3"),
        ({"binary": True, "multi_label": True}, "leave out background and multi_label, or give one class"),
        ({"binary": True, "background": True}, "has no background class"),
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


@pytest.mark.parametrize(
    ("colours", "channels"), [("RGB", 3), ("BGR", 3), ("RGBA", 4), ("BGRA", 4), ("L", 1), ("LA", 2)]
)
def test_the_number_of_channels_is_that_of_the_colours(colours: str, channels: int) -> None:
    values = (0.5,) * channels
    spec = Spec("mobilenet_v2", ("a", "b"), mean=values, std=values, colours=colours)
    assert (spec.channels, spec.channel_names) == (channels, colours)


def test_sizes_are_one_number_or_height_and_width() -> None:
    """`size` and `resize_size` are always pairs; `side` is that of a square input, and there is none otherwise."""
    square = Spec("mobilenet_v2", ("a", "b"))
    assert (square.size, square.resize_size, square.side) == ((224, 224), (256, 256), 224)
    assert Spec("mobilenet_v2", ("a", "b"), input_size=(64, 64)).side == 64
    wide = Spec("mobilenet_v2", ("a", "b"), input_size=(48, 80), resize=(54, 90))
    assert (wide.size, wide.resize_size) == ((48, 80), (54, 90))
    with pytest.raises(BadSpec, match="square pictures, and mobilenet_v2 takes 48 x 80"):
        _ = wide.side


def test_a_padded_picture_may_be_smaller_than_the_input() -> None:
    assert Spec("mobilenet_v2", ("a", "b"), input_size=224, resize=200, resize_mode="pad").resize == 200


def test_one_label_is_enough_where_labels_do_not_exclude_each_other() -> None:
    assert Spec("mobilenet_v2", ("a",), multi_label=True).classes == ("a",)


def test_specs_are_equal_by_all_fields_and_can_be_hashed() -> None:
    """The configuration is a dictionary, which has no hash, and counts for equality all the same."""
    one, same, other = (Spec("x", ("a", "b"), configuration={"depth": depth}) for depth in (1, 1, 2))
    assert one == same and hash(one) == hash(same) and one != other
