"""Pretrained weights from a file, from a checkpoint, or as torchvision publishes them."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import get_model

from models import architectures, checkpoint
from models.classifier import Classifier
from models.spec import Spec
from tests.foreign_networks import timm_network
from training.importing.contents import BadWeightsFile
from training.pretrained import BadPretrainedWeights, load_pretrained

NET = "squeezenet1_1"


def test_a_state_dict_is_read(tmp_path: Path, squeezenet: nn.Module) -> None:
    torch.save(squeezenet.state_dict(), tmp_path / "own.pth")
    pretrained = load_pretrained(NET, tmp_path / "own.pth", None)
    assert (pretrained.name, pretrained.licence) == ("own", "unknown")
    assert pretrained.digest == hashlib.sha256((tmp_path / "own.pth").read_bytes()).hexdigest()
    assert all(torch.equal(pretrained.weights[key], tensor) for key, tensor in squeezenet.state_dict().items())
    assert pretrained.spec.input_size == 224


def test_weights_inside_the_dictionary_of_a_training_script_are_read(tmp_path: Path, squeezenet: nn.Module) -> None:
    torch.save({"epoch": 3, "state_dict": squeezenet.state_dict()}, tmp_path / "wrapped.pth")
    assert set(load_pretrained(NET, tmp_path / "wrapped.pth", None).weights) == set(squeezenet.state_dict())


def test_the_licence_comes_from_the_file_or_from_the_option(tmp_path: Path, squeezenet: nn.Module) -> None:
    save_file(dict(squeezenet.state_dict()), tmp_path / "licensed.safetensors", {"license": "MIT"})
    assert load_pretrained(NET, tmp_path / "licensed.safetensors", None).licence == "MIT"
    assert load_pretrained(NET, tmp_path / "licensed.safetensors", "Apache-2.0").licence == "Apache-2.0"


def test_a_checkpoint_brings_its_preprocessing_and_licence(
    tmp_path: Path, squeezenet: nn.Module, squeezenet_spec: Spec
) -> None:
    file = tmp_path / "older.safetensors"
    checkpoint.save(file, squeezenet, squeezenet_spec, {"parent": {"licence": "BSD-3-Clause"}})
    pretrained = load_pretrained(NET, file, None)
    assert pretrained.spec == squeezenet_spec and pretrained.licence == "BSD-3-Clause"
    assert all(tensor.dtype == torch.float32 for tensor in pretrained.weights.values())
    with pytest.raises(BadPretrainedWeights, match="is a squeezenet1_1, not a mobilenet_v2"):
        load_pretrained("mobilenet_v2", file, None)


def test_code_in_a_file_is_not_run(tmp_path: Path) -> None:
    torch.save(nn.Linear(1, 1), tmp_path / "whole_module.pth")
    with pytest.raises(BadWeightsFile, match="more than weights"):
        load_pretrained(NET, tmp_path / "whole_module.pth", None)


@pytest.mark.parametrize("name", ["broken.pth", "broken.safetensors", "missing.pth"])
def test_unreadable_files_are_refused(tmp_path: Path, name: str) -> None:
    if "broken" in name:
        (tmp_path / name).write_bytes(b"no weights")
    with pytest.raises(BadWeightsFile):
        load_pretrained(NET, tmp_path / name, None)


def test_without_a_file_the_weights_are_torchvisions(imagenet_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read from torchvision's cache folder."""
    monkeypatch.setenv("TORCH_HOME", str(imagenet_home))
    pretrained = load_pretrained(NET, None, None)
    assert pretrained.name == "torchvision SqueezeNet1_1_Weights.IMAGENET1K_V1"
    assert "BSD-3-Clause" in pretrained.licence and len(pretrained.digest) == 64
    architectures.load_exactly(architectures.build(NET, 1000), pretrained.weights)


@pytest.mark.parametrize("prefix", ["module.", "_orig_mod.", "model."])
def test_prefixes_of_wrappers_are_left_out(tmp_path: Path, squeezenet: nn.Module, prefix: str) -> None:
    weights = {f"{prefix}{key}": tensor for key, tensor in squeezenet.state_dict().items()}
    torch.save({"model": weights}, tmp_path / "wrapped.pth")
    pretrained = load_pretrained(NET, tmp_path / "wrapped.pth", None)
    network = pretrained.network(pretrained.spec)
    assert torch.equal(network.state_dict()["features.0.weight"], squeezenet.state_dict()["features.0.weight"])


def test_what_is_beside_the_network_in_a_lightning_module_is_left_out_with_a_warning(
    tmp_path: Path, squeezenet: nn.Module
) -> None:
    weights = {f"model.{key}": tensor for key, tensor in squeezenet.state_dict().items()}
    torch.save({**weights, "loss.class_weights": torch.ones(1000)}, tmp_path / "lightning.ckpt")
    pretrained = load_pretrained(NET, tmp_path / "lightning.ckpt", None)
    assert pretrained.warnings == (
        "weights that do not begin with 'model.' are left out (1: loss.class_weights), as those of a loss or a metric",
    )
    assert set(pretrained.weights) == set(squeezenet.state_dict())


@pytest.mark.parametrize(("outputs", "names"), [(1, ["cat", "dog"]), (1, None), (1001, None), (4, ["", "b", "c", "d"])])
def test_the_outputs_of_timms_weights_do_not_matter(tmp_path: Path, outputs: int, names: list[str] | None) -> None:
    """The head is replaced: the new network has no background, and is not one of several labels, or of one output."""
    pytest.importorskip("timm")
    torch.save({"model": timm_network("test_vit", outputs).state_dict(), "classes": names}, tmp_path / "weights.pth")
    pretrained = load_pretrained("timm/test_vit", tmp_path / "weights.pth", None)
    spec = replace(pretrained.spec, classes=("a", "b", "c"))
    assert not (spec.background or spec.multi_label or spec.binary)
    assert Classifier(pretrained.network(spec), spec).logits(torch.rand(2, 3, 160, 160)).shape == (2, 3)


def test_a_vision_transformer_of_another_size_keeps_it(tmp_path: Path) -> None:
    """64 pixels in place of 224, resized from 73 in place of 256: its weights have fewer positions."""
    network = get_model("vit_b_32", num_classes=3, image_size=64)
    torch.save(network.state_dict(), tmp_path / "vit.pth")
    pretrained = load_pretrained("vit_b_32", tmp_path / "vit.pth", None)
    assert (pretrained.spec.input_size, pretrained.spec.resize) == (64, 73)
    built = pretrained.network(replace(pretrained.spec, classes=("a", "b")))
    assert torch.equal(built.encoder.pos_embedding, network.encoder.pos_embedding)


def test_weights_of_another_network_say_what_does_not_fit(tmp_path: Path, squeezenet: nn.Module) -> None:
    torch.save(squeezenet.state_dict(), tmp_path / "own.pth")
    pretrained = load_pretrained("resnet18", tmp_path / "own.pth", None)
    with pytest.raises(architectures.BadWeights, match=r"missing: .*unknown: "):
        pretrained.network(pretrained.spec)


@pytest.mark.parametrize("parent", [None, "a name", ["licence"], {"name": "x"}])
def test_a_checkpoint_without_a_licence(
    tmp_path: Path, squeezenet: nn.Module, squeezenet_spec: Spec, parent: object
) -> None:
    """Its provenance may be any JSON, since it may come from anywhere."""
    checkpoint.save(tmp_path / "x.safetensors", squeezenet, squeezenet_spec, {"parent": parent})
    assert load_pretrained(NET, tmp_path / "x.safetensors", None).licence == "unknown"
    assert load_pretrained(NET, tmp_path / "x.safetensors", "MIT").licence == "MIT"


def test_a_checkpoint_of_other_outputs_trains_logits(
    tmp_path: Path, squeezenet: nn.Module, squeezenet_spec: Spec
) -> None:
    """Probabilities, labels, a background class and missing gradients are of the head that is replaced."""
    spec = replace(squeezenet_spec, classes=("a", "b"), outputs="probabilities", multi_label=True, background=True)
    checkpoint.save(tmp_path / "x.safetensors", squeezenet, spec, {})
    trained = load_pretrained(NET, tmp_path / "x.safetensors", None).spec
    assert (trained.outputs, trained.multi_label, trained.background) == ("logits", False, False)
    assert trained.mean == spec.mean and trained.classes == spec.classes


def test_a_binary_checkpoint_trains_logits_of_two_classes(tmp_path: Path, squeezenet_spec: Spec) -> None:
    spec = replace(squeezenet_spec, classes=("a", "b"), binary=True)
    network = architectures.build(NET, 1)
    checkpoint.save(tmp_path / "x.safetensors", network, spec, {}, dtype=None)
    pretrained = load_pretrained(NET, tmp_path / "x.safetensors", None)
    assert not pretrained.spec.binary
    built, pixels = pretrained.network(pretrained.spec).eval(), torch.rand(1, 3, 64, 64)
    assert built(pixels).shape == (1, 2)
    torch.testing.assert_close(architectures.features(built, pixels), architectures.features(network.eval(), pixels))
