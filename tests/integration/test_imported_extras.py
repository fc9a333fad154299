"""Models of timm and of Hugging Face: imported by the command, and served over HTTP."""

import base64
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from models.pictures import encode
from tests.app.live_service import Live, drawn, serve
from tests.app.picture_requests import classify, fool, pixels, post_for_json
from tests.integration.imported import lively, named, run_import

SIZE = (48, 80)
"""Height and width of the input of timm's network."""
BREEDS = ("beagle", "collie", "poodle")
LABELS = ("indoors", "people", "animals", "water")


def timms_network(folder: Path) -> nn.Module:
    """Write the weights of a lively network of timm for blue, green and red in this order, and return it."""
    timm = pytest.importorskip("timm", reason="needs timm, an extra of Mirage")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network: nn.Module = timm.create_model("resnet10t", num_classes=len(BREEDS))
    head = network.get_submodule("fc")
    assert isinstance(head, nn.Linear)
    lively(network, head, torch.stack([as_timm_sees(drawn(*SIZE, seed=seed)) for seed in range(30)]))
    torch.save(network.state_dict(), folder / "breeds.pth")
    return network


def as_timm_sees(picture: Tensor) -> Tensor:
    """The input of timm's network from a picture of its size: blue first, from -1 to 1."""
    return picture.flip(0) / 127.5 - 1


def test_a_rectangular_network_of_timm_with_swapped_colours(tmp_path: Path) -> None:
    """The classes are those of timm's own network; a picture of another size is squashed, and is fooled as well."""
    network = timms_network(tmp_path)
    run_import(
        tmp_path / "breeds.pth", tmp_path / "breeds.safetensors", "--architecture", "timm/resnet10t",
        "--classes", ",".join(BREEDS), "--input-size", "48x80", "--resize", "48x80", "--resize-mode", "squash",
        "--colours", "BGR", "--mean", "0.5", "--std", "0.5",
    )  # fmt: skip
    with serve(checkpoints=tmp_path) as live:
        picture = drawn(*SIZE, seed=3)
        expected = named(network(as_timm_sees(picture)[None]).softmax(dim=1), BREEDS)
        assert found(live, encode(picture)) == pytest.approx(expected, abs=2e-3)
        body = live.client.get("/models/breeds").json()
        assert (body["architecture"], body["input_size"]) == ("timm/resnet10t", [48, 80])
        assert body["provenance"]["source"]["kind"] == "timm"
        fields = {"colours": "BGR", "resize": [48, 80], "resize_mode": "squash", "mean": [0.5] * 3}
        assert {name: body["preprocessing"][name] for name in fields} == fields
        check_attack(live, encode(drawn(100, 70, seed=5)))
        assert pixels(post_for_json(live, "/explain", encode(picture))["heat_map"]).shape == (3, *SIZE)


def check_attack(live: Live, picture: bytes) -> None:
    """The returned file is classified as the response says, and no longer as before."""
    result = fool(live, picture)
    top = classify(live, base64.b64decode(result["image"].partition(",")[2]))[0]
    assert result["success"] and top == pytest.approx(result["adversarial"], abs=2e-4)
    assert top["label"] != classify(live, picture)[0]["label"]


def found(live: Live, picture: bytes) -> dict[str, float]:
    return {entry["label"]: entry["probability"] for entry in classify(live, picture)}


def test_a_model_of_several_labels_of_hugging_face(tmp_path: Path) -> None:
    """The probabilities are the sigmoids of transformers' own logits, on what its own processor makes of the photo."""
    transformers: Any = pytest.importorskip("transformers", reason="needs transformers, an extra of Mirage")
    config = transformers.ViTConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=48, image_size=32, patch_size=8,
        problem_type="multi_label_classification", id2label=dict(enumerate(LABELS)),
    )  # fmt: skip
    folder = tmp_path / "scenes"
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = transformers.ViTForImageClassification(config).eval()
        network.classifier.weight.data.normal_(std=0.5)
    processor = transformers.ViTImageProcessor(size={"height": 32, "width": 32})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        network.save_pretrained(folder)
        processor.save_pretrained(folder)
    printed = run_import(folder, tmp_path / "scenes.safetensors")
    assert "compared with huggingface's own preprocessing" in printed
    picture = drawn(60, 90, seed=3)
    inputs = processor(images=Image.fromarray(picture.permute(1, 2, 0).numpy()), return_tensors="pt")
    with torch.no_grad():
        expected = named(network(**inputs).logits.sigmoid(), LABELS)
    with serve(checkpoints=tmp_path) as live:
        before = found(live, encode(picture))
        assert before == pytest.approx(expected, abs=0.01)
        least = min(before, key=before.__getitem__)
        assert before[least] < 0.5
        result = fool(live, encode(picture), target=least)
        assert result["success"] and result["goal"] == f"the probability of {least!r} is above 0.5"
        assert found(live, base64.b64decode(result["image"].partition(",")[2]))[least] > 0.5
        body = live.client.get("/models/scenes").json()
        assert body["preprocessing"]["multi_label"] and body["provenance"]["agreement"] is not None
        assert body["provenance"]["source"]["kind"] == "huggingface"
        assert "Hugging Face's transformers, `scenes`" in live.client.get("/models/scenes/card").text
