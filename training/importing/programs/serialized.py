"""The JSON that torch.export.save writes (torch/_export/serde/schema.py), as far as a classifier needs it.

Fields that are not listed here are ignored: PyTorch's later versions add some. Expressions and type names are plain
text, which nothing evaluates. The objects have slots, since a file may describe millions of them.
"""

from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from models.program.graph import BadProgram


@dataclass(frozen=True, slots=True)
class Named:
    """A value by its name."""

    name: str


@dataclass(frozen=True, slots=True)
class Expression:
    """A size that depends on the number of rows."""

    expr_str: str


@dataclass(frozen=True, slots=True)
class Size:
    """A size: a number, or an expression."""

    as_int: int | None = None
    as_expr: Expression | None = None


@dataclass(frozen=True, slots=True)
class TensorMeta:
    """Type and place of a tensor; `dtype` and `layout` are numbers of PyTorch's own (`DTYPES`)."""

    dtype: int
    sizes: list[Size]
    strides: list[Size]
    storage_offset: Size
    layout: int


@dataclass(frozen=True, slots=True)
class SymArgument:
    """A number, or the name of a value that is one."""

    as_name: str | None = None
    as_int: int | None = None
    as_float: float | str | None = None
    as_bool: bool | None = None


@dataclass(frozen=True, slots=True)
class OptionalTensor:
    """A tensor, or none."""

    as_tensor: Named | None = None
    as_none: bool | None = None


@dataclass(frozen=True, slots=True)
class Subgraph:
    """A graph that an operator calls."""

    name: str
    graph: "Graph"


@dataclass(frozen=True, slots=True)
class Argument:
    """An argument or a result; exactly one field is set."""

    as_none: bool | None = None
    as_tensor: Named | None = None
    as_tensors: list[Named] | None = None
    as_int: int | None = None
    as_ints: list[int] | None = None
    as_float: float | str | None = None
    as_floats: list[float | str] | None = None
    as_string: str | None = None
    as_sym_int: SymArgument | None = None
    as_sym_ints: list[SymArgument] | None = None
    as_scalar_type: int | None = None
    as_memory_format: int | None = None
    as_layout: int | None = None
    as_device: dict[str, Any] | None = None
    as_bool: bool | None = None
    as_bools: list[bool] | None = None
    as_sym_bool: SymArgument | None = None
    as_sym_bools: list[SymArgument] | None = None
    as_graph: Subgraph | None = None
    as_optional_tensors: list[OptionalTensor] | None = None
    as_optional_tensor: OptionalTensor | None = None
    as_sym_float: SymArgument | None = None
    as_sym_floats: list[SymArgument] | None = None

    def content(self) -> tuple[str, Any]:
        """The name of the field that is set, without "as_", and its value; raises BadProgram."""
        values = ((option.name, getattr(self, option.name)) for option in fields(self))
        contents = [(name, value) for name, value in values if value is not None]
        if len(contents) != 1:
            raise BadProgram("the program has an argument that is no tensor, number or list: export it without that")
        name, value = contents[0]
        return name.removeprefix("as_"), value


@dataclass(frozen=True, slots=True)
class NamedArgument:
    """An argument by its name in the operator's schema; `kind` is 1 if it is passed by its position."""

    name: str
    arg: Argument
    kind: int | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A call of an operator."""

    target: str
    inputs: list[NamedArgument]
    outputs: list[Argument]
    metadata: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Graph:
    """Calls in their order, and what is known of the tensors by their names."""

    inputs: list[Argument]
    outputs: list[Argument]
    nodes: list[Node]
    tensor_values: dict[str, TensorMeta]


@dataclass(frozen=True, slots=True)
class Parameter:
    """An input that is a parameter."""

    arg: Named
    parameter_name: str


@dataclass(frozen=True, slots=True)
class Buffer:
    """An input that is a buffer."""

    arg: Named
    buffer_name: str


@dataclass(frozen=True, slots=True)
class Constant:
    """An input that is a constant tensor."""

    arg: Named
    tensor_constant_name: str


@dataclass(frozen=True, slots=True)
class User:
    """An input or output of the network itself."""

    arg: Argument


@dataclass(frozen=True, slots=True)
class InputSpec:
    """What an input of the graph is; exactly one field is set."""

    user_input: User | None = None
    parameter: Parameter | None = None
    buffer: Buffer | None = None
    tensor_constant: Constant | None = None
    constant_input: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class OutputSpec:
    """What an output of the graph is. Neither field is set for what only training has, such as a loss."""

    user_output: User | None = None
    buffer_mutation: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Signature:
    """What the inputs and outputs of the graph are."""

    input_specs: list[InputSpec]
    output_specs: list[OutputSpec]


@dataclass(frozen=True, slots=True)
class GraphModule:
    """The graph and its signature."""

    graph: Graph
    signature: Signature


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """Version of the format; a new major version is another format."""

    major: int
    minor: int


@dataclass(frozen=True, slots=True)
class Program:
    """A file in models/."""

    graph_module: GraphModule
    schema_version: SchemaVersion
    torch_version: str | None = None


@dataclass(frozen=True, slots=True)
class Payload:
    """Where the bytes of a weight are, and what they mean."""

    path_name: str
    use_pickle: bool
    tensor_meta: TensorMeta | None = None


@dataclass(frozen=True, slots=True)
class Payloads:
    """A file that lists weights or constants by their paths in the network."""

    config: dict[str, Payload]


Parsed = TypeVar("Parsed")


def parse_json(kind: type[Parsed], content: bytes, name: str) -> Parsed:
    """The JSON of the member `name` as this kind of object; raises BadProgram."""
    try:
        return TypeAdapter(kind).validate_json(content, strict=True)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, fault["loc"]))[:200]
        raise BadProgram(
            f"{name} is damaged or of another format ({place}: {fault['msg'][:200]}): save the program again"
        ) from error
