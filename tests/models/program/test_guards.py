"""Tests of operators that trust their arguments: what fits is called, and what does not fit never is."""

import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._ops import OpOverload

from models.program.graph import BadProgram
from models.program.guards import GUARDS, guard_of
from models.program.operators import operator
from tests.training.runs import REPOSITORY

ONE = torch.ones


def lstm(hidden: int = 4, layers: int = 1, inputs: int = 3, gates: int = 4, given: int | None = None) -> list[Tensor]:
    """Return the weights of an LSTM layer by layer; `given` is the size that they have in place of `hidden`."""
    size = hidden if given is None else given
    values = []
    for layer in range(layers):
        values += [ONE(gates * size, inputs if layer == 0 else hidden), ONE(gates * size, size)]
        values += [ONE(gates * size), ONE(gates * size)]
    return values


def recurrent(values: list[Tensor], layers: int = 1, states: int = 2, hidden: int = 4) -> tuple[Any, ...]:
    hx = [ONE(layers, 2, hidden)] * states
    return (ONE(2, 5, 3), hx if states == 2 else hx[0], values, True, layers, 0.0, False, False, True)


ATTENTION = ONE(2, 3, 4, 8)
SOUND: dict[str, list[tuple[Any, ...]]] = {
    "matrix_power.default": [(torch.eye(2), 2**62), (torch.eye(2), -1)],
    "linalg_matrix_power.default": [(torch.eye(2), 0)],
    "native_batch_norm.default": [
        (ONE(2, 3, 4, 4), ONE(3), ONE(3), ONE(3), ONE(3), False, 0.1, 1e-5),
        (ONE(2, 3), None, None, ONE(3), ONE(3), False, 0.1, 1e-5),
    ],
    "_native_batch_norm_legit_no_training.default": [(ONE(2, 3, 4), ONE(3), ONE(3), ONE(3), ONE(3), 0.1, 1e-5)],
    "_weight_norm_interface.default": [(ONE(4, 3, 2), ONE(4, 1, 1), 0), (ONE(4, 3), ONE(1, 3), 1)],
    "_weight_norm.default": [(ONE(4, 3), ONE(4, 1), 0)],
    "_scaled_dot_product_flash_attention_for_cpu.default": [
        (ATTENTION, ONE(2, 3, 5, 8), ONE(2, 3, 5, 8)),
    ],
    "grid_sampler_2d.default": [(ONE(1, 2, 4, 4), torch.zeros(1, 3, 3, 2), 0, 0, False)],
    "_fft_r2c.default": [(ONE(3, 4), [1], 0, True), (ONE(3, 4), [0, 1], 0, True)],
    "_fft_c2r.default": [(ONE(3, 4, dtype=torch.complex64), [1], 0, 7)],
    "fft_irfftn.default": [(ONE(2, 3),)],
    "_upsample_bilinear2d_aa.default": [
        (ONE(1, 1, 4, 4), [8, 2], False, None, None),
        (ONE(1, 1, 4, 4), [8, 2], False, 2.0, 0.5),
    ],
    "_upsample_bilinear2d_aa.vec": [(ONE(1, 1, 4, 4), None, False, [2.0, 0.5])],
    "lstm.input": [recurrent(lstm()), recurrent(lstm(layers=2), layers=2)],
    "gru.input": [recurrent(lstm(gates=3), states=1)],
    "rnn_tanh.input": [recurrent(lstm(gates=1), states=1)],
    "lstm_cell.default": [(ONE(2, 3), [ONE(2, 4), ONE(2, 4)], *lstm())],
    "gru_cell.default": [(ONE(2, 3), ONE(2, 4), *lstm(gates=3))],
    "div.Tensor_mode": [(torch.tensor([7, -7]), torch.tensor([-1, 2]))],
    "floor_divide.Scalar": [(torch.tensor([7, -7]), -1)],
    "pad.default": [(ONE(1, 2, 4), [1, 1], "reflect"), (ONE(1, 2, 4), [-1, 1], "constant")],
    "_pad_enum.default": [(ONE(1, 2, 4), [-1, 1], 3), (ONE(1, 2, 4), [1, 1], 0)],
    "tensor_split.sections": [(ONE(4, 3), 4)],
    "tensor_split.tensor_indices_or_sections": [(ONE(4, 3), torch.tensor([1, 2]))],
}
UNSOUND: dict[str, list[tuple[Any, ...]]] = {
    "matrix_power.default": [(torch.eye(2), -(2**63))],
    "linalg_matrix_power.default": [(torch.eye(2), -(2**63))],
    "native_batch_norm.default": [
        (ONE(2, 3, 4, 4), ONE(3), ONE(3), ONE(1), ONE(3), False, 0.1, 1e-5),
        (ONE(2, 3, 4, 4), ONE(2), ONE(3), ONE(3), ONE(3), False, 0.1, 1e-5),
        (ONE(2, 3, 4, 4), ONE(3), ONE(3), None, None, False, 0.1, 1e-5),
        (ONE(2), None, None, ONE(2), ONE(2), False, 0.1, 1e-5),
    ],
    "_native_batch_norm_legit_no_training.default": [
        (ONE(1, 768, 1, 1), None, None, ONE(1), ONE(1), 0.1, 1e-5),
    ],
    "_weight_norm_interface.default": [
        (ONE(1_000_000, 2), ONE(1), 0),
        (ONE(4, 3), ONE(4, 1), 2),
        (ONE(4, 3), ONE(4, 1, dtype=torch.float64), 0),
        (ONE(0, 3), ONE(0, 1), 0),
    ],
    "_weight_norm.default": [(ONE(4, 3), ONE(3, 1), 0), (ONE(4, 3), ONE(4, 1), -1)],
    "_scaled_dot_product_flash_attention_for_cpu.default": [
        (ONE(8, 8, 4, 8), ONE(1, 1, 4, 8), ONE(1, 1, 4, 8)),
        (ATTENTION, ONE(2, 3, 5, 8), ONE(2, 3, 4, 8)),
        (ATTENTION, ONE(2, 3, 5, 4), ONE(2, 3, 5, 4)),
        (ONE(4, 8), ONE(4, 8), ONE(4, 8)),
        (ONE(2, 3, 0, 8), ONE(2, 3, 0, 8), ONE(2, 3, 0, 8)),
    ],
    "grid_sampler_2d.default": [
        (ONE(1, 2, 4, 4), torch.zeros(1, 3, 3, 2), 0, 9, False),
        (ONE(1, 2, 4, 4), torch.zeros(1, 3, 3, 2), -1, 0, False),
    ],
    "_fft_r2c.default": [(ONE(3, 4), dim, 0, True) for dim in ([], [2], [5], [10**9], [0, 0], [1, -1], [-1], [1, -2])]
    + [(ONE(3, 0), [1], 0, True)],
    "_fft_c2r.default": [(ONE(3, 4, dtype=torch.complex64), [1], 0, size) for size in (-3, 8, 10**9)],
    "fft_irfftn.default": [(ONE(2, 3, dtype=torch.bool).T,)],
    "_upsample_bilinear2d_aa.default": [
        (ONE(1, 1, 4, 4), [80, 80], False, 1e-7, 1e-7),
        (ONE(1, 1, 4, 4), [8, 8], False, 0.01, 0.01),
    ],
    "_upsample_bilinear2d_aa.vec": [(ONE(1, 1, 4, 4), None, False, [1e-7, 1e-7])],
    "lstm.input": [
        recurrent(lstm(given=1)),
        recurrent(lstm(inputs=1)),
        recurrent(lstm(), layers=2),
        recurrent(lstm()[:3]),
        (*recurrent(lstm())[:4], 10**9, 0.0, False, False, True),
        (ONE(2, 3), *recurrent(lstm())[1:]),
    ],
    "lstm.data": [(ONE(5, 3), torch.ones(5, dtype=torch.int64), *recurrent(lstm())[1:-1])],
    "gru.input": [recurrent(lstm(gates=1), states=1)],
    "rnn_tanh.input": [recurrent(lstm(gates=4), states=1)],
    "lstm_cell.default": [(ONE(2, 3), [ONE(2, 4), ONE(2, 4)], *lstm(given=1)), (ONE(2, 3), [ONE(4)], *lstm())],
    "gru_cell.default": [(ONE(2, 3), ONE(1, 4), *lstm(gates=3))],
    "div.Tensor_mode": [(torch.tensor([-(2**63)]), torch.tensor([-1]))],
    "floor_divide.Scalar": [(torch.tensor([-(2**31)], dtype=torch.int32), -1)],
    "pad.default": [(ONE(1, 2, 4), [2, -3], "circular"), (ONE(1, 2, 4), [-1, 1], "reflect")],
    "_pad_enum.default": [(ONE(1, 2, 4), [2, -3], 2)],
    "tensor_split.sections": [(ONE(4, 3), 10**9)],
    "tensor_split.tensor_indices_or_sections": [(ONE(4, 3), torch.tensor(10**9))],
}
KEYWORDS = {"div.Tensor_mode": {"rounding_mode": "trunc"}}


def overload(name: str) -> OpOverload:
    function = operator(f"aten.{name}")
    assert isinstance(function, OpOverload)
    return function


@pytest.mark.parametrize("name", SOUND)
def test_what_fits_together_is_called(name: str) -> None:
    """And PyTorch takes it too."""
    function = overload(name)
    check = guard_of(function)
    assert check is not None
    for arguments in SOUND[name]:
        check(*arguments, **KEYWORDS.get(name, {}))
        function(*arguments, **KEYWORDS.get(name, {}))


@pytest.mark.parametrize("name", UNSOUND)
def test_what_does_not_fit_is_never_called(name: str) -> None:
    check = guard_of(overload(name))
    assert check is not None
    for arguments in UNSOUND[name]:
        with pytest.raises(BadProgram, match="with arguments that do not fit together"):
            check(*arguments, **KEYWORDS.get(name, {}))


def test_every_guard_belongs_to_an_operator() -> None:
    assert all(hasattr(torch.ops.aten, name) for name in GUARDS)
    assert guard_of(overload("conv2d.default")) is None


def test_the_guards_are_needed() -> None:
    """Without its guard one of these calls ends the process."""
    code = (
        "import torch\n"
        "torch.ops.aten.div.Tensor_mode(torch.tensor([-2**63]), torch.tensor([-1]), rounding_mode='trunc')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True)
    assert done.returncode < 0, "PyTorch checks this itself by now"
