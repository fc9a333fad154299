"""Calls every allowed operator with random arguments, most of which do not fit together: none may end the process.

They are called in other processes than that of the test. It is also found out which results are the memory of an
argument although the schema says that they are new (models.program.checks.SHARING).
"""

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch import Tensor
from torch._ops import OpOverload

from models.program.checks import SHARING
from models.program.graph import BadProgram
from models.program.guards import guard_of
from models.program.operators import ALLOWED, operator
from tests.training.runs import REPOSITORY

pytestmark = pytest.mark.slow

CALLS = 60
"""Calls of each overload."""
LARGEST_PROCESS = 2**33
"""Largest number of bytes of the addresses of such a process; PyTorch alone takes 3 GiB."""
PARTS = 24
"""Number of processes in which all operators are called."""
INTEGERS = (-(2**63), -3, -2, -1, 0, 1, 2, 3, 5, 8, 17, 2**31, 2**62)
FLOATS = (-1.0, 0.0, 0.5, 1.0, 2.0, 1e30, float("nan"), float("inf"))
DTYPES = (*[torch.float32] * 6, torch.int64, torch.int32, torch.bool, torch.complex64, torch.float16, torch.uint8)
TEXTS = {
    "rounding_mode": ("trunc", "floor", "other"),
    "mode": ("reflect", "constant", "circular", "reduced", "r", "other"),
    "reduce": ("sum", "prod", "mean", "amax", "other"),
    "equation": ("ij,jk->ik", "ij->ji", "...ij->...", "i,j"),
}


def overloads(name: str) -> Iterator[OpOverload]:
    """Yield the forms of an operator, and of its variant in place, that a program may call."""
    for each in (name, f"{name}_"):
        packet = getattr(torch.ops.aten, each, None)
        for overload in packet.overloads() if packet else ():
            try:
                function = operator(f"aten.{each}.{overload}")
            except BadProgram:
                continue
            assert isinstance(function, OpOverload)
            yield function


class Arguments:
    """Random arguments of one call, whose tensors often have the shapes of each other."""

    def __init__(self, seed: int) -> None:
        self.random, self.shapes = random.Random(seed), list[list[int]]()
        torch.manual_seed(seed)

    def of(self, function: OpOverload) -> dict[str, Any]:
        """Return a value for each argument of the schema, or for some of those that have a default."""
        return {
            argument.name: self._value(str(argument.real_type), argument.name)
            for argument in function._schema.arguments
            if not argument.has_default_value() or self.random.random() < 0.6
        }

    def _value(self, kind: str, name: str) -> Any:
        if kind.startswith("Optional["):
            return None if self.random.random() < 0.4 else self._value(kind[9:-1], name)
        if kind.startswith("List["):
            return [self._value(kind[5:-1], name) for _ in range(self.random.choice((0, 1, 1, 2, 2, 3, 4, 6)))]
        choose = self.random.choice
        match kind:
            case "Tensor":
                return self._tensor()
            case "int" | "SymInt":
                return choose(INTEGERS) if self.random.random() < 0.3 else choose((-1, 0, 1, 1, 2, 2, 3, 4))
            case "bool" | "SymBool":
                return choose((False, True))
            case "str":
                return choose(TEXTS.get(name, ("other",)))
            case "ScalarType":
                return choose(DTYPES)
            case "Layout":
                return torch.strided
            case "Device":
                return torch.device("cpu")
            case "MemoryFormat":
                return choose((torch.contiguous_format, torch.channels_last, torch.preserve_format))
        return choose(FLOATS)

    def _tensor(self) -> Tensor:
        shape = [self.random.choice((0, 1, 1, 2, 3, 4, 4, 8)) for _ in range(self.random.choice((0, 1, 2, 2, 3, 4, 5)))]
        if self.shapes and self.random.random() < 0.5:
            shape = list(self.random.choice(self.shapes))
            if shape and self.random.random() < 0.5:
                shape[self.random.randrange(len(shape))] = self.random.choice((0, 1, 2, 3, 7))
        self.shapes.append(shape)
        dtype = self.random.choice(DTYPES)
        if dtype.is_floating_point or dtype.is_complex:
            return (2 * torch.rand(shape) - 1).to(dtype)
        extremes = [0, 1] if dtype == torch.bool else [-1, 0, 1, torch.iinfo(dtype).min, torch.iinfo(dtype).max]
        values = [self.random.choice(extremes) % 256 if dtype == torch.uint8 else self.random.choice(extremes)
                  for _ in range(torch.Size(shape).numel())]  # fmt: skip
        return torch.tensor(values, dtype=dtype).reshape(shape)


def tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, list | tuple):
        for element in value:
            yield from tensors(element)


def shares(function: OpOverload, given: dict[str, Any], result: Any) -> bool:
    """Whether a result is the memory of an argument that the schema does not name."""
    new = [argument.name for argument in function._schema.arguments if argument.alias_info is None]
    places = {each.untyped_storage().data_ptr() for name in new for each in tensors(given.get(name))} - {0}
    return any(each.untyped_storage().data_ptr() in places for each in tensors(result))


def call(function: OpOverload) -> list[str]:
    """Call one overload again and again; return its name if it shares memory without a word."""
    check = guard_of(function)
    for seed in range(CALLS):
        given = Arguments(seed).of(function)
        if any(isinstance(value, int) and abs(value) > 10**6 and "length" in name for name, value in given.items()):
            continue  # windows of gigabytes, which a program is refused for
        try:
            if check is not None:
                check(**given)
            with torch.no_grad():
                result = function(**given)
        except Exception:  # noqa: S112 - the operator has noticed it
            continue
        if shares(function, given, result):
            return [function._schema.name.removeprefix("aten::")]
    return []


@pytest.mark.parametrize("part", range(PARTS))
def test_no_arguments_end_the_process(part: int) -> None:
    """Nor do results share memory that nobody knows of."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.models.program.test_operators_fuzz", str(part)],
        cwd=REPOSITORY,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=900,
    )
    assert done.returncode == 0, f"{done.returncode}: {done.stdout.splitlines()[-1:]} {done.stderr[-1000:]}"
    shared = {name for line in done.stdout.splitlines() if line.startswith("[") for name in json.loads(line)}
    assert shared <= set(SHARING.split())


if __name__ == "__main__":
    import resource  # of Unix

    # Sizes at random fill any memory. Programs have a limit for them (models/largest_tensor.py).
    resource.setrlimit(resource.RLIMIT_AS, (LARGEST_PROCESS, LARGEST_PROCESS))
    for name in sorted(ALLOWED)[int(sys.argv[1]) :: PARTS]:
        for function in overloads(name):
            print(function, flush=True)  # the last one, where the process ends
            print(json.dumps(call(function)), flush=True)
