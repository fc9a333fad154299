"""Tests which operators a program may call: those of the list in the forms that take tensors, and nothing else."""

import math
import re
from pathlib import Path

import pytest
import torch
from torch._ops import OpOverload

from models.program.graph import BadProgram
from models.program.operators import ALLOWED, ARITHMETIC, operator


def overloads(name: str) -> list[str]:
    """Return the full names of an operator's overloads, and of those of its variant in place."""
    packets = [packet for each in (name, f"{name}_") if (packet := getattr(torch.ops.aten, each, None))]
    return [f"aten.{packet.__name__}.{overload}" for packet in packets for overload in packet.overloads()]


def allowed(name: str) -> OpOverload | None:
    try:
        function = operator(name)
    except BadProgram:
        return None
    assert isinstance(function, OpOverload)
    return function


def test_every_name_on_the_list_is_an_operator() -> None:
    """Of each, PyTorch has at least one form that takes data alone."""
    assert [name for name in sorted(ALLOWED) if not any(map(allowed, overloads(name)))] == []


def test_no_allowed_operator_touches_anything_but_tensors() -> None:
    """None takes a file, a generator, a storage or an object, and none writes but those whose names say so."""
    handles = ("Generator", "Storage", "Stream", "classes", "Dict", "Future")
    for function in (function for name in ALLOWED for each in overloads(name) if (function := allowed(each))):
        schema = function._schema
        kinds = " ".join(str(argument.real_type) for argument in (*schema.arguments, *schema.returns))
        assert not any(handle in kinds for handle in handles), function
        written = [argument for argument in schema.arguments if argument.alias_info and argument.alias_info.is_write]
        in_place = re.search(r"[^_]_$|::__i", schema.name) is not None
        assert len(written) == (1 if in_place else 0), function


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("os.system", "no operator of PyTorch's own"),
        ("builtins.eval", "no operator of PyTorch's own"),
        ("operator.attrgetter", "no operator of PyTorch's own"),
        ("math.factorial", "no operator of PyTorch's own"),
        ("torch.load", "no operator of PyTorch's own"),
        ("mylib.my_op.default", "no operator of PyTorch's own"),
        ("torchvision.deform_conv2d.default", "belongs to torchvision"),
        ("higher_order.cond", "control flow"),
        ("higher_order.triton_kernel_wrapper_functional", "control flow or compiled code"),
        ("aten.from_file.default", "not on the list"),
        ("aten.save.default", "not on the list"),
        ("aten.set_.source_Tensor", "not on the list"),
        ("aten.set_data.default", "not on the list"),
        ("aten._unsafe_index.Tensor", "not on the list"),
        ("aten._cufft_set_plan_cache_max_size.default", "not on the list"),
        ("aten.resize_.default", "not on the list"),
        ("aten.requires_grad_.default", "not on the list"),
        ("aten.__class__", "not on the list"),
        ("aten.add", "not on the list"),
        ("aten.as_strided.default", "where in memory"),
        ("aten.add.__class__", "as a function of tensors"),
        ("aten.add._op", "as a function of tensors"),
        ("aten.add.out", "as a function of tensors"),
        ("aten.add.nonsense", "as a function of tensors"),
        ("aten.mul.left_t", "as a function of tensors"),
        ("aten.pow.int", "as a function of tensors"),
        ("aten.sum.dim_DimnameList", "as a function of tensors"),
        ("aten.rand.default", "is random"),
        ("aten.bernoulli_.float", "is random"),
        ("aten.multinomial.default", "is random"),
    ],
)
def test_everything_else_is_refused_by_name(name: str, why: str) -> None:
    with pytest.raises(BadProgram, match=why) as refusal:
        operator(name)
    assert name in str(refusal.value)


def test_a_refused_operator_does_nothing(tmp_path: Path) -> None:
    """PyTorch has it, and it would create the file."""
    torch.ops.aten.from_file.default(str(tmp_path / "by hand"), True, 1)
    assert (tmp_path / "by hand").exists()
    with pytest.raises(BadProgram):
        operator("aten.from_file.default")(str(tmp_path / "by a program"), True, 1)
    assert not (tmp_path / "by a program").exists()


def test_memory_that_nobody_has_written_is_zero() -> None:
    one = torch.ones(3)
    assert operator("aten.empty.memory_format")([2, 3]).tolist() == [[0.0] * 3] * 2
    assert operator("aten.empty_like.default")(one).tolist() == operator("aten.new_empty.default")(one, [3]).tolist()


def test_a_view_works_for_other_strides() -> None:
    """PyTorch refuses to flatten the last two sizes of a transposed tensor without a copy."""
    matrix = torch.arange(24.0).reshape(2, 3, 4).transpose(1, 2)
    with pytest.raises(RuntimeError):
        matrix.view(2, 12)
    assert operator("aten.view.default")(matrix, [2, 12])[0].tolist() == matrix[0].flatten().tolist()
    assert torch.equal(operator("aten.view_as.default")(matrix, torch.ones(2, 12)), matrix.reshape(2, 12))


def test_functions_of_numbers() -> None:
    assert operator("operator.floordiv")(7, 2) == 3 and operator("math.ceil")(2.5) == 3
    assert operator("torch.sym_max")(2, 5) == 5 and operator("torch._sym_sqrt")(16) == 4
    assert operator("operator.pow")(7, 2) == 49 and operator("operator.lt")(1, 2) is True
    assert all(callable(function) for function in ARITHMETIC.values())


def test_numbers_do_not_grow_without_an_end() -> None:
    """A program that squares a number a thousand times would need more memory than there is."""
    assert operator("operator.mul")(2**31, 2**31) == 2**62
    assert math.isinf(operator("operator.mul")(1e308, 10.0))
    with pytest.raises(BadProgram, match="too large"):
        operator("operator.mul")(2**62, 4)
    with pytest.raises(BadProgram, match="exponent"):
        operator("operator.pow")(9, 10**9)
