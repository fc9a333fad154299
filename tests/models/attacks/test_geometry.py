"""Distances and balls, by hand and for any picture."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from models.attacks.geometry import lattice_epsilon, norms, project_linf, to_lattice
from models.preprocessing import to_float, to_levels


def row(*values: float) -> Tensor:
    return torch.tensor(values).expand(3, 1, len(values))


def test_projection_by_hand() -> None:
    """0.5 may move by 0.1 and no more; 0.05 and 0.95 stop at black and white."""
    moved, origin = row(0.9, 0.55, 0.1, -0.5, 1.5).unsqueeze(0), row(0.5, 0.5, 0.5, 0.05, 0.95).unsqueeze(0)
    found = project_linf(moved, origin, 0.1)
    torch.testing.assert_close(found[0, 0, 0], torch.tensor([0.6, 0.55, 0.4, 0.0, 1.0]))


@given(seed=st.integers(0, 1000), epsilon=st.floats(0, 1))
def test_projection_is_idempotent_and_within(seed: int, epsilon: float) -> None:
    random = torch.Generator().manual_seed(seed)
    origin, moved = torch.rand(2, 3, 4, 4, generator=random), torch.randn(2, 3, 4, 4, generator=random)
    once = project_linf(moved, origin, epsilon)
    assert ((once - origin).abs() <= epsilon + 1e-6).all()
    assert once.min() >= 0
    assert once.max() <= 1
    assert torch.equal(project_linf(once, origin, epsilon), once)


def test_whole_levels_stay_whole() -> None:
    """8/255 as a float32 or a float64 is 8 levels, not 7; so for all of them."""
    for levels in range(1, 256):
        assert lattice_epsilon(levels / 255) == pytest.approx(levels / 255)
        assert lattice_epsilon(torch.tensor(levels / 255).item()) == pytest.approx(levels / 255)
        # 0.0313725 for 8/255, as people and JSON write it.
        assert lattice_epsilon(round(levels / 255, 7)) == pytest.approx(levels / 255)


@given(st.floats(1 / 255, 1))
def test_the_rest_of_a_level_is_not_used(epsilon: float) -> None:
    """At most a ten-thousandth of a level above epsilon, which is what a float32 may lose, and less than one below."""
    found = lattice_epsilon(epsilon) * 255
    assert found == pytest.approx(round(found))
    assert epsilon * 255 - 1 < found <= epsilon * 255 + 1.001e-4


def test_the_lattice_is_what_a_file_gives_back() -> None:
    """Bit for bit what decoding the nearest levels gives."""
    pixels = torch.rand(2, 3, 50, 50, generator=torch.Generator().manual_seed(0)) * 1.2 - 0.1
    assert torch.equal(to_lattice(pixels), to_float(to_levels(pixels)))


def test_norms_by_hand() -> None:
    """Changes of 3 and 4 levels in one pixel and of 12 in another: l1 19, l2 13, linf 12, two pixels."""
    origin = torch.full((3, 2, 2), 100, dtype=torch.uint8)
    picture = origin.clone()
    picture[0, 0, 0] += 3
    picture[1, 0, 0] -= 4
    picture[2, 1, 1] += 12
    found = norms(picture, origin)
    assert found == {
        "linf": pytest.approx(12 / 255),
        "l2": pytest.approx(13 / 255),
        "l1": pytest.approx(19 / 255),
        "l0": 2,
    }
    assert math.isclose(found["linf"], 12 / 255, rel_tol=1e-15)


def test_norms_of_no_change_and_of_the_largest() -> None:
    """Black to white: 1 per value; unsigned levels do not wrap around."""
    black, white = torch.zeros(3, 4, 5, dtype=torch.uint8), torch.full((3, 4, 5), 255, dtype=torch.uint8)
    assert set(norms(black, black).values()) == {0}
    for one, other in ((black, white), (white, black)):
        assert norms(one, other) == {"linf": 1, "l2": pytest.approx(math.sqrt(60)), "l1": pytest.approx(60), "l0": 20}


def test_a_change_of_epsilon_is_not_above_epsilon() -> None:
    """norms.linf <= epsilon holds in floats too, where a client compares them."""
    origin = torch.zeros(3, 1, 1, dtype=torch.uint8)
    for levels in range(1, 256):
        assert norms(torch.full_like(origin, levels), origin)["linf"] <= levels / 255
