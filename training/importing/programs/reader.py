"""Reads programs that torch.export.save has written (.pt2): networks whose code nobody has to have.

torch.export.load would run what a file tells it to: it unpickles objects, evaluates expressions, and calls functions by
their names. Here the archive is taken apart, and becomes a graph of known operators and plain tensors.
"""

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from models.program.checks import check
from models.program.graph import BadProgram, Graph, parse
from training.importing.archive import Archive, opened
from training.importing.programs.module_layers import module_layers
from training.importing.programs.serialized import (
    InputSpec,
    OutputSpec,
    Payload,
    Payloads,
    Program,
    Size,
    TensorMeta,
    parse_json,
)
from training.importing.programs.translation import DTYPES, Translation
from training.importing.programs.weights import WeightReader, described
from training.importing.weights_file import MOST_SHARED

LARGEST_JSON = 25_000_000
"""Largest number of bytes of the program and of each list of weights; that of Swin-T has 1.3 MB. In memory the objects
that they describe take up to a hundred times as much."""
SCHEMA = 8
"""Version of PyTorch's format that is known here."""
SYMBOL = r"\w+|Symbol\('\w+'(, \w+=True)*\)"
"""A size that is an unknown number, as PyTorch writes it."""
WEIGHTS, CONSTANTS = "data/weights/", "data/constants/"
NEWER = "save it again with torch.export.save of PyTorch 2.11 or newer"
EXPORT = "export the network with torch.export.export, and save it with torch.export.save"


@dataclass(frozen=True)
class ExportedProgram:
    """A network, and its weights by their paths: parameters, buffers and constants.

    `classes` is the number of logits. `torch_version` is that of the PyTorch that exported it, if the file says so.
    """

    graph: Graph
    weights: Mapping[str, Tensor]
    classes: int
    torch_version: str | None = None


def read_program(file: Path) -> ExportedProgram:
    """Read a .pt2 file: a network in eval mode from float32 pixels [n, c, h, w] to one tensor of logits [n, k].

    Channels, height and width are fixed, and n is fixed or any number. Nothing in the file is executed, evaluated or
    unpickled. Raises BadProgram, whose message says what is wrong with the file and what to do.
    """
    try:
        with opened(file) as archive:
            return _read(archive)
    except BadProgram as error:
        raise BadProgram(f"{file.name} cannot be used: {error}") from error


def _read(archive: Archive) -> ExportedProgram:
    model = _only_model(archive)
    program = parse_json(Program, archive.read(model, LARGEST_JSON), model)
    if program.schema_version.major != SCHEMA:
        raise BadProgram(f"its format has version {program.schema_version.major}, and {SCHEMA} is known here: {NEWER}")
    sources = _payloads(archive, Path(model).stem)
    graph, classes = _graph(program, sources)
    check(graph)
    weights = _weights(archive, graph, sources)
    version = program.torch_version or ""
    return ExportedProgram(graph, weights, classes, version[:50] if version and version.isprintable() else None)


def _only_model(archive: Archive) -> str:
    """The name of the one program in the archive; raises BadProgram, which says what else the file is."""
    names = archive.names
    models = [name for name in names if re.fullmatch(r"models/[^/]+\.json", name)]
    old = [name for name in names if name == "serialized_exported_program.json" or _is_pickled_state(name)]
    if old:
        raise BadProgram(f"an older PyTorch wrote it, with weights as pickled objects: {NEWER}")
    if not models and any(name.startswith("data/aotinductor/") for name in names):
        raise BadProgram(f"it has compiled code in it, which is not run: {EXPORT}")
    if not models and "data.pkl" in names:
        raise BadProgram(f"it was written by torch.save, and holds weights or Python objects: {EXPORT}")
    if len(models) != 1:
        raise BadProgram(f"it has {len(models)} programs in it, and one is needed: {EXPORT}")
    if "byteorder" in names and archive.read("byteorder", 100).decode("latin-1") != sys.byteorder:
        raise BadProgram("it was written on a machine with another order of bytes: save it on a machine like this one")
    return models[0]


def _is_pickled_state(name: str) -> bool:
    return name.startswith((WEIGHTS, CONSTANTS)) and name.endswith(".pt")


def _payloads(archive: Archive, model: str) -> dict[str, tuple[Payload, str]]:
    """Where the bytes of each weight and constant are: its entry and its folder, by its path."""
    sources = {}
    for folder, kind in ((CONSTANTS, "constants"), (WEIGHTS, "weights")):
        name = f"{folder}{model}_{kind}_config.json"
        for path, payload in parse_json(Payloads, archive.read(name, LARGEST_JSON), name).config.items():
            described(path, payload)
            sources[path] = payload, folder
    return sources


def _graph(program: Program, sources: Mapping[str, tuple[Payload, str]]) -> tuple[Graph, int]:
    """The graph of the program, and the number of its classes."""
    graph, signature = program.graph_module.graph, program.graph_module.signature
    weights = [weight for spec in signature.input_specs if (weight := _weight(spec, sources))]
    pixels = _pixels([spec for spec in signature.input_specs if spec.user_input])
    output = _logits(signature.output_specs)
    for name in (pixels, output):
        if name not in graph.tensor_values:
            raise BadProgram(f"the program does not say what {name[:100]} is: save it again")
    shape = _shape(graph.tensor_values[pixels])
    classes = _classes(graph.tensor_values[output], graph.tensor_values[pixels].sizes[0])
    translation = Translation(graph, [pixels, *(weight["name"] for weight in weights)])
    document: dict[str, Any] = {
        "pixels": {"name": pixels, "shape": shape},
        "weights": weights,
        "nodes": translation.nodes,
        "output": translation.value(output),
    }
    nodes = parse(document).nodes
    layers = module_layers(nodes, translation.stacks, document["output"], translation.tensors)
    return parse({**document, "layers": layers}), classes


def _weight(spec: InputSpec, sources: Mapping[str, tuple[Payload, str]]) -> dict[str, Any] | None:
    """A weight in JSON, or None if the input is none; raises BadProgram if it is an object."""
    if spec.user_input or spec.constant_input is not None:
        return None
    if spec.parameter:
        name, path, kind = spec.parameter.arg.name, spec.parameter.parameter_name, "parameter"
    elif spec.buffer:
        name, path, kind = spec.buffer.arg.name, spec.buffer.buffer_name, "buffer"
    elif spec.tensor_constant:
        name, path, kind = spec.tensor_constant.arg.name, spec.tensor_constant.tensor_constant_name, "buffer"
    else:
        raise BadProgram(
            "the program contains custom objects, which are code and are not loaded: export it without them"
        )
    if path not in sources:
        raise BadProgram(f"the archive has no values of {path[:200]}: save it again")
    sizes, _, _, dtype = described(path, sources[path][0])
    return {"name": name, "path": path, "kind": kind, "shape": sizes, "dtype": str(dtype).removeprefix("torch.")}


def _pixels(specs: list[InputSpec]) -> str:
    """The name of the one input that is no weight."""
    contents = [spec.user_input.arg.content() for spec in specs if spec.user_input]
    if [kind for kind, _ in contents] != ["tensor"]:
        raise BadProgram(f"it takes {len(contents)} inputs, and a classifier takes one tensor of pixels: {EXPORT}")
    return str(contents[0][1].name)


def _logits(specs: list[OutputSpec]) -> str:
    """The name of the one tensor that the program returns."""
    if any(spec.buffer_mutation for spec in specs):
        raise BadProgram("it changes its buffers in each pass, as in training: call model.eval() before exporting")
    if not all(spec.user_output for spec in specs):
        raise BadProgram(
            "it computes a loss or gradients, or changes its input: export the network alone, in eval mode"
        )
    contents = [spec.user_output.arg.content() for spec in specs if spec.user_output]
    tensors = [content.name for kind, content in contents if kind == "tensor"]
    if len(tensors) != 1:
        raise BadProgram(f"it returns {len(tensors)} tensors, and a classifier returns one, the logits: {EXPORT}")
    return str(tensors[0])


def _shape(meta: TensorMeta) -> list[int | None]:
    """The shape of the pixels, whose first size is None if any number of rows is taken."""
    sizes = [size.as_int for size in meta.sizes]
    if len(sizes) != 4 or DTYPES.get(meta.dtype) != "float32" or None in sizes[1:]:
        raise BadProgram(
            "its input is no float32 tensor [n, channels, height, width] whose channels, height and width are fixed: "
            "export the network with such an example input"
        )
    expression = meta.sizes[0].as_expr
    if sizes[0] is None and (expression is None or not re.fullmatch(SYMBOL, expression.expr_str)):
        raise BadProgram("its number of rows is computed from something else: export it with a fixed or dynamic number")
    return list(sizes)


def _classes(meta: TensorMeta, rows: Size) -> int:
    """The number of classes."""
    classes = meta.sizes[1].as_int if len(meta.sizes) == 2 else None
    if not classes or meta.sizes[0] != rows:
        raise BadProgram("it does not return logits [n, classes] with a row for each picture: export a classifier")
    return classes


def _weights(archive: Archive, graph: Graph, sources: Mapping[str, tuple[Payload, str]]) -> dict[str, Tensor]:
    size = sum(weight.elements * weight.torch_dtype.itemsize for weight in graph.weights)
    if size > MOST_SHARED * archive.size:
        raise BadProgram("its weights are far larger than the file: save it again")
    reader = WeightReader(archive)
    return {weight.path: reader.read(weight.path, *sources[weight.path]) for weight in graph.weights}
