"""Models by name: checkpoints of a folder, and torchvision's own from its cache."""

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
    """torchvision's cache folder, empty."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    cache = tmp_path / "hub" / "checkpoints"
    cache.mkdir(parents=True)
    return cache


def seeded(architecture: str, seed: int) -> dict[str, Tensor]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return architectures.build(architecture, 1000, published=True).state_dict()


def test_names_are_files_without_their_ending(folder: Path) -> None:
    assert checkpoint_names(folder) == ["cats-dogs", "insects"]
    assert checkpoint_names(folder / "missing") == []


def test_a_checkpoint_by_name(folder: Path, squeezenet_spec: Spec) -> None:
    model = load("cats-dogs", folder=folder)
    assert (model.name, model.spec, model.provenance) == ("cats-dogs", squeezenet_spec, {"name": "cats-dogs"})


def test_a_network_of_one_channel_by_name(tmp_path: Path) -> None:
    """Its batch norms are folded, and it says the same of a picture in colours."""
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


# What a digest is of.


def test_the_digest_is_of_weights_and_spec(folder: Path) -> None:
    """Names, provenance and where it was loaded from are no part of it."""
    one, other = load("insects", folder=folder), load("cats-dogs", folder=folder)
    assert one.name != other.name and one.provenance != other.provenance
    assert len(one.digest) == 64 and one.digest == other.digest == load("insects", folder=folder).digest


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
def test_another_spec_has_another_digest(
    squeezenet: nn.Module, squeezenet_spec: Spec, fields: dict[str, object]
) -> None:
    one = Model("one", Classifier(squeezenet, squeezenet_spec), {})
    assert Model("one", Classifier(squeezenet, replace(squeezenet_spec, **fields)), {}).digest != one.digest


def test_any_other_weight_makes_another_digest(squeezenet: nn.Module, squeezenet_spec: Spec) -> None:
    """The last bit of one number in a million."""
    before = Model("one", Classifier(squeezenet, squeezenet_spec), {}).digest
    with torch.no_grad():
        weight = squeezenet.features[12].expand3x3.weight.view(torch.int32)  # type: ignore[index, union-attr]
        weight[-1, -1, -1, -1] ^= 1
    assert Model("one", Classifier(squeezenet, squeezenet_spec), {}).digest != before


def test_the_digest_does_not_heed_how_weights_lie_in_memory(squeezenet: nn.Module, squeezenet_spec: Spec) -> None:
    """What the digest is of, by an independent way: the numbers in the order of their indices."""
    model = Model("one", Classifier(squeezenet, squeezenet_spec), {})
    digest = hashlib.sha256(repr(squeezenet_spec).encode())
    for name, weight in sorted(model.classifier.network.state_dict().items()):
        digest.update(name.encode() + np.array(weight.tolist(), dtype=np.float32).tobytes())
    assert model.digest == digest.hexdigest()
    model.classifier.network.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
    assert Model("other", model.classifier, {}).digest == model.digest


@pytest.mark.parametrize("name", ["dogs", "", "notes", "../insects", "/etc/passwd", "insects.safetensors", "imagenet"])
def test_an_unknown_name_lists_those_that_are_there(folder: Path, name: str) -> None:
    with pytest.raises(UnknownModel, match=r"there: cats-dogs, insects"):
        load(name, folder=folder)


def test_an_empty_folder_says_so(tmp_path: Path) -> None:
    with pytest.raises(UnknownModel, match="there: none"):
        load("insects", folder=tmp_path)


@pytest.mark.parametrize("name", ["imagenet/", "imagenet/no_such_net", "imagenet/fcn_resnet50", "imagenet/../x"])
def test_an_unknown_architecture_is_an_unknown_model(name: str) -> None:
    with pytest.raises(UnknownModel, match="mobilenet_v2"):
        load(name)


def test_a_damaged_checkpoint_is_expected_trouble(folder: Path) -> None:
    """A service goes on without it, so each such error is in EXPECTED."""
    (folder / "insects.safetensors").write_bytes(b"damaged")
    with pytest.raises(EXPECTED):
        load("insects", folder=folder)


def test_torchvisions_own_file_is_loaded(home: Path) -> None:
    """The very weights that lie in the cache answer, with torchvision's preprocessing and its thousand classes."""
    weights = seeded("squeezenet1_1", 1)
    torch.save(weights, home / "squeezenet1_1-b8a52dc0.pth")
    model = load("imagenet/squeezenet1_1")
    assert (model.name, model.spec) == ("imagenet/squeezenet1_1", imagenet_spec("squeezenet1_1"))
    assert model.spec.classes[281] == "tabby"
    for key, value in model.classifier.network[1].state_dict().items():
        assert torch.equal(value, weights[key]), key
    assert model.provenance["metrics"]["ImageNet-1K"]["acc@1"] == 58.178


def test_what_is_in_the_cache_goes_before_what_must_be_fetched(home: Path) -> None:
    """torchvision recommends MobileNetV2's second weights; with the first on the disk, no network is asked.

    And the first weights' own preprocessing goes with them: a resize to 256 pixels, not to 232.
    """
    torch.save(seeded("mobilenet_v2", 1), home / "mobilenet_v2-b0353104.pth")
    model = load("imagenet/mobilenet_v2")
    assert "IMAGENET1K_V1" in model.provenance["parent"]["name"]
    assert model.spec.resize == 256


def test_the_recommended_go_first_where_both_are_there(home: Path) -> None:
    torch.save(seeded("mobilenet_v2", 1), home / "mobilenet_v2-b0353104.pth")
    torch.save(seeded("mobilenet_v2", 2), home / "mobilenet_v2-7ebf99e0.pth")
    model = load("imagenet/mobilenet_v2")
    assert "IMAGENET1K_V2" in model.provenance["parent"]["name"]
    assert model.spec.resize == 232


def test_without_a_network_the_message_says_which_file_goes_where(home: Path) -> None:
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
def test_every_way_of_having_no_network(home: Path, monkeypatch: pytest.MonkeyPatch, error: OSError) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(torch.hub, "urlopen", fail)
    with pytest.raises(WeightsUnavailable, match="put it into"):
        load("imagenet/squeezenet1_1")
    assert list(home.iterdir()) == []


def test_a_download_whose_digest_is_wrong_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file's name carries the first eight digits of its SHA-256; what a proxy sends instead is not kept."""

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
def test_a_file_of_the_right_name_with_other_things_in_it(home: Path, content: str) -> None:
    """A proxy's error page saved under the name, a pickle with code, another network's weights: all are told."""
    file = home / "squeezenet1_1-b8a52dc0.pth"
    if content == "page":
        file.write_bytes(b"<html>blocked</html>")
    elif content == "pickle":
        file.write_bytes(pickle.dumps(pickle.Unpickler, protocol=2))
    else:
        torch.save(seeded("mobilenet_v3_small", 1), file)
    with pytest.raises(EXPECTED, match="squeezenet1_1"):
        load("imagenet/squeezenet1_1")


def test_auxiliary_heads_are_left_out(home: Path) -> None:
    """GoogLeNet's file carries two more heads, which serve training alone."""
    weights = seeded("googlenet", 1)
    torch.save(
        {**weights, "aux1.fc1.weight": torch.zeros(1), "aux2.fc1.weight": torch.zeros(1)},
        home / "googlenet-1378be20.pth",
    )
    found, name = pretrained_weights("googlenet")
    assert set(found) == set(weights)
    assert name == "torchvision GoogLeNet_Weights.IMAGENET1K_V1"
    load("imagenet/googlenet")


def test_densenets_old_names_are_translated(home: Path) -> None:
    """Its file of 2017 says `denselayer1.norm.1.weight` where today's network has `norm1.weight`."""
    today = seeded("densenet121", 1)
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


def test_the_cache_is_torchvisions_own(home: Path) -> None:
    assert cached_file(MobileNet_V2_Weights.IMAGENET1K_V1) == home / "mobilenet_v2-b0353104.pth"


def test_real_weights(imagenet: Model) -> None:
    assert isinstance(imagenet, Model)
    assert imagenet.spec.resize == 256
    assert len(imagenet.spec.classes) == 1000
