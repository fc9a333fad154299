"""Folders of transformers: what is read from their files, and what is said where one of them is missing or wrong."""

import hashlib
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from torch import nn

from models import checkpoint
from models.architectures import BadWeights, UnknownArchitecture
from models.classifier import Classifier
from models.store import WeightsUnavailable
from tests.foreign_networks import photos, save, transformers_network
from tests.training.importing.sources.folders import LABELS, SIDE, change, tiny_config, tiny_processor
from training.importing.agreement import compare
from training.importing.model import BadSource, SourceModel
from training.importing.sources import hugging_face

transformers = pytest.importorskip("transformers")


def agrees(model: SourceModel) -> bool:
    """Whether the logits are those of transformers' own preprocessing, for a few photos."""
    assert model.preprocessing is not None
    agreement = compare(model, Classifier(model.network, model.spec), model.preprocessing, photos()[::3])
    return agreement.holds


def test_the_files_say_everything(folder: Path) -> None:
    model = hugging_face.read(folder, None)
    assert model.spec.classes == LABELS and model.warnings == () and agrees(model)
    assert (model.spec.architecture, model.spec.resize_mode, model.spec.input_size) == (
        "transformers/vit",
        "squash",
        SIDE,
    )
    assert {key: model.source[key] for key in ("kind", "name", "dtype", "versions")} == {
        "kind": "huggingface",
        "name": "model",
        "dtype": "float32",
        "versions": {"transformers": transformers.__version__},
    }
    assert len(model.source["sha256"]) == 64
    assert hugging_face.read(folder, tuple("abcde")).spec.classes == tuple("abcde")


def test_the_configuration_has_no_entries_that_are_about_files_or_code(folder: Path) -> None:
    configuration = hugging_face.read(folder, None).spec.configuration
    assert "hidden_size" in configuration
    assert not {"model_type", "transformers_version", "dtype", "id2label", "num_labels", "auto_map"} & set(
        configuration
    )


def test_a_folder_is_one_with_a_configuration(folder: Path, tmp_path: Path) -> None:
    assert hugging_face.is_folder(folder) and not hugging_face.is_folder(tmp_path)


def test_the_working_directory_has_a_name(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert hugging_face.read(Path("."), None).source["name"] == "model"


# Classes.


def test_several_labels_per_picture(tmp_path: Path, silent: None) -> None:
    """Probabilities are sigmoids then, as in transformers' pipeline; they do not add up to 1."""
    config = tiny_config(problem_type="multi_label_classification")
    model = hugging_face.read(save(tmp_path / "m", transformers_network(config, SIDE), tiny_processor()), None)
    assert model.spec.multi_label
    image = Image.fromarray(np.asarray(photos()[0].permute(1, 2, 0)))
    answer = transformers.pipeline("image-classification", model=str(tmp_path / "m"))(image)
    probabilities = Classifier(model.network, model.spec).probabilities(photos()[0][None] / 255)[0]
    expected = {entry["label"]: entry["score"] for entry in answer}
    assert {name: pytest.approx(value.item(), abs=0.02) for name, value in zip(LABELS, probabilities, strict=True)} == (
        expected
    )


def test_names_are_numbers_of_labels(tmp_path: Path, silent: None) -> None:
    """transformers writes LABEL_0 and so on where nobody gave names: they are kept, with a warning."""
    config = tiny_config(id2label={index: f"LABEL_{index}" for index in range(5)})
    model = hugging_face.read(save(tmp_path / "m", transformers_network(config, SIDE), tiny_processor()), None)
    assert model.spec.classes[4] == "LABEL_4" and "no names but LABEL_0, LABEL_1 and so on" in model.warnings[0]


@pytest.mark.parametrize("labels", [None, {}, {"0": "cat", "2": "dog"}, "cat", {"0": 5.5}])
def test_without_usable_names_the_head_says_how_many_classes_there_are(folder: Path, labels: Any) -> None:
    """They are called by their numbers then."""
    change(folder / "config.json", lambda config: config.update(id2label=labels))
    model = hugging_face.read(folder, None)
    assert model.spec.classes == tuple("01234") and "called by their numbers" in model.warnings[0] and agrees(model)
    change(folder / "config.json", lambda config: config.pop("id2label"))
    assert hugging_face.read(folder, LABELS).spec.classes == LABELS


def test_names_may_be_numbers(folder: Path) -> None:
    """Each is the name of the output with the index of its key, as for transformers."""
    numbers = {str(index): name for index, name in enumerate((1, 2, 0, 4, 3))}
    change(folder / "config.json", lambda config: config.update(id2label=numbers))
    assert hugging_face.read(folder, None).spec.classes == ("1", "2", "0", "4", "3")


def test_more_names_than_outputs_are_refused(folder: Path) -> None:
    """The weights do not fit a head of seven; transformers itself would make a new one."""
    change(
        folder / "config.json", lambda config: config.update(id2label={str(index): str(index) for index in range(7)})
    )
    with pytest.raises(BadWeights, match=r"2 of another shape: classifier\.bias, classifier\.weight"):
        hugging_face.read(folder, None)


def test_one_output_is_a_label(tmp_path: Path, silent: None) -> None:
    config = tiny_config(id2label={0: "hot dog"}, label2id={"hot dog": 0})
    model = hugging_face.read(save(tmp_path / "m", transformers_network(config, SIDE), tiny_processor()), None)
    assert model.spec.multi_label and model.spec.classes == ("hot dog",) and agrees(model)


def test_of_two_networks_of_one_type_the_named_one_is_built(tmp_path: Path, silent: None) -> None:
    """DeiT with a teacher has two heads, whose mean counts; which one it is stands under `architectures`."""
    sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = transformers.DeiTConfig(**sizes, image_size=SIDE, patch_size=8, id2label=dict(enumerate(LABELS)))
    processor = transformers.DeiTImageProcessor(size={"height": 36, "width": 36}, crop_size={"height": 32, "width": 32})
    network = transformers.DeiTForImageClassificationWithTeacher(config).eval()
    model = hugging_face.read(save(tmp_path / "m", network, processor), None)
    pixels = torch.rand(2, 3, SIDE, SIDE)
    with torch.no_grad():
        assert torch.equal(model.network(pixels), network(pixels).logits)


# Weights.


def test_weights_in_several_files(tmp_path: Path, silent: None) -> None:
    network = transformers_network(tiny_config(), SIDE)
    tiny_processor().save_pretrained(tmp_path / "m")
    network.save_pretrained(tmp_path / "m", max_shard_size="20KB")
    assert len(list((tmp_path / "m").glob("model-*.safetensors"))) > 2
    model = hugging_face.read(tmp_path / "m", None)
    assert agrees(model) and same(model, network)
    shards = sorted(path.name for path in (tmp_path / "m").glob("model-*.safetensors"))
    printed = subprocess.run(["sha256sum", *shards], cwd=tmp_path / "m", capture_output=True).stdout
    assert model.source["sha256"] == hashlib.sha256(printed).hexdigest()


def same(model: SourceModel, network: nn.Module) -> bool:
    """Whether the model has exactly the logits of a network of transformers."""
    pixels = torch.rand(2, 3, SIDE, SIDE)
    with torch.no_grad():
        return torch.equal(model.network(pixels), network(pixels).logits)


def test_weights_in_the_older_format(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    assert agrees(hugging_face.read(folder, None))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_in_float32(folder: Path, dtype: torch.dtype) -> None:
    weights = {key: tensor.to(dtype) for key, tensor in load_file(folder / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors")
    change(folder / "config.json", lambda config: config.update(dtype=str(dtype).removeprefix("torch.")))
    model = hugging_face.read(folder, None)
    assert model.source["dtype"] == str(dtype).removeprefix("torch.") and agrees(model)


@pytest.mark.parametrize("version", [4, 5])
def test_names_of_both_versions_are_understood(tmp_path: Path, silent: None, version: int) -> None:
    """Version 5 has shorter names for the layers of a ViT; files have the names of before, also those that it saves."""
    network = transformers_network(tiny_config(), SIDE)
    folder = save(tmp_path / "m", network, tiny_processor())
    query = {4: "vit.encoder.layer.0.attention.attention.query.weight", 5: "vit.layers.0.attention.q_proj.weight"}
    if version == 5:
        save_file({key: tensor.clone() for key, tensor in network.state_dict().items()}, folder / "model.safetensors")
    assert query[version] in load_file(folder / "model.safetensors")
    assert same(hugging_face.read(folder, None), network)


@pytest.mark.parametrize(
    ("edit", "reason"),
    [
        (lambda weights: weights.pop("classifier.weight"), r"1 missing: classifier\.weight"),
        (lambda weights: weights.update(extra=torch.zeros(1)), "1 unknown: extra"),
        (lambda weights: weights.update({"classifier.bias": torch.zeros(9)}), r"1 of another shape: classifier\.bias"),
        (lambda weights: weights.clear() or weights.update(a=torch.zeros(1)), "missing: classifier.*1 unknown: a"),
    ],
)
def test_weights_of_another_network_are_refused(
    folder: Path, capfd: pytest.CaptureFixture[str], edit: Callable[[dict[str, Any]], object], reason: str
) -> None:
    """With what is wrong, in one line: transformers would print a table and go on."""
    weights = load_file(folder / "model.safetensors")
    edit(weights)
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(BadWeights, match=reason):
        hugging_face.read(folder, None)
    assert capfd.readouterr().err == ""


# What is missing or wrong.


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("config.json", "has no config.json"),
        ("preprocessor_config.json", "has no preprocessor_config.json, which says how pictures are preprocessed: copy"),
        (
            "model.safetensors",
            "has no weights: one of model.safetensors, model.safetensors.index.json, pytorch_model.bin",
        ),
    ],
)
def test_a_missing_file_is_named(folder: Path, name: str, reason: str) -> None:
    (folder / name).unlink()
    with pytest.raises(BadSource, match=reason):
        hugging_face.read(folder, None)


def test_a_processor_that_transformers_does_not_have_is_no_other_one(folder: Path) -> None:
    """Pictures would be preprocessed in another way, without a word."""
    change(folder / "preprocessor_config.json", lambda content: content.update(image_processor_type="CLAHEProcessor"))
    with pytest.raises(BadSource, match="transformers has no image processor 'CLAHEProcessor'"):
        hugging_face.read(folder, None)


def test_a_folder_of_timm_says_how_it_is_imported(folder: Path) -> None:
    """Repositories of timm have a config.json too, without a type of transformers."""
    (folder / "config.json").write_text(json.dumps({"architecture": "resnet18", "pretrained_cfg": {"tag": "a1_in1k"}}))
    with pytest.raises(
        BadSource, match="is a model of timm: give its file of weights, and --architecture timm/resnet18"
    ):
        hugging_face.read(folder, None)


@pytest.mark.parametrize("kind", ["gpt2", "detr", "timm_wrapper", "", "../vit", "no_such_model"])
def test_a_model_of_another_kind_is_refused(folder: Path, kind: str) -> None:
    """The message lists the kinds of image classifiers."""
    change(folder / "config.json", lambda config: config.update(model_type=kind))
    with pytest.raises(UnknownArchitecture, match=r"no image classifier of the type .*; it has: beit, bit, clip"):
        hugging_face.read(folder, None)


def test_a_grey_network(tmp_path: Path, silent: None) -> None:
    """transformers repeats the mean for one channel, and its processors take grey pictures: there is no comparison."""
    config = tiny_config(num_channels=1)
    network = transformers_network(config, SIDE)
    processor = tiny_processor(image_mean=[0.5], image_std=[0.25])
    model = hugging_face.read(save(tmp_path / "m", network, processor), None)
    assert model.spec.channel_names == "L" and (model.spec.mean, model.spec.std) == ((0.5,), (0.25,))
    pixels = torch.rand(2, 1, SIDE, SIDE)
    with torch.no_grad():
        assert torch.equal(model.network(pixels), network(pixels).logits)
    checkpoint.save(tmp_path / "grey.safetensors", model.network, model.spec, {})
    assert checkpoint.load(tmp_path / "grey.safetensors")[0].logits(torch.rand(1, 3, SIDE, SIDE)).shape == (1, 5)


# The Hub.


def test_without_internet_the_message_says_what_can_be_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    for name in ("google/vit-base-patch16-224", "no such/name", "a/b/c"):
        with pytest.raises(WeightsUnavailable, match=f"there is no file or folder {name}, and no model of this name"):
            hugging_face.download(name)


def test_a_model_of_the_cache_is_read_through_its_links(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The Hub's cache keeps the files in `blobs`, and links to them from the folder of the revision."""
    from huggingface_hub import constants

    repository, revision = tmp_path / "hub" / "models--owner--tiny", "0123456789" * 4
    snapshot = repository / "snapshots" / revision
    for path in (repository / "blobs", repository / "refs", snapshot):
        path.mkdir(parents=True)
    (repository / "refs" / "main").write_text(revision)
    for number, file in enumerate(sorted(folder.iterdir())):
        file.rename(repository / "blobs" / str(number))
        (snapshot / file.name).symlink_to(Path("../../blobs") / str(number))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    place = hugging_face.download("owner/tiny")
    assert place == snapshot and agrees(hugging_face.read(place, None, name="owner/tiny"))
    assert hugging_face.read(place, None, name="owner/tiny").source["name"] == "owner/tiny"
