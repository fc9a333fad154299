"""The limit on the checks of shapes and types in /conftest.py leaves the first calls of every test checked."""

import pytest
import torch
from jaxtyping import TypeCheckError

from conftest import CHECKED_CALLS
from models.preprocessing import to_float


@pytest.mark.parametrize("run", [1, 2])
def test_each_test_checks_its_first_calls(run: int, pytestconfig: pytest.Config) -> None:
    """The first run uses up its own checks; the second one, in the same process or not, has as many."""
    if not pytestconfig.getoption("--jaxtyping-packages"):
        pytest.skip("the checks are switched off")
    levels = torch.zeros(3, 4, 4, dtype=torch.uint8)
    for _ in range(CHECKED_CALLS // 2):
        to_float(levels)
    with pytest.raises(TypeCheckError):
        to_float(levels.float())  # levels are uint8
    for _ in range(CHECKED_CALLS):
        to_float(levels)
    assert to_float(levels.float()).dtype == torch.float32, "not checked any more"
