"""Options without a name of their own on the command line."""

import pytest

from mirage.command_line.extra_options import extra_options
from mirage.errors import BadOption
from mirage.options import FoolOptions


def test_names_and_values() -> None:
    assert extra_options(["steps=40", "survive=a=b", "p="], FoolOptions) == {"steps": "40", "survive": "a=b", "p": ""}
    assert extra_options(None, FoolOptions) == {}


@pytest.mark.parametrize("pair", ["steps", "step=40", "=1"])
def test_another_name_is_refused_with_all_names(pair: str) -> None:
    with pytest.raises(BadOption, match="random_start"):
        extra_options([pair], FoolOptions)
