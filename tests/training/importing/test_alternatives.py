"""Tests which other preprocessing is tried."""

from dataclasses import replace
from itertools import groupby

import pytest

from models.spec import Spec
from training.importing.alternatives import NORMALISATIONS, Alternative, alternatives
from training.importing.options import SpecOptions

SPEC = Spec("squeezenet1_1", ("cat", "dog"))
SPECS = {
    "as torchvision": SPEC,
    "blue first": replace(SPEC, colours="BGR"),
    "grey": replace(SPEC, mean=(0.5,), std=(0.5,)),
    "grey and opacity": replace(SPEC, colours="LA", mean=(0.4, 0.1), std=(0.2, 0.9)),
    "opacity": replace(SPEC, colours="RGBA", mean=(0.1, 0.2, 0.3, 0.4), std=(0.5, 0.6, 0.7, 0.8)),
    "rectangular": replace(SPEC, input_size=(224, 112), resize=(256, 128), interpolation="bicubic", antialias=False),
    "padded": replace(SPEC, resize=224, resize_mode="pad", padding=(0.5, 0.5, 0.5)),
    "large": replace(SPEC, input_size=2048, resize=2048),
}


def options_of(alternative: Alternative) -> SpecOptions:
    """The options as the command line reads them."""
    given: dict[str, object] = {name[2:].replace("-", "_"): value for name, value in alternative.options.items()}
    for switch, value in (("antialias", True), ("no_antialias", False)):
        if given.pop(switch, None) is not None:
            given["antialias"] = value
    return SpecOptions(**given)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_the_options_give_the_alternative(spec: Spec) -> None:
    """Whoever follows the advice gets what was tried; numbers are given with six digits."""
    for alternative in alternatives(spec):
        given = options_of(alternative).apply(spec)
        assert (given.mean, given.std) == (
            pytest.approx(alternative.spec.mean, rel=1e-5),
            pytest.approx(alternative.spec.std, rel=1e-5),
        )
        assert replace(given, mean=spec.mean, std=spec.std) == replace(alternative.spec, mean=spec.mean, std=spec.std)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_each_alternative_is_another_one(spec: Spec) -> None:
    tried = [alternative.spec for alternative in alternatives(spec)]
    assert spec not in tried
    assert len({alternative.name for alternative in alternatives(spec)}) == len(tried)


@pytest.mark.parametrize("spec", SPECS.values(), ids=SPECS)
def test_alternatives_with_the_same_resize_and_crop_follow_each_other(spec: Spec) -> None:
    """So that the resize is computed once for all of them."""

    def geometry(alternative: Alternative) -> Spec:
        return replace(alternative.spec, mean=spec.mean, std=spec.std, colours=spec.colours)

    groups = [key for key, _ in groupby(alternatives(spec), key=geometry)]
    assert len(groups) == len(set(groups))
    assert groups[0] == spec


def test_all_usual_mistakes_of_a_network_of_torchvision_are_undone() -> None:
    names = [alternative.name for alternative in alternatives(SPEC)]
    assert names == [
        "normalisation to values from -1 to 1",
        "normalisation to values from 0 to 1",
        "normalisation to values from 0 to 255",
        "normalisation to values from 0 to 255 minus ImageNet's mean",
        "normalisation to CLIP's mean and standard deviation",
        "channels in the order BGR",
        "mean and standard deviation in the reverse order",
        "resizing without regard to proportions to 224 pixels",
        "resizing in proportion to 232 pixels, of which the centre is cropped",
        "resizing in proportion to 224 pixels",
        "resizing without regard to proportions to 256 pixels, of which the centre is cropped",
        "resizing with padding to 224 pixels",
        "bicubic interpolation",
        "no antialiasing",
    ]


def test_the_mean_of_a_network_with_blue_first_begins_with_blue() -> None:
    """ImageNet's mean of red, green and blue is 0.485, 0.456, 0.406. Other colours leave the mean as it is."""
    given = replace(SPEC, mean=(0.5, 0.5, 0.5), colours="BGR")
    by_name = {alternative.name: alternative for alternative in alternatives(given)}
    imagenet = by_name["normalisation to ImageNet's mean and standard deviation"]
    assert imagenet.spec.mean == (0.406, 0.456, 0.485)
    assert imagenet.options == {"--mean": "0.406,0.456,0.485", "--std": "0.225,0.224,0.229"}
    swapped = {alternative.name: alternative for alternative in alternatives(imagenet.spec)}[
        "channels in the order RGB"
    ]
    assert (swapped.spec.mean, swapped.options) == (imagenet.spec.mean, {"--colours": "RGB"})


def test_a_grey_network_has_grey_normalisations_and_no_order_of_colours() -> None:
    tried = alternatives(SPECS["grey and opacity"])
    means = [alternative.spec.mean for alternative in tried[: len(NORMALISATIONS)]]
    assert means[0] == (pytest.approx((0.485 + 0.456 + 0.406) / 3), 0.1), "opacity keeps its own"
    assert not any("channels" in alternative.name or "reverse" in alternative.name for alternative in tried)


def test_opacity_stays_the_last_channel() -> None:
    by_name = {alternative.name: alternative.spec for alternative in alternatives(SPECS["opacity"])}
    assert by_name["channels in the order BGR"].colours == "BGRA"
    assert by_name["mean and standard deviation in the reverse order"].mean == (0.3, 0.2, 0.1, 0.4)


def test_rectangular_inputs_are_resized_in_proportion_to_their_size() -> None:
    names = [alternative.name for alternative in alternatives(SPECS["rectangular"])]
    assert "resizing in proportion to 232x116 pixels, of which the centre is cropped" in names
    assert names[-2:] == ["bilinear interpolation", "antialiasing"]


def test_a_resized_picture_above_the_largest_size_is_not_tried() -> None:
    sizes = {alternative.spec.resize for alternative in alternatives(SPECS["large"])}
    assert sizes == {2048}
