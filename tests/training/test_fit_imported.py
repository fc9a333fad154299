"""Fine-tuning from models that were trained elsewhere: with weights from a file, or from an imported checkpoint."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models import architectures, checkpoint
from models.architectures import BadWeights, registered
from models.checkpoint import Checkpoint
from tests.foreign_networks import save, timm_network, transformers_network
from tests.training.drawn import write_gratings
from tests.training.importing.importing import run
from tests.training.importing.programs.programs import export, small
from tests.training.importing.sources.folders import SIDE, tiny_config, tiny_processor
from tests.training.importing.weight_files import source_network, write
from tests.training.runs import RECIPE, fit_options, fit_to_end
from training.importing.options import SpecOptions
from training.pretrained import BadPretrainedWeights

pytestmark = pytest.mark.usefixtures("without_report")


@pytest.fixture(scope="module")
def gratings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Reddish and bluish stripes, which a linear layer on features of any kind can tell apart."""
    return write_gratings(tmp_path_factory.mktemp("data") / "gratings", {"Reddish": 12, "Bluish": 12})


def fine_tuned(place: Path, data: Path, weights: Path, architecture: str, **recipe: Any) -> Checkpoint:
    """Run for three epochs; every test photo is classified correctly, and the checkpoint loads."""
    chosen = replace(RECIPE, **recipe)
    options = fit_options(place, data, weights, architecture=architecture, recipe=chosen)
    metrics = fit_to_end(options)
    assert metrics.accuracy == 1.0
    _, stored = checkpoint.load(options.output)
    assert stored.spec.classes == ("Bluish", "Reddish") and stored.spec.architecture == architecture
    assert stored.spec.outputs == "logits" and not stored.spec.multi_label and stored.spec.differentiable
    return stored


def backbone_has_moved(stored: Checkpoint, weights: dict[str, Tensor]) -> bool:
    """Whether some layer before the head has other weights than those that training began with."""
    shared = [key for key in stored.weights if key in weights and weights[key].shape == stored.weights[key].shape]
    return len(shared) > 3 and any(not torch.equal(stored.weights[key].float(), weights[key]) for key in shared)


@pytest.mark.parametrize("grey", [False, True], ids=["colours", "grey"])
@pytest.mark.parametrize("name", ["test_resnet", pytest.param("test_convnext", marks=pytest.mark.slow)])
def test_a_network_of_timm_with_weights_from_a_file(tmp_path: Path, gratings: Path, name: str, grey: bool) -> None:
    """In grey the weights of the first layer are summed over the colours, and it learns the direction of stripes."""
    pytest.importorskip("timm")
    network = timm_network(name, 5)
    file = write(tmp_path / "weights.pth", {"model": network.state_dict()})
    stored = fine_tuned(tmp_path, gratings, file, f"timm/{name}", grey=grey)
    assert stored.spec.channels == (1 if grey else 3) and stored.spec.input_size == 48
    assert stored.spec.interpolation == network.pretrained_cfg["interpolation"]
    assert backbone_has_moved(stored, dict(network.state_dict()))
    assert stored.provenance["parent"]["name"] == "weights"


@pytest.mark.slow
def test_a_vision_transformer_of_timm_takes_its_own_size_alone(tmp_path: Path, gratings: Path) -> None:
    """Early epochs train at the full size then, and another size is an error with what to do."""
    pytest.importorskip("timm")
    name = "timm/vit_tiny_patch16_224"
    file = write(tmp_path / "weights.pth", timm_network("vit_tiny_patch16_224", 5).state_dict())
    with pytest.raises(
        BadPretrainedWeights, match=r"takes no pictures of 48 x 48 pixels in RGB .*: give another --inp"
    ):
        fine_tuned(tmp_path / "other", gratings, file, name)
    assert fine_tuned(tmp_path, gratings, file, name, input_size=None, epochs=2).spec.input_size == 224


def test_an_imported_squeezenet_loses_the_relu_behind_its_head(tmp_path: Path, gratings: Path) -> None:
    """torchvision has one there, with which a logit below 0 could not be learned."""
    file = write(tmp_path / "w.pth", source_network("squeezenet1_1").state_dict())
    run(file, tmp_path / "imported.safetensors", classes="a,b,c,d,e,f,g")
    imported = checkpoint.read(tmp_path / "imported.safetensors")
    assert imported.spec.configuration == {"published": True}
    stored = fine_tuned(tmp_path, gratings, tmp_path / "imported.safetensors", "squeezenet1_1")
    assert dict(stored.spec.configuration) == {}
    network = architectures.build("squeezenet1_1", 2)
    assert isinstance(network.classifier[2], nn.Identity)
    assert stored.provenance["parent"]["name"] == "imported"


def test_an_imported_network_of_timm(tmp_path: Path, gratings: Path) -> None:
    pytest.importorskip("timm")
    file = write(tmp_path / "w.pth", timm_network("test_resnet", 5).state_dict())
    run(file, tmp_path / "imported.safetensors", architecture="timm/test_resnet", classes="a,b,c,d,e", licence="MIT")
    stored = fine_tuned(tmp_path, gratings, tmp_path / "imported.safetensors", "timm/test_resnet")
    assert stored.provenance["parent"]["licence"] == "MIT"


def test_an_imported_network_of_transformers(tmp_path: Path, gratings: Path) -> None:
    """At its own size, 32 pixels; its configuration goes on into the new checkpoint."""
    pytest.importorskip("transformers")
    folder = save(tmp_path / "model", transformers_network(tiny_config(), SIDE), tiny_processor())
    run(folder, tmp_path / "imported.safetensors")
    imported = tmp_path / "imported.safetensors"
    stored = fine_tuned(tmp_path, gratings, imported, "transformers/vit", input_size=None)
    assert stored.spec.input_size == SIDE and stored.spec.configuration["hidden_size"] == 24
    assert stored.spec.resize_mode == "squash"
    with pytest.raises(BadPretrainedWeights, match="takes no pictures of 48 x 48 pixels"):
        fine_tuned(tmp_path / "other", gratings, imported, "transformers/vit")


class Labels(nn.Module):
    """A network of one's own with the probabilities of several labels."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.convolution, self.head = nn.Conv2d(3, 8, 5, stride=4), nn.Linear(8, classes)

    def forward(self, pixels: Tensor) -> Tensor:
        return self.head(self.convolution(pixels).relu().mean(dim=(2, 3)))


@pytest.mark.parametrize("classes", ["hot dog,", "a,b,c"], ids=["one label", "three labels"])
def test_a_network_of_several_labels_learns_classes(
    tmp_path: Path, gratings: Path, monkeypatch: pytest.MonkeyPatch, classes: str
) -> None:
    """The new head has one logit for each class, of which a softmax is taken."""
    monkeypatch.setattr(registered, "_added", {"mine": Labels})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = Labels(classes.removesuffix(",").count(",") + 1)
    file = write(tmp_path / "w.pth", network.state_dict())
    options = SpecOptions(multi_label=True, input_size="48")
    run(file, tmp_path / "imported.safetensors", architecture="mine", classes=classes, spec=options)
    assert checkpoint.read(tmp_path / "imported.safetensors").spec.multi_label
    fine_tuned(tmp_path, gratings, tmp_path / "imported.safetensors", "mine")


def test_a_head_that_cannot_be_replaced_is_refused(tmp_path: Path, gratings: Path) -> None:
    """A distilled DeiT returns the mean of two heads."""
    pytest.importorskip("timm")
    file = write(tmp_path / "w.pth", timm_network("deit_tiny_distilled_patch16_224", 5).state_dict())
    with pytest.raises(BadWeights, match="its head cannot be replaced: it can be imported and served, but not trained"):
        fine_tuned(tmp_path, gratings, file, "timm/deit_tiny_distilled_patch16_224", input_size=None)


def test_a_program_is_not_trained(tmp_path: Path, gratings: Path) -> None:
    run(export(small(), tmp_path / "p.pt2"), tmp_path / "imported.safetensors", classes="a,b,c,d")
    for architecture in ("exported", "mobilenet_v2"):
        with pytest.raises(
            BadPretrainedWeights, match="is an exported program, whose head cannot be replaced: import the"
        ):
            fine_tuned(tmp_path, gratings, tmp_path / "imported.safetensors", architecture)


def test_weights_of_networks_without_a_known_preprocessing_are_imported_first(
    tmp_path: Path, gratings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registered, "_added", {"mine": Labels})
    file = write(tmp_path / "w.pth", Labels(2).state_dict())
    for architecture in ("mine", "transformers/vit"):
        with pytest.raises(
            BadPretrainedWeights, match=f"how pictures are preprocessed for {architecture}: import the we"
        ):
            fine_tuned(tmp_path, gratings, file, architecture)


def test_an_exported_program_without_weights_is_no_architecture(tmp_path: Path, gratings: Path) -> None:
    with pytest.raises(architectures.UnknownArchitecture):
        fit_to_end(fit_options(tmp_path, gratings, tmp_path, architecture="exported", weights=None))
