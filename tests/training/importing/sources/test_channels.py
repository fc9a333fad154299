"""The normalisation of networks with other numbers of channels."""

import pytest

from models.spec import Spec
from training.importing.sources.channels import with_channels

SPEC = Spec("resnet18", ("cat", "dog"))


def test_three_channels_stay_as_they_are() -> None:
    assert with_channels(SPEC, 3) is SPEC


@pytest.mark.parametrize(("channels", "colours"), [(1, "L"), (2, "LA"), (4, "RGBA")])
def test_other_numbers_of_channels(channels: int, colours: str) -> None:
    """Grey has the mean of the colours' values, (0.485 + 0.456 + 0.406) / 3 = 0.449; opacity of a colour stays 1."""
    spec = with_channels(SPEC, channels)
    assert (spec.channel_names, len(spec.mean), len(spec.std)) == (colours, channels, channels)
    if colours == "RGBA":
        assert spec.mean == (*SPEC.mean, 0.0) and spec.std == (*SPEC.std, 1.0)
    else:
        assert spec.mean == pytest.approx((0.449,) * channels) and spec.std == pytest.approx((0.226,) * channels)


def test_grey_becomes_colours_again() -> None:
    assert with_channels(with_channels(SPEC, 1), 3).mean == pytest.approx((0.449,) * 3)
