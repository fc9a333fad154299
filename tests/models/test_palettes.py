"""Tests the tables of colours against matplotlib's colour maps."""

import matplotlib
import numpy as np
import pytest

from models.palettes import INFERNO, VIRIDIS


@pytest.mark.parametrize(("name", "table"), [("inferno", INFERNO), ("viridis", VIRIDIS)])
def test_the_table_has_the_colours_of_matplotlib(name: str, table: str) -> None:
    """Each value is matplotlib's, from 0 to 255 and rounded down."""
    colours = np.frombuffer(bytes.fromhex(table), dtype=np.uint8).reshape(256, 3)
    exact = matplotlib.colormaps[name](np.arange(256))[:, :3] * 255
    np.testing.assert_array_equal(colours, np.floor(exact + 1e-6))
