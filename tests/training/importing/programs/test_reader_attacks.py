"""Tests that nothing in a .pt2 file is executed, evaluated or unpickled: the attacks would create a file."""

import functools
import json
import pickle
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from models.program.graph import BadProgram
from models.program.network import Program
from tests.training.importing.programs.programs import (
    CONSTANTS,
    PROGRAM,
    WEIGHTS,
    Members,
    export,
    pickled,
    rewrite,
    rewrite_json,
    rewrite_node,
    small,
)
from training.importing.programs.reader import read_program


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The archive of a small network."""
    return export(small(), tmp_path_factory.mktemp("honest") / "model.pt2").read_bytes()


@pytest.fixture
def file(tmp_path: Path, honest: bytes) -> Path:
    """A copy of it to change."""
    (tmp_path / "model.pt2").write_bytes(honest)
    return tmp_path / "model.pt2"


@pytest.fixture
def created(tmp_path: Path) -> Iterator[Path]:
    """The file that attacks would create; it must not exist afterwards."""
    yield tmp_path / "created"
    assert not (tmp_path / "created").exists()


def refusal(file: Path) -> str:
    with pytest.raises(BadProgram) as refused:
        read_program(file)
    return str(refused.value)


def test_the_pickles_of_these_tests_do_create_files(tmp_path: Path) -> None:
    pickle.loads(pickled(tmp_path / "created"))  # noqa: S301 - it only creates a file, which is what is tested
    assert (tmp_path / "created").exists()


@pytest.mark.parametrize("config", [WEIGHTS, CONSTANTS])
def test_pickled_tensors_are_not_loaded(file: Path, created: Path, config: str) -> None:
    def attack(members: Members) -> None:
        content = json.loads(members[config])
        entry = next(iter(content["config"].values()))
        entry["use_pickle"] = True
        members[f"{config.rpartition('/')[0]}/{entry['path_name']}"] = pickled(created)
        members[config] = json.dumps(content).encode()

    assert "a custom object, which is code and is not loaded" in refusal(rewrite(file, attack))


def test_custom_objects_are_not_loaded(file: Path, created: Path) -> None:
    """Also if nothing in the program uses them."""

    def attack(members: Members) -> None:
        content = json.loads(members[CONSTANTS])
        entry = {"path_name": "opaque_obj_0", "is_param": False, "use_pickle": True, "tensor_meta": None}
        content["config"]["object"] = entry
        members["data/constants/opaque_obj_0"] = pickled(created)
        members[CONSTANTS] = json.dumps(content).encode()

    assert "the program contains object as a custom object" in refusal(rewrite(file, attack))


def test_custom_objects_as_inputs_are_refused(file: Path) -> None:
    def attack(program: Any) -> None:
        argument = {"name": "object", "class_fqn": "__torch__.torch.classes.Engine"}
        program["graph_module"]["signature"]["input_specs"][0] = {
            "custom_obj": {"arg": argument, "custom_obj_name": "object"}
        }

    assert "contains custom objects, which are code" in refusal(rewrite_json(file, PROGRAM, attack))


def test_example_inputs_are_not_read(file: Path, created: Path) -> None:
    """They are a pickle, and are not needed."""
    rewrite(file, lambda members: members.update({"data/sample_inputs/model.pt": pickled(created)}))
    assert read_program(file).classes == 4


@pytest.mark.parametrize(
    "target",
    [
        "os.system",
        "torch.os.system",
        "builtins.eval",
        "math.__loader__.load_module",
        "_operator.methodcaller",
        "#extension:os.system",
        "torch.load",
        "torch.hub.load",
        "torch.ops.load_library",
        "torch.ops.aten.from_file.default",
        "torch.ops.aten.save.default",
        "torch.ops.aten.__class__",
        "torch.ops.aten.relu.default.__call__",
        "torch.ops.higher_order.triton_kernel_wrapper_functional",
        "torch.ops.higher_order.call_torchbind",
        "torch.ops.profiler._record_function_enter",
    ],
)
def test_functions_that_are_no_operators_are_not_called(file: Path, created: Path, target: str) -> None:
    """The argument is a command that creates the file, and from_file creates the file of this name."""
    command = str(created) if "from_file" in target else f"touch {created}"
    inputs = [{"name": "command", "arg": {"as_string": command}, "kind": 1}]
    message = refusal(rewrite_node(file, 0, target=target, inputs=inputs))
    assert "the program calls" in message and "and export it again" in message


def code(created: Path) -> str:
    """Return an expression that creates the file when it is evaluated; sympy evaluates it, too."""
    return f"__import__('os').system('touch {created}')"


def test_expressions_are_not_evaluated(file: Path, created: Path) -> None:
    """Those of values inside are ignored, and one in place of the number of rows is refused."""

    def attack(program: Any) -> None:
        program["range_constraints"] = {code(created): {"min_val": 1, "max_val": 2}}
        program["guards_code"] = [code(created)]
        for name, meta in program["graph_module"]["graph"]["tensor_values"].items():
            if name not in ("pixels", program["graph_module"]["graph"]["outputs"][0]["as_tensor"]["name"]):
                meta["sizes"] = [{"as_expr": {"expr_str": code(created), "hint": None}}]

    assert read_program(rewrite_json(file, PROGRAM, attack)).classes == 4

    def attack_rows(program: Any) -> None:
        values = program["graph_module"]["graph"]["tensor_values"]
        for meta in values.values():
            for size in meta["sizes"]:
                if "as_expr" in size:
                    size["as_expr"]["expr_str"] = code(created)

    assert "number of rows is computed" in refusal(rewrite_json(file, PROGRAM, attack_rows))


def test_expressions_in_the_sizes_of_weights_are_refused(file: Path, created: Path) -> None:
    def attack(weights: Any) -> None:
        next(iter(weights["config"].values()))["tensor_meta"]["sizes"][0] = {"as_expr": {"expr_str": code(created)}}

    assert "that is no fixed number" in refusal(rewrite_json(file, WEIGHTS, attack))


@pytest.mark.parametrize("name", ['w"); import os; os.abort(); ("', "a\\", "{0}", "a b", "..", "", "weight\n"])
def test_names_that_are_code_are_refused(file: Path, name: str) -> None:
    """torch.fx writes names of weights into the code that it makes of a network."""

    def attack(members: Members) -> None:
        for member in (PROGRAM, WEIGHTS):
            members[member] = members[member].replace(b'"head.weight"', json.dumps(name).encode())

    assert "path" in refusal(rewrite(file, attack))


def test_names_of_classes_that_are_code_are_ignored(file: Path) -> None:
    """A layer with such a class is not listed."""

    def attack(program: Any) -> None:
        for node in program["graph_module"]["graph"]["nodes"]:
            stack = node["metadata"].get("nn_module_stack", "")
            node["metadata"]["nn_module_stack"] = stack.replace(
                "torch.nn.modules.linear.Linear", "os.abort() or Linear"
            )

    kinds = {layer.path: layer.kind for layer in read_program(rewrite_json(file, PROGRAM, attack)).graph.layers}
    assert "head" not in kinds and kinds["stem"] == "Conv2d"


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("buffer_mutation", "it changes its buffers"),
        ("user_input_mutation", "it computes a loss"),
        ("loss_output", "loss"),
    ],
)
def test_outputs_that_change_something_are_refused(file: Path, kind: str, why: str) -> None:
    def attack(program: Any) -> None:
        output = {"arg": {"name": "linear"}, "buffer_name": "scale", "user_input_name": "pixels"}
        program["graph_module"]["signature"]["output_specs"].append({kind: output})

    assert why in refusal(rewrite_json(file, PROGRAM, attack))


def test_weights_that_are_cut_off_are_refused(file: Path) -> None:
    def attack(members: Members) -> None:
        members["data/weights/weight_0"] = members["data/weights/weight_0"][:-1]

    assert "more values than the archive has bytes for it" in refusal(rewrite(file, attack))


def test_one_weight_a_thousand_times_is_refused(file: Path) -> None:
    """A small file would take gigabytes of memory."""

    def attack(members: Members) -> None:
        program, weights = json.loads(members[PROGRAM]), json.loads(members[WEIGHTS])
        members["data/weights/large"] = bytes(1_000_000)
        large = {**weights["config"]["head.bias"], "path_name": "large"}
        large["tensor_meta"] = {**large["tensor_meta"], "sizes": [{"as_int": 250_000}]}
        for number in range(1000):
            name = f"copy_{number}"
            weights["config"][name] = large
            parameter = {"arg": {"name": name}, "parameter_name": name}
            program["graph_module"]["signature"]["input_specs"].append({"parameter": parameter})
        members[PROGRAM], members[WEIGHTS] = json.dumps(program).encode(), json.dumps(weights).encode()

    assert "far larger than the file" in refusal(rewrite(file, attack))


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b'{"a":' * 10_000, b"\xff", b"3", b"null", b"9" * 5000])
def test_json_of_any_kind_is_refused(file: Path, content: bytes) -> None:
    assert "is damaged or of another format" in refusal(
        rewrite(file, lambda members: members.update({PROGRAM: content}))
    )


CHANGES: list[object] = [None, True, -1, 2**40, 2**70, 1.5, "", "x", "conv2d", [], {}, {"as_int": -5}, {"as_name": "x"}]


def change_at_random(content: Any, random_numbers: random.Random) -> None:
    """Remove or replace something somewhere in the JSON."""
    places = []
    pending = [content]
    for value in pending:
        inside = list(value.items()) if isinstance(value, dict) else list(enumerate(value))
        places += [(value, key) for key, _ in inside]
        pending += [child for _, child in inside if isinstance(child, dict | list)]
    container, key = random_numbers.choice(places)
    if random_numbers.random() < 0.5:
        container.pop(key)
    else:
        container[key] = random_numbers.choice(CHANGES)


@pytest.mark.parametrize("name", [PROGRAM, WEIGHTS, CONSTANTS])
def test_changes_at_random_are_refused_or_harmless(file: Path, honest: bytes, name: str) -> None:
    """Whatever changes, no other error is raised than BadProgram, and what is read can be built."""
    refused = 0
    for seed in range(30):
        file.write_bytes(honest)
        rewrite_json(file, name, functools.partial(change_at_random, random_numbers=random.Random(seed)))
        try:
            program = read_program(file)
            Program(program.graph).load_state_dict(dict(program.weights))
        except BadProgram:
            refused += 1
    assert 3 <= refused < 30
