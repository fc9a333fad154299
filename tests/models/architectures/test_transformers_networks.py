"""Networks of transformers from their configuration: which there are, and what a configuration may have."""

import importlib.util
import socket
from typing import Any

import pytest
import torch

from models.architectures import BadConfiguration, UnknownArchitecture, check_head, head_name
from models.architectures.transformers_networks import DROPPED, build

pytest.importorskip("transformers")
VIT = {"hidden_size": 24, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
VIT |= {"image_size": 32, "patch_size": 8}
RESNET = {"embedding_size": 8, "hidden_sizes": [8, 8, 16, 16], "depths": [1, 1, 1, 1]}


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to connect fails the test."""
    monkeypatch.setattr(
        socket.socket, "connect", lambda *_: pytest.fail("a network was built, and something connected")
    )


@pytest.mark.parametrize(("kind", "configuration"), [("vit", VIT), ("resnet", RESNET)])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_pixels_become_logits(kind: str, configuration: dict[str, Any], channels: int) -> None:
    """A plain tensor [n, k], whose last linear layer is the head."""
    network = build(f"transformers/{kind}", 5, channels=channels, configuration=configuration).eval()
    with torch.no_grad():
        assert network(torch.zeros(2, channels, 32, 32)).shape == (2, 5)
    check_head(network, torch.rand(1, channels, 32, 32))
    assert head_name(network).startswith("network.classifier")
    assert all(name.startswith("network.") for name in network.state_dict())


def test_names_of_classes_and_their_number_are_not_of_the_configuration() -> None:
    configuration = {**VIT, "id2label": {"0": "a"}, "label2id": {"a": 0}, "num_labels": 99}
    network = build("transformers/vit", 5, channels=3, configuration=configuration)
    assert network.network.config.num_labels == 5


@pytest.mark.parametrize("kind", ["", "gpt2", "timm_wrapper", "evil", "vit/../x", "auto"])
def test_types_without_an_image_classifier(kind: str) -> None:
    """timm_wrapper would call timm with anything as a name, and timm has networks of its own here."""
    with pytest.raises(UnknownArchitecture, match="no image classifier of the type") as refused:
        build(f"transformers/{kind}", 3, channels=3, configuration={})
    assert "beit, bit, clip" in str(refused.value) and "timm_wrapper," not in str(refused.value).partition("it has:")[2]


@pytest.mark.parametrize("entry", DROPPED)
def test_entries_that_an_import_leaves_out_are_refused(entry: str) -> None:
    """They name code, files or other implementations; no checkpoint of an import has them."""
    with pytest.raises(BadConfiguration, match=f"has {entry}: import the model again"):
        build("transformers/vit", 3, channels=3, configuration={**VIT, entry: "owner/kernel"})


@pytest.mark.parametrize(
    "entry",
    [
        *({"hidden_size": -1}, {"hidden_size": "x"}, {"num_attention_heads": 0}, {"patch_size": 0}),
        *({"hidden_act": "x"}, {"num_hidden_layers": None}, {"self": 1}),
    ],
    ids=str,
)
def test_values_with_which_nothing_can_be_built(entry: dict[str, Any]) -> None:
    """transformers raises nearly anything then."""
    with pytest.raises(BadConfiguration, match="transformers cannot build transformers/vit"):
        build("transformers/vit", 3, channels=3, configuration={**VIT, **entry})


@pytest.mark.parametrize("entry", [{"model_name": "owner/model"}, {"trust_remote_code": True}, {"note": "x"}], ids=str)
def test_entries_that_nothing_reads_do_nothing(entry: dict[str, Any]) -> None:
    network = build("transformers/vit", 3, channels=3, configuration={**VIT, **entry})
    assert type(network.network).__module__ == "transformers.models.vit.modeling_vit"


def test_attention_is_pytorchs_own() -> None:
    """Others may be downloaded, and not all of them have gradients."""
    network = build("transformers/vit", 3, channels=3, configuration=VIT).network
    assert network.config._attn_implementation == "sdpa"


def test_without_the_library_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UnknownArchitecture, match="pip install transformers"):
        build("transformers/vit", 3, channels=3, configuration=VIT)
