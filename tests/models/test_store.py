"""Tests loading models by name: checkpoints of a folder, and torchvision's networks from its cache."""

import hashlib
import pickle
import urllib.error
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models import MobileNet_V2_Weights

from models import architectures, checkpoint
from models.classifier import Classifier
from models.spec import Spec
from models.store import (
    EXPECTED,
    Model,
    UnknownModel,
    WeightsUnavailable,
    cached_file,
    checkpoint_names,
    imagenet_spec,
    load,
    pretrained_weights,
)


@pytest.fixture
def folder(tmp_path: Path, squeezenet: nn.Module, squeezenet_spec: Spec) -> Path:
    for name in ("insects", "cats-dogs"):
        checkpoint.save(tmp_path / f"{name}.safetensors", squeezenet, squeezenet_spec, {"name": name})
    (tmp_path / "notes.txt").write_text("no model")
    (tmp_path / ".half-written.safetensors.x1").write_bytes(b"")
    return tmp_path


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return torchvision's cache folder, which is empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    return cache


def random_weights(architecture: str, seed: int) -> dict[str, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return architectures.build(architecture, 1000, published=True).state_dict()


def test_model_names_are_file_names_without_suffix(folder: Path) -> None:
    assert checkpoint_names(folder) == ["cats-dogs", "insects"]
    assert checkpoint_names(folder / "missing") == []


def test_a_checkpoint_is_loaded_by_name(folder: Path, squeezenet_spec: Spec) -> None:
    model = load("cats-dogs", folder=folder)
    assert (model.name, model.spec, model.provenance) == ("cats-dogs", squeezenet_spec, {"name": "cats-dogs"})


def test_a_one_channel_network_is_loaded_with_folded_batch_norms(tmp_path: Path) -> None:
    """Folding does not change its probabilities for colour pictures."""
    spec = Spec("mobilenet_v3_small", ("a", "b"), input_size=32, resize=32, mean=(0.5,), std=(0.25,))
    network = architectures.build(spec.architecture, 2, channels=1)
    for norm in (layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)):
        nn.init.uniform_(norm.running_var, 0.01, 0.1)  # type: ignore[arg-type]
    checkpoint.save(tmp_path / "grey.safetensors", network, spec, {})
    plain, _ = checkpoint.load(tmp_path / "grey.safetensors")
    served = load("grey", folder=tmp_path).classifier
    served.warm_up()
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in served.network.modules())
    pixels = torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(served.probabilities(pixels), plain.probabilities(pixels), rtol=1e-3, atol=1e-4)


# The digest of a model.


def test_the_digest_depends_only_on_weights_and_spec(folder: Path) -> None:
    """Two checkpoints with other names and provenance but the same weights and spec have the same digest."""
    insects, cats_dogs = load("insects", folder=folder), load("cats-dogs", folder=folder)
    assert insects.name != cats_dogs.name and insects.provenance != cats_dogs.provenance
    assert len(insects.digest) == 64 and insects.digest == cats_dogs.digest == load("insects", folder=folder).digest


@pytest.mark.parametrize(
    "fields",
    [
        {"temperature": 1.5},
        {"classes": ("bee", "ant", "cat")},
        {"resize": 37},
        {"mean": (0.485, 0.456, 0.407)},
        {"interpolation": "bicubic"},
    ],
)
def test_another_spec_gives_another_digest(
    squeezenet: nn.Module, squeezenet_spec: Spec, fields: dict[str, object]
) -> None:
    one = Model("one", Classifier(squeezenet, squeezenet_spec), {})
    assert Model("one", Classifier(squeezenet, replace(squeezenet_spec, **fields)), {}).digest != one.digest


def test_a_change_of_one_bit_gives_another_digest(squeezenet: nn.Module, squeezenet_spec: Spec) -> None:
    """The lowest bit of one of a million weights is flipped."""
    before = Model("one", Classifier(squeezenet, squeezenet_spec), {}).digest
    with torch.no_grad():
        weight = squeezenet.features[12].expand3x3.weight.view(torch.int32)  # type: ignore[index, union-attr]
        weight[-1, -1, -1, -1] ^= 1
    assert Model("one", Classifier(squeezenet, squeezenet_spec), {}).digest != before


def test_the_digest_does_not_depend_on_the_memory_format(squeezenet: nn.Module, squeezenet_spec: Spec) -> None:
    """The expected digest is computed independently, from the weights as lists in the order of their indices."""
    model = Model("one", Classifier(squeezenet, squeezenet_spec), {})
    digest = hashlib.sha256(repr(squeezenet_spec).encode())
    for name, weight in sorted(model.classifier.network.state_dict().items()):
        digest.update(name.encode() + np.array(weight.tolist(), dtype=np.float32).tobytes())
    assert model.digest == digest.hexdigest()
    model.classifier.network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    assert Model("other", model.classifier, {}).digest == model.digest


@pytest.mark.parametrize("name", ["dogs", "", "notes", "../insects", "/etc/passwd", "insects.safetensors", "imagenet"])
def test_the_message_for_an_unknown_name_lists_the_models(folder: Path, name: str) -> None:
    with pytest.raises(UnknownModel, match=r"there: cats-dogs, insects"):
        load(name, folder=folder)


def test_the_message_for_an_empty_folder_says_that_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="there: none"):
        load("insects", folder=tmp_path)


@pytest.mark.parametrize("name", ["imagenet/", "imagenet/no_such_net", "imagenet/fcn_resnet50", "imagenet/../x"])
def test_an_unknown_architecture_is_an_unknown_model(name: str) -> None:
    with pytest.raises(UnknownModel, match="mobilenet_v2"):
        load(name)


def test_the_error_of_a_damaged_checkpoint_is_expected(folder: Path) -> None:
    """The service starts without a damaged model, so it must be able to catch the error as one of EXPECTED."""
    (folder / "insects.safetensors").write_bytes(b"damaged")
    with pytest.raises(EXPECTED):
        load("insects", folder=folder)


def test_weights_are_loaded_from_torchvisions_cache(home: Path) -> None:
    """The weights are those of the file in the cache, with torchvision's preprocessing and its 1000 classes."""
    weights = random_weights("squeezenet1_1", 1)
    torch.save(weights, home / "squeezenet1_1-b8a52dc0.pth")
    model = load("imagenet/squeezenet1_1")
    assert (model.name, model.spec) == ("imagenet/squeezenet1_1", imagenet_spec("squeezenet1_1"))
    assert model.spec.classes[281] == "tabby"
    for key, value in model.classifier.network[1].state_dict().items():
        assert torch.equal(value, weights[key]), key
    assert model.provenance["metrics"]["ImageNet-1K"]["acc@1"] == 58.178


def test_cached_weights_are_preferred_over_a_download(home: Path) -> None:
    """torchvision recommends version 2 of MobileNetV2's weights; with version 1 in the cache, nothing is downloaded.

    The preprocessing is that of version 1 as well: a resize to 256 pixels, not to 232.
    """
    torch.save(random_weights("mobilenet_v2", 1), home / "mobilenet_v2-b0353104.pth")
    model = load("imagenet/mobilenet_v2")
    assert "IMAGENET1K_V1" in model.provenance["parent"]["name"]
    assert model.spec.resize == 256


def test_the_recommended_weights_are_preferred_where_both_are_cached(home: Path) -> None:
    torch.save(random_weights("mobilenet_v2", 1), home / "mobilenet_v2-b0353104.pth")
    torch.save(random_weights("mobilenet_v2", 2), home / "mobilenet_v2-7ebf99e0.pth")
    model = load("imagenet/mobilenet_v2")
    assert "IMAGENET1K_V2" in model.provenance["parent"]["name"]
    assert model.spec.resize == 232


def test_without_internet_the_message_names_the_file_and_its_folder(home: Path) -> None:
    with pytest.raises(WeightsUnavailable) as caught:
        load("imagenet/mobilenet_v2")
    assert "mobilenet_v2-7ebf99e0.pth" in str(caught.value)
    assert str(home) in str(caught.value)
    assert "tests have no network" in str(caught.value)


@pytest.mark.parametrize(
    "error",
    [
        urllib.error.HTTPError("https://example.org", 403, "proxy says no", {}, None),
        TimeoutError("too slow"),
        ConnectionResetError("gone"),
        PermissionError(13, "read-only cache"),
    ],
)
def test_every_failed_download_is_reported_as_unavailable_weights(
    home: Path, monkeypatch: pytest.MonkeyPatch, error: OSError
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torch.hub, "urlopen", fail)
    with pytest.raises(WeightsUnavailable, match="put it into"):
        load("imagenet/squeezenet1_1")
    assert list(home.iterdir()) == []


def test_a_download_with_a_wrong_digest_is_deleted_and_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file name has the first eight digits of the SHA-256, so the page that a proxy sends instead is noticed."""

    class Page:
        headers = {"Content-Length": "5"}  # noqa: RUF012 - a stand-in for a response

        def __init__(self) -> None:
            self.left = [b"<html", b""]

        def read(self, _: int) -> bytes:
            return self.left.pop(0)

        def info(self) -> object:
            return self

        def get_all(self, _: str) -> list[str]:
            return ["5"]

        def close(self) -> None:
            pass

        def __enter__(self) -> "Page":
            return self

        def __exit__(self, *_: object) -> None:
            pass

    monkeypatch.setattr(torch.hub, "urlopen", lambda *_, **__: Page())
    with pytest.raises(WeightsUnavailable, match="squeezenet1_1-b8a52dc0"):
        load("imagenet/squeezenet1_1")
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("content", ["page", "pickle", "other network"])
def test_a_cached_file_with_other_contents_is_refused(home: Path, content: str) -> None:
    """The file holds the error page of a proxy, a pickle with code, or the weights of another network."""
    file = home / "squeezenet1_1-b8a52dc0.pth"
    if content == "page":
        file.write_bytes(b"<html>blocked</html>")
    elif content == "pickle":
        file.write_bytes(pickle.dumps(pickle.Unpickler, protocol=2))
    else:
        torch.save(random_weights("mobilenet_v3_small", 1), file)
    with pytest.raises(EXPECTED, match="squeezenet1_1"):
        load("imagenet/squeezenet1_1")


def test_auxiliary_heads_are_left_out(home: Path) -> None:
    """The file of GoogLeNet has two more heads, which are used only in training."""
    weights = random_weights("googlenet", 1)
    torch.save(
        {**weights, "aux1.fc1.weight": torch.zeros(1), "aux2.fc1.weight": torch.zeros(1)},
        home / "googlenet-1378be20.pth",
    )
    loaded, name = pretrained_weights("googlenet")
    assert set(loaded) == set(weights)
    assert name == "torchvision GoogLeNet_Weights.IMAGENET1K_V1"
    load("imagenet/googlenet")


def test_old_weight_names_of_densenet_are_translated(home: Path) -> None:
    """Its file of 2017 has `denselayer1.norm.1.weight` where the network of today has `denselayer1.norm1.weight`."""
    today = random_weights("densenet121", 1)
    old = {
        key.replace(".norm1.", ".norm.1.")
        .replace(".norm2.", ".norm.2.")
        .replace(".conv1.", ".conv.1.")
        .replace(".conv2.", ".conv.2."): value
        for key, value in today.items()
        if not key.endswith("num_batches_tracked")
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, home / "densenet121-a639ec97.pth")
    model = load("imagenet/densenet121")
    assert torch.equal(model.classifier.network[1].state_dict()["classifier.bias"], today["classifier.bias"])


def test_cached_files_are_looked_up_in_torchvisions_cache(home: Path) -> None:
    assert cached_file(MobileNet_V2_Weights.IMAGENET1K_V1) == home / "mobilenet_v2-b0353104.pth"


def test_the_imagenet_fixture_loads_real_weights(imagenet: Model) -> None:
    assert isinstance(imagenet, Model)
    assert imagenet.spec.resize == 256
    assert len(imagenet.spec.classes) == 1000
