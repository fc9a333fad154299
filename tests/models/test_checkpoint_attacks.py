"""Checkpoints that anybody may have made: a hostile spec is a BadCheckpoint, and nothing in it is run or downloaded."""

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models import architectures, checkpoint
from models.architectures import registered
from models.checkpoint import BadCheckpoint
from models.spec import Spec
from tests.models.program.documents import SIDE, document, node, weight

SPEC = Spec("squeezenet1_1", ("ant", "bee", "cat"), input_size=32, resize=36)


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to connect fails the test."""
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("a checkpoint was loaded, and connected"))


def write(file: Path, spec: dict[str, Any], weights: dict[str, Tensor], **header: Any) -> Path:
    """Write a checkpoint whose header has these values, whatever they are."""
    values = {"spec": spec, "provenance": {}, "golden": [[0.0] * 3] * 4, **header}
    save_file(
        weights, file, {"mirage": checkpoint.FORMAT, **{name: json.dumps(value) for name, value in values.items()}}
    )
    return file


def hostile(file: Path, weights: dict[str, Tensor] | None = None, **fields: Any) -> str:
    """Return why a checkpoint with these fields of the spec is refused."""
    plain = {"architecture": SPEC.architecture, "classes": SPEC.classes, "input_size": 32, "resize": 36}
    write(file, {**plain, **fields}, weights or {"a": torch.zeros(1)})
    with pytest.raises(BadCheckpoint, match=file.name) as refused:
        checkpoint.load(file)
    return str(refused.value)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "hostile.safetensors"


@pytest.mark.parametrize(
    "name",
    ["timm/hf-hub:owner/model", "timm/hf_hub:owner/model", "timm/local-dir:/tmp", "timm/../x", "timm/", "timm/no_such"],
)
def test_networks_of_timm_are_those_of_its_code(file: Path, name: str) -> None:
    """timm itself would download, or read a folder."""
    pytest.importorskip("timm")
    assert "timm has no network called" in hostile(file, architecture=name)


@pytest.mark.parametrize(
    "configuration",
    [
        {"checkpoint_path": "/etc/passwd"},
        {"pretrained": True},
        {"pretrained_cfg": {"file": "/tmp/evil.pth"}},
        {"pretrained_cfg_overlay": {"hf_hub_id": "owner/model"}},
        {"cache_dir": "/tmp"},
        {"scriptable": True},
        {"features_only": True},
        {"in_chans": 10**9},
        {"num_classes": 10**9},
        {"img_size": 10**6},
        {"img_size": 0},
        {"img_size": True},
        {"img_size": [160, 10**6]},
        {"img_size": "160"},
    ],
    ids=str,
)
def test_networks_of_timm_take_a_size_and_nothing_else(file: Path, configuration: dict[str, Any]) -> None:
    pytest.importorskip("timm")
    (name,) = configuration
    reason = hostile(file, architecture="timm/test_vit", configuration=configuration)
    assert f"timm/test_vit takes no {name}=" in reason


def test_a_network_that_is_too_large_for_its_weights_is_never_built(file: Path) -> None:
    """Its sizes are in the configuration, or it has a million classes: there are gigabytes in neither case."""
    pytest.importorskip("timm")
    reason = hostile(file, architecture="timm/gmlp_s16_224", configuration={"img_size": 2048})
    assert "TooLarge: the network makes a tensor of 16384 x 16384 numbers" in reason
    many = tuple(map(str, range(1_000_000)))
    assert "for another number of classes than 1,000,000" in hostile(file, architecture="resnet50", classes=many)
    empty = {"fc.weight": torch.zeros(1_000_000, 0)}
    assert "for another number of classes" in hostile(file, empty, architecture="resnet50", classes=many)


def test_whatever_a_network_raises_the_checkpoint_is_bad(file: Path) -> None:
    """A size is divided by 0, and a three-dimensional convolution takes no pictures."""
    divided = document(
        [node("aten.sym_size.int", "pixels", 0, to="rows"), node("operator.floordiv", "rows", 0, to="logits")],
        [weight("a", 1)],
    )
    fields = {"architecture": architectures.EXPORTED, "input_size": 16, "resize": 16}
    divided["pixels"]["shape"] = [None, 3, 16, 16]
    reason = hostile(file, **fields, configuration=divided)
    assert "takes no pictures" in reason and "by zero" in reason
    kernel = weight("kernel", 3, 3, 1, 1, 1)
    volumes = document([node("aten.conv3d.default", "pixels", "kernel", to="logits")], [kernel])
    volumes["pixels"]["shape"] = [None, 3, 16, 16]
    reason = hostile(file, {"kernel": torch.zeros(3, 3, 1, 1, 1)}, **fields, configuration=volumes)
    assert "takes no pictures" in reason


@pytest.mark.parametrize(
    "configuration",
    [
        {"auto_map": {"AutoConfig": "evil.Evil"}},
        {"quantization_config": {"quant_method": "bitsandbytes"}},
        {"_attn_implementation": "owner/kernel"},
        {"attn_implementation": "owner/kernel"},
        {"_experts_implementation": "owner/kernel"},
        {"dtype": "float64"},
        {"torch_dtype": "float16"},
        {"model_type": "gpt2"},
    ],
    ids=str,
)
def test_networks_of_transformers_take_no_entries_that_lead_elsewhere(
    file: Path, configuration: dict[str, Any]
) -> None:
    """An import leaves them out, so that none of its checkpoints has them."""
    pytest.importorskip("transformers")
    (name,) = configuration
    reason = hostile(file, architecture="transformers/vit", configuration=configuration)
    assert f"the configuration of transformers/vit has {name}: import the model again" in reason


@pytest.mark.parametrize("kind", ["gpt2", "timm_wrapper", "", "no_such_type", "../vit", "vit/../../x"])
def test_types_that_transformers_has_no_image_classifier_of(file: Path, kind: str) -> None:
    pytest.importorskip("transformers")
    assert "has no image classifier of the type" in hostile(file, architecture=f"transformers/{kind}")


@pytest.mark.parametrize(
    "configuration",
    [
        {"hidden_size": 10**8},
        {"num_hidden_layers": 10**8},
        {"image_size": 10**8},
        {"hidden_size": "large"},
        {"hidden_size": -1},
        {"patch_size": 0},
        {"hidden_act": "no_such_function"},
        {"architectures": 5},
        {"num_attention_heads": 7},
    ],
    ids=str,
)
def test_configurations_with_which_transformers_builds_nothing(file: Path, configuration: dict[str, Any]) -> None:
    """Those of networks that would fill the memory among them: they are far larger than the weights in the file."""
    pytest.importorskip("transformers")
    reason = hostile(file, architecture="transformers/vit", configuration=configuration)
    assert "transformers cannot build transformers/vit" in reason or "is known" in reason


@pytest.mark.parametrize(
    ("architecture", "configuration"),
    [
        ("squeezenet1_1", {"weights": "DEFAULT"}),
        ("resnet18", {"weights": "DEFAULT"}),
        ("resnet18", {"published": "yes"}),
        ("mobilenet_v2", {"image_size": 64}),
        ("vit_b_32", {"image_size": 10**8}),
        ("googlenet", {"aux_logits": True}),
        ("squeezenet1_1", {"published": True, "x": 1}),
    ],
)
def test_networks_of_torchvision_take_few_entries(file: Path, architecture: str, configuration: dict[str, Any]) -> None:
    reason = hostile(file, architecture=architecture, configuration=configuration)
    assert f"{architecture} takes no " in reason


@pytest.mark.parametrize("name", ["no_such_network", "", "os.system", "__import__('os')", "raft_large", "/etc/passwd"])
def test_names_that_nobody_has_registered(file: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do where it is a network of one's own."""
    assert "MIRAGE_ARCHITECTURES=package.module:function" in hostile(file, architecture=name)


def test_a_registered_network_takes_no_configuration(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that fails, or that has other weights, is a BadCheckpoint too."""
    added: dict[str, Callable[[int], Any]] = {"mine": lambda classes: nn.Linear(2, classes)}
    monkeypatch.setattr(registered, "_added", {**added, "fails": lambda classes: 1 / 0})
    assert "takes no configuration" in hostile(file, architecture="mine", configuration={"command": "rm"})
    assert "fails for 3 classes (ZeroDivisionError" in hostile(file, architecture="fails")
    assert "these weights are not of this architecture" in hostile(file, architecture="mine")


LINEAR = [node("aten.flatten.using_ints", "pixels", (1,), to="rows"),
          node("aten.linear.default", "rows", "weight", to="logits")]  # fmt: skip
WEIGHTS = [weight("weight", 3, 3 * SIDE * SIDE)]


@pytest.mark.parametrize(
    "configuration",
    [
        {},
        {"nodes": "os.system"},
        document([], WEIGHTS),
        document([node("aten.no_such_operator.default", "pixels", to="logits")], WEIGHTS),
        document([node("os.system", "pixels", to="logits")], WEIGHTS),
        document([node("aten.linear.default", "pixels", "no_such_value", to="logits")], WEIGHTS),
        {**document(LINEAR, WEIGHTS), "output": "no_such_value"},
        {**document(LINEAR, WEIGHTS), "version": 99},
        document(LINEAR, [weight("weight", 3, 10**9)]),
        document(LINEAR, [weight("other", 3, 48)]),
    ],
)
def test_bad_programs(file: Path, configuration: dict[str, Any]) -> None:
    """tests/models/program has many more; here the error is that of a checkpoint, before anything is computed."""
    assert hostile(file, {"weight": torch.zeros(3, 48)}, architecture="exported", configuration=configuration)


@pytest.mark.parametrize(
    "fields",
    [
        {"input_size": 10**9},
        {"input_size": [32, 0]},
        {"resize": -1},
        {"classes": []},
        {"classes": "cats"},
        {"mean": [0.5] * 7},
        {"std": [0.0] * 3},
        {"colours": "../RGB"},
        {"interpolation": "os.system"},
        {"outputs": "code"},
        {"configuration": []},
        {"configuration": None},
        {"no_such_field": 1},
        {"differentiable": "yes"},
        {"temperature": 0},
        {"architecture": 5},
    ],
    ids=str,
)
def test_values_that_no_spec_has(file: Path, fields: dict[str, Any]) -> None:
    assert "has a damaged header" in hostile(file, **fields)


@pytest.mark.parametrize("content", ["[" * 100_000, "{", "null", "5", '{"architecture": "squeezenet1_1"}', ""])
def test_headers_that_are_no_json_of_a_spec(file: Path, content: str) -> None:
    save_file(
        {"a": torch.zeros(1)}, file, {"mirage": checkpoint.FORMAT, "spec": content, "provenance": "{}", "golden": "[]"}
    )
    with pytest.raises(BadCheckpoint, match="has a damaged header"):
        checkpoint.load(file)


def test_an_input_that_the_network_cannot_take(file: Path, squeezenet: nn.Module) -> None:
    """Its last pooling has nothing left of 16 pixels; a spec of 16 is valid for other networks."""
    reason = hostile(file, dict(squeezenet.state_dict()), input_size=16, resize=16)
    assert "has a network that takes no pictures of (16, 16) pixels" in reason and "train or import it again" in reason


def test_other_golden_logits(file: Path, squeezenet: nn.Module) -> None:
    """Those of four pictures and three classes are expected."""
    weights = dict(squeezenet.state_dict())
    for golden in ([], [[0.0] * 3] * 3, [[0.0] * 9] * 4, [[1e9] * 3] * 4):
        write(
            file,
            {"architecture": "squeezenet1_1", "classes": SPEC.classes, "input_size": 32, "resize": 36},
            weights,
            golden=golden,
        )
        with pytest.raises(BadCheckpoint, match="gives other logits here"):
            checkpoint.load(file)


@pytest.mark.parametrize("provenance", [{"parent": None}, {"parent": "x"}, {"metrics": 5}, {"source": []}])
def test_a_provenance_is_any_json(tmp_path: Path, squeezenet: nn.Module, provenance: dict[str, Any]) -> None:
    """Nothing is computed with it."""
    checkpoint.save(tmp_path / "x.safetensors", squeezenet, SPEC, provenance)
    assert checkpoint.load(tmp_path / "x.safetensors")[1].provenance == provenance
    assert architectures.build("squeezenet1_1", 3) is not None
