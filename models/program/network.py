"""The network of a graph: calls the operators one after the other, and is in all other respects a module of PyTorch."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch._ops import OpOverload

from models.largest_tensor import LargestTensor, TooLarge
from models.program.checks import check
from models.program.graph import BadProgram, Graph, Node, PixelsDevice, Reference
from models.program.guards import guard_of
from models.program.held import Held
from models.program.operators import operator

DEVICE = 0
"""The register that holds the device of the pixels."""
LARGEST_VALUE = 2**29
"""Largest number of elements of a value: 2 GiB of float32. A layer of VGG has 3 million for a picture."""


@dataclass(frozen=True)
class _Register:
    """The place of a value among those of a pass."""

    number: int


Registers = list[Any]


@dataclass
class _Step:
    """A call of an operator, the registers of its arguments and results, and what is done after it.

    `results` is one register, or one for each of several results; -1 is for a result that does not exist. Each of
    `layers` is the number of a layer that ends here, and the register of its output. `last` are the registers that
    nothing reads afterwards.
    """

    node: Node
    arguments: list[Any]
    keywords: dict[str, Any]
    results: int | list[int]
    layers: list[tuple[int, int]] = field(default_factory=list)
    last: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.function = operator(self.node.operator)
        self.guard = guard_of(self.function) if isinstance(self.function, OpOverload) else None

    def run(self, registers: Registers) -> None:
        """Call the operator, and write its results."""
        arguments = [_filled(argument, registers) for argument in self.arguments]
        keywords = {name: _filled(argument, registers) for name, argument in self.keywords.items()}
        if self.guard is not None:
            self.guard(*arguments, **keywords)
        if self.node.no_grad:
            with torch.no_grad():
                result = self.function(*arguments, **keywords)
        else:
            result = self.function(*arguments, **keywords)
        if isinstance(self.results, int):
            registers[self.results] = result
        else:
            for register, value in zip(self.results, result, strict=True):
                registers[register] = value


def _filled(argument: Any, registers: Registers) -> Any:
    if type(argument) is _Register:
        return registers[argument.number]
    if type(argument) is list:
        return [_filled(element, registers) for element in argument]
    return argument


class _Plan:
    """The steps of a pass. It never changes, so that copies of a network share it."""

    def __init__(self, graph: Graph) -> None:
        names = [graph.pixels.name, *(weight.name for weight in graph.weights)]
        names += [result for node in graph.nodes for result in node.results if result is not None]
        self.registers = {name: number for number, name in enumerate(names, start=DEVICE + 1)}
        self.steps = [self._step(node) for node in graph.nodes]
        for number, layer in enumerate(graph.layers):
            self.steps[layer.end].layers.append((number, self.registers[layer.value]))
        self.output = self.registers[graph.output]
        self._free(graph)

    def __deepcopy__(self, memo: object) -> "_Plan":
        return self

    def _step(self, node: Node) -> _Step:
        results = [-1 if result is None else self.registers[result] for result in node.results]
        function = operator(node.operator)
        keywords = {name: self._argument(value) for name, value in node.keywords.items()}
        single = True
        if isinstance(function, OpOverload):
            returns = function._schema.returns
            single = len(returns) == 1 and "List" not in str(returns[0].real_type)
            kinds = {argument.name: str(argument.real_type) for argument in function._schema.arguments}
            if "device" in kinds and not any("Tensor" in kind for kind in kinds.values()):
                keywords["device"] = _Register(DEVICE)
        return _Step(
            node, [self._argument(value) for value in node.arguments], keywords, results[0] if single else results
        )

    def _argument(self, value: object) -> Any:
        if isinstance(value, Reference):
            return _Register(self.registers[value.name])
        if isinstance(value, PixelsDevice):
            return _Register(DEVICE)
        return [self._argument(element) for element in value] if isinstance(value, tuple) else value

    def _free(self, graph: Graph) -> None:
        """Note after which step each value can be freed: a pass then holds no more than the original network's."""
        later = {self.output}
        for step in reversed(self.steps):
            read = {self.registers[name] for name in step.node.references()}
            read |= {self.registers[name] for name in step.node.results if name is not None}
            read |= {register for _, register in step.layers}
            step.last = sorted(read - later)
            later |= read


class _Layer(nn.Module):
    """Stands for a layer of the original network: hands on its output, so that hooks can read and replace it."""

    def forward(self, output: Any) -> Any:
        return output


class Program(nn.Module):
    """Pixels [n, c, h, w] to logits [n, k], as a graph says; its weights are 0 until they are loaded.

    The keys of its state dict are those of the original network, and so are the names of its layers and of their
    classes; hooks of the layers are called with the outputs that the original layers have. Where the graph takes a
    fixed number of rows, others are computed in groups of this number. Raises BadProgram.
    """

    def __init__(self, graph: Graph) -> None:
        super().__init__()
        check(graph)
        self._plan = _Plan(graph)
        self._shape = graph.pixels.shape
        self._rows = self._shape[0]
        self._is_watched = False
        self._layers: list[nn.Module] = []
        self._weights: list[tuple[nn.Module, str]] = []
        for layer in sorted(graph.layers, key=lambda layer: layer.path.count(".")):
            kind = cast(type[nn.Module], type(layer.kind, (_Layer,), {}))
            owner, name = self._owner(layer.path)
            _register(layer.path, owner.add_module, name, kind())
        self._layers = [self.get_submodule(layer.path) for layer in graph.layers]
        self._weights = [self._owner(weight.path) for weight in graph.weights]
        for weight, (owner, name) in zip(graph.weights, self._weights, strict=True):
            values = torch.zeros(weight.shape, dtype=weight.torch_dtype)
            if weight.kind == "parameter":
                parameter = nn.Parameter(values, requires_grad=values.is_floating_point() or values.is_complex())
                _register(weight.path, owner.register_parameter, name, parameter)
            else:
                _register(weight.path, owner.register_buffer, name, values)

    def check_sizes(self) -> None:
        """Raise BadProgram if a pass for one picture, or for the fixed number of them, makes huge tensors.

        It is made without memory for their values, or if their sizes depend on values, with pixels of 0. Since other
        pixels may give other sizes, such a network has the same limits in every later pass.
        """
        if not self._is_measured("meta"):
            self._is_watched = True
            self._is_measured("cpu")  # what does not fit together is said by the first pass with pixels

    def _is_measured(self, device: str) -> bool:
        """Whether a pass on this device comes to its end; raises BadProgram if it makes huge tensors."""
        rows, *sizes = self._shape
        try:
            with torch.no_grad(), LargestTensor(LARGEST_VALUE):
                weights = [getattr(owner, name).to(device) for owner, name in self._weights]
                self._run(torch.zeros(rows or 1, *sizes, device=device), weights=weights, held=Held(weights))
        except TooLarge as error:
            fewer = ", or for fewer pictures at the same time," if rows is not None and rows > 1 else ""
            raise BadProgram(f"{error}: write it with smaller ones{fewer} and export it again") from error
        except (RuntimeError, ValueError, TypeError, IndexError, AssertionError, ArithmeticError, MemoryError):
            return False
        return True

    def _owner(self, path: str) -> tuple[nn.Module, str]:
        """The module that has what is at a path, and its name there; modules that do not exist yet are added."""
        *names, last = path.split(".")
        owner: nn.Module = self
        for name in names:
            if name not in owner._modules:
                _register(path, owner.add_module, name, nn.Module())
            owner = owner.get_submodule(name)
        return owner, last

    def forward(self, pixels: Float[Tensor, "n c h w"]) -> Float[Tensor, "n k"]:
        if self._rows is None:
            (logits,) = self._run_within_limits(pixels)
            return logits
        return torch.cat(self._run_within_limits(*_groups(pixels, self._rows), rows=len(pixels)))[: len(pixels)]

    def _run_within_limits(self, *groups: Tensor, rows: int = 0) -> list[Tensor]:
        """The same as `_run`; raises torch.OutOfMemoryError where sizes depend on values, and become huge."""
        if not self._is_watched:
            return self._run(*groups, rows=rows)
        if not all(isinstance(group, Tensor) for group in groups):
            raise TypeError("torch.fx cannot follow a program in which sizes depend on values")
        try:
            with LargestTensor(LARGEST_VALUE):
                weights = [getattr(owner, name) for owner, name in self._weights]
                return self._run(*groups, rows=rows, weights=weights, held=Held(weights))
        except TooLarge as error:
            raise torch.OutOfMemoryError(str(error)) from error

    def _run(
        self,
        *groups: Tensor,
        rows: int = 0,
        weights: Sequence[Tensor] | None = None,
        held: Held | None = None,
    ) -> list[Tensor]:
        """The logits of groups that have this many `rows`, apart from those that fill up the last one.

        All groups take a step together, so that hooks are called once with all rows. Other `weights` may take the place
        of the network's own. The values are counted by `held`.
        """
        plan = self._plan
        weights = [getattr(owner, name) for owner, name in self._weights] if weights is None else weights
        results = [None] * (len(plan.registers) - len(weights))
        runs: list[Registers] = [[group.device, group, *weights, *results] for group in groups]
        for step in plan.steps:
            for registers in runs:
                step.run(registers)
            for number, register in step.layers:
                self._pass_through(self._layers[number], register, runs, rows)
            for registers in runs:
                if held is not None:
                    made = [step.results] if isinstance(step.results, int) else step.results
                    held.after(made, step.last, registers)
                for register in step.last:
                    registers[register] = None
        return [registers[plan.output] for registers in runs]

    def _pass_through(self, layer: nn.Module, register: int, runs: list[Registers], rows: int) -> None:
        """Give the hooks of a layer its output for all rows."""
        if len(runs) == 1 and self._rows is None:
            runs[0][register] = layer(runs[0][register])
        elif layer._forward_hooks:
            outputs = [registers[register] for registers in runs]
            assert self._rows is not None
            if not isinstance(outputs[0], Tensor) or outputs[0].ndim == 0 or len(outputs[0]) % self._rows:
                return  # the rows of a picture cannot be told apart
            sizes = [len(output) for output in outputs]
            together = torch.cat(outputs)
            real = rows * (sizes[0] // self._rows)
            replaced = torch.cat([layer(together[:real]), together[real:]])
            for registers, part in zip(runs, replaced.split(sizes), strict=True):
                registers[register] = part.clone()  # what follows may work in place, which parts of a tensor forbid


def _groups(pixels: Tensor, size: int) -> Iterator[Tensor]:
    """The rows in groups of this size, one at least; zeros fill up the last one."""
    missing = -len(pixels) % size or (0 if len(pixels) else size)
    filled = torch.cat([pixels, pixels.new_zeros(missing, *pixels.shape[1:])]) if missing else pixels
    yield from filled.split(size)


def _register(path: str, add: Any, name: str, value: object) -> None:
    try:
        add(name, value)
    except KeyError as error:
        raise BadProgram(f"the program has {path}, which no module of PyTorch can have: rename it there") from error
