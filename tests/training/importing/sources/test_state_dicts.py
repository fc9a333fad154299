"""Weights in a file: what becomes of their names, sizes, channels and types, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from models import checkpoint
from models.architectures import BadWeights, UnknownArchitecture, registered
from models.classifier import Classifier
from models.store import imagenet_spec
from tests.training.importing.own_network import Own
from tests.training.importing.weight_files import prefixed, source_network, write
from training.importing.model import BadSource
from training.importing.recognise import Unrecognised
from training.importing.sources import state_dicts

CLASSES = ("cat", "dog", "tree frog", "lemon", "tea cup", "fox", "owl")


def logits(network: nn.Module, *shape: int) -> Tensor:
    with torch.no_grad():
        return network(torch.rand(2, *shape, generator=torch.Generator().manual_seed(3)))


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    """Classes, licence and digest; the preprocessing is that of torchvision's recommended weights."""
    network = source_network("squeezenet1_1")
    content = {"state_dict": network.state_dict(), "class_to_idx": {name: index for index, name in enumerate(CLASSES)}}
    model = state_dicts.read(write(tmp_path / "mine.pth", content), None, None)
    assert model.spec.classes == CLASSES and model.preprocessing is not None
    (warning,) = model.warnings
    assert warning.startswith("the names and shapes of the weights are those of torchvision's squeezenet1_1, and of")
    assert model.assumed == "torchvision's own weights of squeezenet1_1"
    named = state_dicts.read(tmp_path / "mine.pth", "squeezenet1_1", None)
    assert named.warnings == () and named.assumed == model.assumed
    published = imagenet_spec("squeezenet1_1")
    assert (model.spec.resize, model.spec.mean, model.spec.interpolation) == (
        published.resize,
        published.mean,
        published.interpolation,
    )
    assert {key: model.source[key] for key in ("kind", "file", "licence", "dtype")} == {
        "kind": "torchvision",
        "file": "mine.pth",
        "licence": "unknown",
        "dtype": "float32",
    }
    assert len(model.source["sha256"]) == 64 and set(model.source["versions"]) == {"torchvision"}
    assert torch.equal(logits(model.network, 3, 64, 64), logits(network, 3, 64, 64)), "with the ReLU behind its head"


def test_the_licence_may_be_in_the_file(tmp_path: Path) -> None:
    save_file(dict(source_network("squeezenet1_1").state_dict()), tmp_path / "x.safetensors", {"license": "MIT"})
    assert state_dicts.read(tmp_path / "x.safetensors", None, CLASSES).source["licence"] == "MIT"


def test_a_named_architecture_is_taken_with_every_prefix(tmp_path: Path) -> None:
    weights = prefixed(source_network("resnet18").state_dict(), "module.model.")
    model = state_dicts.read(write(tmp_path / "x.pth", weights), "resnet18", CLASSES)
    assert model.spec.architecture == "resnet18"
    with pytest.raises(BadWeights, match=r"not of this architecture \(.*missing: .*unknown: "):
        state_dicts.read(tmp_path / "x.pth", "resnet50", CLASSES)
    with pytest.raises(UnknownArchitecture, match="resnet-18"):
        state_dicts.read(tmp_path / "x.pth", "resnet-18", CLASSES)


def test_a_loss_beside_the_network_is_left_out(tmp_path: Path) -> None:
    """As in a Lightning module whose loss has weights; it is said."""
    network = source_network("resnet18")
    content = {"state_dict": {**prefixed(network.state_dict(), "model."), "criterion.weight": torch.ones(7)}}
    model = state_dicts.read(write(tmp_path / "x.ckpt", content), None, tuple("abcdefg"))
    assert (
        "weights that do not begin with 'model.' are left out (1: criterion.weight), as those of a loss or a metric"
        in model.warnings
    )
    pixels = torch.rand(1, 3, 224, 224)
    with torch.no_grad():
        assert torch.equal(model.network(pixels), network(pixels))


def test_weights_of_no_known_network(tmp_path: Path) -> None:
    file = write(tmp_path / "x.pth", {"model": prefixed({"encoder.weight": torch.zeros(3)}, "module.")})
    with pytest.raises(Unrecognised, match=r"these 1 weights is none of torchvision's \(encoder\.weight, \.\.\.\)"):
        state_dicts.read(file, None, None)


@pytest.mark.parametrize(("channels", "colours"), [(1, "L"), (2, "LA"), (4, "RGBA")])
def test_other_channels_give_the_logits_of_the_source(tmp_path: Path, channels: int, colours: str) -> None:
    network = source_network("resnet18")
    with torch.random.fork_rng(devices=[]):
        network.conv1 = nn.Conv2d(channels, 64, 7, stride=2, padding=3, bias=False)
    model = state_dicts.read(write(tmp_path / "x.pth", network.state_dict()), None, CLASSES)
    assert model.spec.channel_names == colours and model.preprocessing is None
    assert torch.equal(logits(model.network, channels, 64, 64), logits(network, channels, 64, 64))
    assert Classifier(model.network, model.spec).logits(torch.rand(1, 3, 224, 224)).shape == (1, 7)


def test_a_vision_transformer_of_another_size(tmp_path: Path) -> None:
    """64 pixels in place of 224, resized from 73 in place of 256, in the same proportion."""
    network = source_network("vit_b_32", image_size=64)
    model = state_dicts.read(write(tmp_path / "x.pth", network.state_dict()), None, CLASSES)
    assert (model.spec.input_size, model.spec.resize) == (64, 73)
    assert torch.equal(logits(model.network, 3, 64, 64), logits(network, 3, 64, 64))


def test_a_size_that_is_not_that_of_the_published_weights() -> None:
    """torchvision recommends weights of vit_h_14 for 518 pixels; those in the file are for 224, which is usual."""
    published = imagenet_spec("vit_h_14")
    assert (published.input_size, dict(published.configuration)) == (518, {"image_size": 518})
    own = state_dicts.spec_of_size(published, 224)
    assert (own.input_size, own.resize, dict(own.configuration)) == (224, 224, {})


def test_networks_from_tensorflow_get_values_from_minus_1_to_1(tmp_path: Path) -> None:
    """The published GoogLeNet scales ImageNet's normalisation to that itself: both get the same logits for pixels."""
    network = source_network("googlenet", transform_input=True)
    model = state_dicts.read(write(tmp_path / "x.pth", network.state_dict()), None, CLASSES)
    assert model.spec.mean == model.spec.std == (0.5, 0.5, 0.5)
    pixels = torch.rand(2, 3, 224, 224)
    mean, std = (torch.tensor(values).reshape(1, 3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        expected = network((pixels - mean) / std)
    torch.testing.assert_close(Classifier(model.network, model.spec).logits(pixels), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_types_of_numbers_are_computed_in_float32(tmp_path: Path, dtype: torch.dtype) -> None:
    network = source_network("squeezenet1_1").to(dtype)
    model = state_dicts.read(write(tmp_path / "x.pth", network.state_dict()), None, CLASSES)
    assert model.source["dtype"] == str(dtype).removeprefix("torch.")
    assert torch.equal(logits(model.network, 3, 64, 64), logits(network.float(), 3, 64, 64))


def test_a_checkpoint_of_mirage_needs_no_import(tmp_path: Path) -> None:
    network = source_network("squeezenet1_1")
    model = state_dicts.read(write(tmp_path / "x.pth", network.state_dict()), None, CLASSES)
    checkpoint.save(tmp_path / "imported.safetensors", model.network, model.spec, {})
    with pytest.raises(
        BadSource, match="is a checkpoint of Mirage already: the service and `training` take it as it is"
    ):
        state_dicts.read(tmp_path / "imported.safetensors", None, None)


def test_one_output_is_the_logit_of_a_label(tmp_path: Path) -> None:
    """Its probability is the sigmoid of the network's output."""
    network = source_network("resnet18", 1)
    model = state_dicts.read(write(tmp_path / "x.pth", network.state_dict()), None, ("hot dog",))
    assert model.spec.multi_label and model.spec.classes == ("hot dog",)
    pixels = torch.rand(1, 3, 224, 224)
    classifier = Classifier(model.network, model.spec)
    torch.testing.assert_close(classifier.probabilities(pixels), classifier.logits(preprocessed(pixels)).sigmoid())


def preprocessed(pixels: Tensor) -> Tensor:
    """Return what the network sees of pictures of 224 pixels: those are enlarged, and the centre is cropped."""
    size = imagenet_spec("resnet18").resize
    enlarged = nn.functional.interpolate(pixels, (size, size), mode="bilinear", antialias=True)
    first = round((size - 224) / 2)
    return enlarged[..., first : first + 224, first : first + 224]


@pytest.mark.parametrize(("content", "classes"), [({}, None), ({"classes": CLASSES}, None), ({}, CLASSES)])
def test_a_registered_network_is_built_for_as_many_classes_as_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: dict[str, Any], classes: tuple[str, ...] | None
) -> None:
    """As many as there are names, or as many as the last weights have rows."""
    monkeypatch.setattr(registered, "_added", {"own": Own})
    network = Own(7)
    content = {**content, "state_dict": prefixed(network.state_dict(), "module.")}
    model = state_dicts.read(write(tmp_path / "x.pth", content), "own", classes)
    assert model.spec.architecture == "own" and model.source["kind"] == "registered"
    assert model.spec.classes == (CLASSES if content.get("classes") or classes else tuple("0123456"))
    assert model.preprocessing is None and model.assumed == "torchvision's networks for ImageNet"
    assert torch.equal(logits(model.network, 3, 8, 8), logits(network, 3, 8, 8))


class HeadFirst(Own):
    """The same network, whose head is defined before its convolution."""

    def __init__(self, classes: int) -> None:
        super().__init__(classes)
        self._modules = dict(reversed(self._modules.items()))


@pytest.mark.parametrize(
    ("outputs", "background", "classes"), [(1, False, ("a", "b")), (3, True, ("a", "b")), (2, False, ("a", "b"))]
)
def test_the_head_of_a_registered_network_may_be_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outputs: int, background: bool, classes: tuple[str, ...]
) -> None:
    monkeypatch.setattr(registered, "_added", {"own": HeadFirst})
    file = write(tmp_path / "x.pth", HeadFirst(outputs).state_dict())
    model = state_dicts.read(file, "own", classes, background=background)
    assert (model.spec.classes, model.spec.binary, model.spec.background) == (classes, outputs == 1, background)


def test_a_head_behind_a_whole_network_is_not_left_out(tmp_path: Path) -> None:
    """It was trained, and the network before it has other classes."""
    weights = {
        **prefixed(source_network("squeezenet1_1", 1000).state_dict(), "model."),
        "fc.weight": torch.ones(7, 1000),
    }
    with pytest.raises(Unrecognised, match="the architecture of these 53 weights is none of torchvision's"):
        state_dicts.read(write(tmp_path / "x.pth", weights), None, None)


def test_weights_that_are_not_of_a_registered_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registered, "_added", {"own": Own})
    with pytest.raises(BadWeights, match=r"1 unknown: other\.weight"):
        state_dicts.read(
            write(tmp_path / "x.pth", {**Own(7).state_dict(), "other.weight": torch.zeros(1)}), "own", None
        )
