import pytest

from models.spec import Spec
from models.store import imagenet_spec
from training.preprocessing import in_grey, spec_at
from training.recipe import BadRecipe, Recipe


def test_grey_has_the_means_of_the_statistics_of_the_colours() -> None:
    """ImageNet: (0.485 + 0.456 + 0.406) / 3 = 0.449 and (0.229 + 0.224 + 0.225) / 3 = 0.226."""
    spec = imagenet_spec("mobilenet_v2")
    grey = in_grey(spec)
    assert grey.mean == pytest.approx((0.449,)) and grey.std == pytest.approx((0.226,)) and grey.channels == 1
    assert (grey.architecture, grey.classes, grey.resize) == (spec.architecture, spec.classes, spec.resize)


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_grey_has_the_scale_of_networks_that_scale_colours_themselves(name: str) -> None:
    """The published first layer was trained on (p - 0.5) / 0.5."""
    grey = in_grey(imagenet_spec(name))
    assert (grey.mean, grey.std) == ((0.5,), (0.5,))


@pytest.mark.parametrize("name", ["googlenet", "mobilenet_v2"])
def test_a_grey_spec_is_unchanged(name: str) -> None:
    """The spec is that of pretrained weights which were trained in grey."""
    spec = Spec(name, ("a", "b"), mean=(0.3,), std=(0.2,))
    assert in_grey(spec) == spec


def test_another_input_size_keeps_the_relative_margin() -> None:
    """A resize to 256 for an input of 224 becomes one to 146 for 128."""
    spec = Spec("mobilenet_v2", ("a", "b"))
    small = spec_at(spec, Recipe(input_size=128))
    assert (small.input_size, small.resize) == (128, 146)
    assert spec_at(spec, Recipe()) == spec


def test_the_resize_can_be_chosen() -> None:
    spec = imagenet_spec("mobilenet_v2")
    chosen = spec_at(spec, Recipe(input_size=256, resize=293))
    assert (chosen.input_size, chosen.resize) == (256, 293)
    with pytest.raises(BadRecipe, match="--resize is at least the input size, 224, not 200"):
        spec_at(spec, Recipe(resize=200))
