"""timm's networks by name: what their names and configurations may be, and the spec that timm states for them."""

import importlib.util
from typing import Any

import pytest
import torch

from models.architectures import BadConfiguration, UnknownArchitecture, timm_networks
from models.architectures.timm_networks import build, class_names, imagenet_names, name_in_timm, spec

timm = pytest.importorskip("timm")


@pytest.mark.parametrize("name", ["resnet18", "resnet18.a1_in1k", "test_vit", "test_vit.r160_in1k"])
def test_names_of_timm_may_have_the_tag_of_weights(name: str) -> None:
    assert name_in_timm(f"timm/{name}") == name


@pytest.mark.parametrize(
    "name",
    [
        "",
        "no_such_network",
        "hf-hub:owner/model",
        "hf_hub:owner/model",
        "local-dir:/tmp",
        "a/b",
        ".",
        "resnet18/x",
        "[a-",
    ],
)
def test_addresses_and_folders_are_no_names(name: str) -> None:
    with pytest.raises(UnknownArchitecture, match="timm has no network called") as refused:
        name_in_timm(f"timm/{name}")
    assert len(str(refused.value)) < 300


@pytest.mark.parametrize(
    ("name", "similar"), [("resnet1", "resnet18"), ("resnett18", "resnet18"), ("tiny_patch", "vit_")]
)
def test_similar_names_are_listed(name: str, similar: str) -> None:
    """Those that contain the name, or else those that are spelt nearly like it."""
    with pytest.raises(UnknownArchitecture, match=f"similar names: .*{similar}"):
        name_in_timm(f"timm/{name}")


def test_without_the_library_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnknownArchitecture, match="pip install timm"):
        build("timm/resnet18", 3, channels=3, configuration={})


def test_a_network_has_the_classes_channels_and_size_that_it_is_asked_for() -> None:
    network = build("timm/test_vit", 5, channels=2, configuration={"img_size": 96})
    assert network.pos_embed.shape[1] == (96 // 16) ** 2 + 1
    with torch.no_grad():
        assert network.eval()(torch.zeros(1, 2, 96, 96)).shape == (1, 5)
    wide = build("timm/test_vit", 5, channels=3, configuration={"img_size": [64, 128]})
    assert wide.pos_embed.shape[1] == 4 * 8 + 1


@pytest.mark.parametrize(
    "configuration",
    [
        *({"pretrained": True}, {"checkpoint_path": "/etc/passwd"}, {"pretrained_cfg": {"url": "https://x"}}),
        *({"img_size": 8}, {"img_size": 10**6}, {"img_size": True}, {"img_size": [64]}, {"img_size": [64, 10**6]}),
        *({"img_size": "64"}, {"img_size": 64.0}, {"img_size": None}, {"drop_rate": 0.1}, {"in_chans": 3}),
    ],
    ids=str,
)
def test_a_configuration_is_a_size_and_nothing_else(configuration: dict[str, Any]) -> None:
    with pytest.raises(BadConfiguration, match="timm/test_vit takes no"):
        build("timm/test_vit", 3, channels=3, configuration=configuration)


def test_what_timm_cannot_build_says_why() -> None:
    """A ResNet has no size, and timm has no weights with this tag."""
    with pytest.raises(BadConfiguration, match=r"timm cannot build timm/test_resnet with .*img_size"):
        build("timm/test_resnet", 3, channels=3, configuration={"img_size": 96})
    with pytest.raises(BadConfiguration, match=r"timm cannot build timm/test_resnet\.no_such_tag"):
        build("timm/test_resnet.no_such_tag", 3, channels=3, configuration={})


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("resnet18", {"input_size": 224, "resize": 235, "resize_mode": "crop", "interpolation": "bicubic"}),
        ("test_vit", {"input_size": 160, "resize": 168, "resize_mode": "crop", "mean": (0.5,) * 3}),
        ("repvgg_a0", {"input_size": 224, "resize": 256, "interpolation": "bilinear"}),
        ("eva02_base_patch14_448", {"input_size": 448, "resize": 448, "resize_mode": "squash"}),
    ],
)
def test_the_spec_follows_from_timms_configuration(name: str, expected: dict[str, Any]) -> None:
    """The resized picture is the input divided by crop_pct, rounded down: 224 / 0.95 = 235.8."""
    made = spec(f"timm/{name}", ("a", "b"))
    assert {field: getattr(made, field) for field in expected} == expected
    assert made.architecture == f"timm/{name}" and made.classes == ("a", "b")


def test_another_size_is_in_the_same_proportion() -> None:
    assert spec("timm/test_vit", ("a", "b"), side=224).resize == 235
    assert spec("timm/test_vit", ("a",)).multi_label


def test_padding_has_the_mean_colour_in_whole_levels() -> None:
    """timm fills with round(255 * mean): 124, 116 and 104 for ImageNet's."""
    network = timm.create_model("test_resnet", num_classes=2)
    network.pretrained_cfg.update(crop_mode="border", mean=(0.485, 0.456, 0.406))
    made = spec("timm/test_resnet", ("a", "b"), network=network)
    assert made.resize_mode == "pad" and made.padding == (124 / 255, 116 / 255, 104 / 255)


def test_names_of_imagenets_classes_are_torchvisions() -> None:
    assert imagenet_names()[0] == "tench" and len(imagenet_names()) == 1000
    assert class_names("timm/test_resnet", 1000) == imagenet_names()
    assert class_names("timm/test_resnet", 7) is None


def test_names_that_weights_state_are_taken() -> None:
    network = timm.create_model("test_resnet", num_classes=2)
    network.pretrained_cfg["label_names"] = ["cat", "dog"]
    assert class_names("timm/test_resnet", 2, network=network) == ("cat", "dog")


def test_importing_the_module_does_not_import_timm() -> None:
    """timm takes seconds, and is needed only where one of its networks is asked for."""
    assert "timm" not in vars(timm_networks) or not hasattr(vars(timm_networks)["timm"], "create_model")
