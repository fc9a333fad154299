"""What becomes of timm's networks: sizes, channels, classes, and published weights from a cache."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models import store
from models.architectures import BadWeights, UnknownArchitecture, timm_networks
from models.classifier import Classifier
from models.store import WeightsUnavailable
from tests.foreign_networks import photos, timm_network
from tests.training.importing.weight_files import prefixed
from tests.training.runs import REPOSITORY
from training.importing.agreement import compare
from training.importing.sources import timm_models
from training.importing.weights_file import WeightsFile
from training.pretrained import load_pretrained

timm = pytest.importorskip("timm")


def read(name: str, network: nn.Module, classes: tuple[str, ...] | None = None) -> timm_models.SourceModel:
    return timm_models.from_weights(f"timm/{name}", WeightsFile(network.state_dict()), classes, {})


def test_the_spec_is_timms_own_configuration() -> None:
    """For test_vit: 160 pixels of floor(160 / 0.95) = 168, bicubic, and values from -1 to 1."""
    model = read("test_vit", timm_network("test_vit"), tuple("abcdefg"))
    configuration = model.network.pretrained_cfg
    assert (model.spec.input_size, model.spec.resize, model.spec.resize_mode) == (160, 168, "crop")
    assert (model.spec.interpolation, model.spec.mean) == (configuration["interpolation"], configuration["mean"])
    assert (model.source["kind"], model.source["versions"]) == ("timm", {"timm": timm.__version__})


@pytest.mark.parametrize("channels", [1, 2, 4])
def test_other_channels_have_a_normalisation_of_their_own(channels: int) -> None:
    """timm states the one for three; its transforms make colours, so that there is nothing to compare with."""
    network = timm_network("test_resnet", in_chans=channels)
    model = read("test_resnet", network)
    assert model.spec.channels == channels and model.preprocessing is None
    pixels = torch.rand(2, channels, 160, 160)
    with torch.no_grad():
        assert torch.equal(model.network(pixels), network(pixels))
        assert Classifier(model.network, model.spec).logits(torch.rand(1, 3, 160, 160)).shape == (1, 7)


@pytest.mark.parametrize("side", [96, 128, 224])
def test_a_vision_transformer_of_another_size(side: int) -> None:
    """Found by the number of its positions. timm rounds side / 0.95 down: 235 for 224, for example."""
    network = timm_network("test_vit", img_size=side)
    model = read("test_vit", network, tuple("abcdefg"))
    assert (model.spec.input_size, model.spec.resize) == (side, int(side / 0.95))
    assert model.spec.configuration == {"img_size": side} and model.preprocessing is not None
    agreement = compare(model, Classifier(model.network, model.spec), model.preprocessing, photos()[:3])
    assert agreement.holds


@pytest.mark.parametrize("shape", [(1, 0, 64), (1, 1, 64), (1, 3, 64), (101, 64), (), (1, 10**6, 64)])
def test_positions_of_no_size_are_refused(shape: tuple[int, ...]) -> None:
    weights = {**timm_network("test_vit").state_dict(), "pos_embed": torch.empty(shape, device="meta")}
    with pytest.raises(BadWeights, match="pos_embed"):
        timm_models.from_weights("timm/test_vit", WeightsFile(weights), None, {})


@pytest.mark.parametrize("shape", [(), (7,), (0, 64), (7, 3)])
def test_a_head_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    weights = {**timm_network("test_vit").state_dict(), "head.weight": torch.zeros(shape)}
    with pytest.raises(BadWeights, match=r"head\.weight"):
        timm_models.from_weights("timm/test_vit", WeightsFile(weights), None, {})


@pytest.mark.parametrize("container", ["1", "drop.0"])
def test_a_head_inside_a_sequential_is_found(container: str) -> None:
    """A script has put a dropout before it: the logits are the same."""
    network = timm_network("test_vit")
    weights = {key.replace("head.", f"head.{container}."): tensor for key, tensor in network.state_dict().items()}
    model = timm_models.from_weights("timm/test_vit", WeightsFile(weights), tuple("abcdefg"), {})
    pixels = torch.rand(2, 3, 160, 160)
    with torch.no_grad():
        assert torch.equal(model.network(pixels), network(pixels))


def test_a_metric_beside_the_network_is_left_out() -> None:
    network = timm_network("test_vit")
    weights = {**prefixed(network.state_dict(), "model."), "accuracy.tp": torch.zeros(1)}
    model = timm_models.from_weights("timm/test_vit", WeightsFile(weights), tuple("abcdefg"), {})
    assert model.warnings == (
        "weights that do not begin with 'model.' are left out (1: accuracy.tp), as those of a loss or a metric",
    )
    assert model.left_out == model.warnings


def test_classes_of_timms_own_weights_are_taken_with_a_warning() -> None:
    """The 11,821 classes of a subset of ImageNet in timm's order, and the 1000 that are the same in every library."""
    for name, outputs, text in (
        ("convnext_nano.in12k", 11821, "the 11821 outputs of the network are taken to be the classes of timm's own"),
        ("test_resnet", 1000, "the 1000 outputs of the network are taken to be the classes of ImageNet-1k"),
    ):
        weights = timm_network(name, outputs).state_dict()
        model = timm_models.from_weights(f"timm/{name}", WeightsFile(weights), None, {})
        assert len(model.spec.classes) == outputs and len(model.warnings) == 1 and text in model.warnings[0]


def test_half_precision_is_computed_in_float32() -> None:
    network = timm_network("test_resnet").half()
    model = read("test_resnet", network)
    assert all(parameter.dtype == torch.float32 for parameter in model.network.parameters())


@pytest.mark.parametrize(
    ("name", "outputs", "first"),
    [("test_resnet", 1000, "tench"), ("test_resnet", 5, "0"), ("test_resnet.r160_in1k", 1000, "tench")],
)
def test_names_of_the_classes(name: str, outputs: int, first: str) -> None:
    """A thousand outputs are ImageNet's, by torchvision's names, which have synonyms here."""
    model = read(name, timm.create_model("test_resnet", num_classes=outputs))
    assert model.spec.classes[0] == first and len(model.spec.classes) == outputs


def test_one_output_is_a_label() -> None:
    model = read("test_resnet", timm_network("test_resnet", 1), ("hot dog",))
    assert model.spec.multi_label and model.spec.classes == ("hot dog",)


# Published weights, in a cache as the Hugging Face Hub's library lays it out.


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the empty cache of a machine without internet."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    yield tmp_path / "hub"


def cached(hub: Path, name: str, tag: str, weights: dict[str, Tensor], **configuration: Any) -> None:
    """Put weights into the cache, as they are after `timm.create_model(name, pretrained=True)`."""
    repository, revision = hub / f"models--timm--{name}.{tag}", "0123456789" * 4
    folder = repository / "snapshots" / revision
    folder.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(revision)
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"architecture": name, **configuration}))


@pytest.fixture
def published(hub: Path) -> nn.Module:
    """Return a network whose weights are in the cache."""
    network = timm_network("test_resnet", 1000)
    cached(hub, "test_resnet", "r160_in1k", {key: tensor.clone() for key, tensor in network.state_dict().items()})
    return network


@pytest.mark.parametrize("name", ["timm/test_resnet", "timm/test_resnet.r160_in1k"])
def test_a_model_of_timm_is_served_from_the_cache(published: nn.Module, name: str) -> None:
    """Without internet, and with timm's own logits."""
    model = store.load(name)
    assert (model.name, model.spec.classes[0], len(model.spec.classes)) == (name, "tench", 1000)
    assert model.provenance["parent"]["name"] == "timm timm/test_resnet.r160_in1k"
    pixels = torch.rand(2, 3, *model.spec.size)
    mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in (model.spec.mean, model.spec.std))
    with torch.no_grad():
        expected = published((pixels - mean) / std)
    torch.testing.assert_close(model.classifier.logits(pixels), expected, rtol=1e-3, atol=1e-4)


def test_a_model_of_timm_is_imported_and_trained_from_the_cache(published: nn.Module) -> None:
    """Both take the same weights, and the licence that timm states."""
    model = timm_models.published("timm/test_resnet", None)
    assert model.source["name"] == "timm/test_resnet.r160_in1k" and model.spec.classes[0] == "tench"
    pretrained = load_pretrained("timm/test_resnet", None, None)
    assert pretrained.licence == model.source["licence"] and pretrained.name == "timm timm/test_resnet.r160_in1k"
    for weights in (model.network.state_dict(), pretrained.weights):
        assert all(torch.equal(weights[key], tensor) for key, tensor in published.state_dict().items())


def test_without_internet_the_message_says_what_to_do(hub: Path) -> None:
    """Import from a file; a model of the cache's is another one."""
    with pytest.raises(
        WeightsUnavailable, match=r"cannot be downloaded or read .*: give a file of weights, and --arch"
    ):
        timm_models.published("timm/test_resnet", None)
    with pytest.raises(WeightsUnavailable, match="python -m training import FILE --architecture timm/test_resnet"):
        store.load("timm/test_resnet")
    with pytest.raises(WeightsUnavailable):
        load_pretrained("timm/test_resnet", None, None)


def test_damaged_weights_in_the_cache(hub: Path) -> None:
    cached(hub, "test_resnet", "r160_in1k", {"a": torch.zeros(1)})
    with pytest.raises(WeightsUnavailable, match="cannot be downloaded or read"):
        store.load("timm/test_resnet")


@pytest.mark.parametrize("name", ["timm/no_such_network", "timm/hf-hub:timm/test_resnet", "timm/local-dir:/tmp"])
def test_unknown_names_of_timm(hub: Path, name: str) -> None:
    with pytest.raises(store.UnknownModel, match="timm has no network called"):
        store.load(name)
    with pytest.raises(UnknownArchitecture):
        timm_models.published(name, None)
    with pytest.raises(UnknownArchitecture):
        timm_networks.spec(name, ("a", "b"))


@pytest.mark.slow
def test_the_environment_names_the_cache(published: nn.Module, hub: Path, tmp_path: Path) -> None:
    """HF_HOME and HF_HUB_OFFLINE, as an operator sets them, in a process of its own: without the weights it says so."""
    code = "from models.store import load\nmodel = load({name!r})\nprint(model.name, len(model.spec.classes))"
    environment = {**os.environ, "HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(REPOSITORY)}
    outcomes = [
        subprocess.run([sys.executable, "-c", code.format(name=name)], env=environment, capture_output=True, text=True)
        for name in ("timm/test_resnet", "timm/test_vit")
    ]
    assert outcomes[0].stdout.split() == ["timm/test_resnet", "1000"], outcomes[0].stderr
    assert (
        outcomes[1].returncode == 1
        and "WeightsUnavailable: the weights of timm/test_vit cannot be" in outcomes[1].stderr
    )
