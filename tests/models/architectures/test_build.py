"""Building networks by name: which kind a name means, and what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from models.architectures import BadConfiguration, UnknownArchitecture, build, registered
from models.mobilenet import MobileNetV2
from tests.models.program.documents import document, node, weight


def test_networks_are_in_evaluation_mode() -> None:
    assert not build("mobilenet_v3_small", 3).training and not build("squeezenet1_1", 3, published=True).training


def test_a_configuration_says_the_same_as_published() -> None:
    """A ReLU follows SqueezeNet's head in the published network, and nothing in the one for training."""
    layers = [
        type(network.classifier[2])
        for network in (
            build("squeezenet1_1", 3),
            build("squeezenet1_1", 3, published=True),
            build("squeezenet1_1", 3, configuration={"published": True}),
            build("squeezenet1_1", 3, configuration={"published": False}),
        )
    ]
    assert layers == [nn.Identity, nn.ReLU, nn.ReLU, nn.Identity]


def test_a_program_is_its_configuration() -> None:
    linear = document(
        [
            node("aten.flatten.using_ints", "pixels", (1,), to="rows"),
            node("aten.linear.default", "rows", "weight", to="logits"),
        ],
        [weight("weight", 2, 48)],
    )
    network = build("exported", 2, configuration=linear)
    assert not network.training and list(network.state_dict()) == ["weight"]


@pytest.mark.parametrize("configuration", [{}, {"nodes": []}, {"nodes": [{"target": "os.system"}]}, {"path": "/x.pt2"}])
def test_a_bad_program_is_a_bad_configuration(configuration: dict[str, Any]) -> None:
    with pytest.raises(BadConfiguration):
        build("exported", 2, configuration=configuration)


def test_a_network_of_ones_own_is_built_by_its_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is put into evaluation mode, and what it needs to know is in its function, not in a configuration."""
    monkeypatch.setattr(registered, "_added", {"mine": lambda classes: nn.Linear(2, classes)})
    network = build("mine", 4)
    assert isinstance(network, nn.Linear) and network.out_features == 4 and not network.training
    with pytest.raises(BadConfiguration, match="mine is registered by its name, and takes no configuration"):
        build("mine", 4, configuration={"width": 2})


def test_the_bundled_architecture_never_asks_for_registered_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """The service starts faster without looking through all installed packages."""
    monkeypatch.setattr(registered, "registered", lambda: pytest.fail("was asked"))
    assert isinstance(build("mobilenet_v2", 3), MobileNetV2)


@pytest.mark.parametrize("name", ["no_such_network", "", "os.system", "../mobilenet_v2", "exported2", "hub/resnet18"])
def test_an_unknown_name_says_how_to_register_one(name: str) -> None:
    with pytest.raises(UnknownArchitecture, match=r"(?s)MIRAGE_ARCHITECTURES=package.module:function.*mobilenet_v2"):
        build(name, 3)


@pytest.mark.parametrize(
    "name", ["timm/hf-hub:owner/model", "timm/local-dir:/tmp", "timm/../x", "timm/", "timm/nothing"]
)
def test_timms_addresses_are_no_names(name: str, tmp_path: Path) -> None:
    """timm itself would download from the first and read the second."""
    pytest.importorskip("timm")
    with pytest.raises(UnknownArchitecture, match="timm has no network called"):
        build(name, 3)


def test_pixels_of_one_channel_go_through_every_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("timm")
    for name in ("mobilenet_v2", "resnet18", "timm/test_resnet"):
        with torch.no_grad():
            assert build(name, 3, channels=1)(torch.zeros(1, 1, 64, 64)).shape == (1, 3)
