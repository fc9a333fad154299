"""One file that holds all that a classifier is, and is refused when it no longer does what it did."""

import json
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from models import checkpoint, files
from models.checkpoint import BadCheckpoint, load, read, save
from models.golden import golden_pictures
from models.preprocessing import to_float
from models.spec import Spec

PROVENANCE = {
    "recipe": {"seed": 1, "steps": 200},
    "metrics": {"accuracy": 0.984, "per_class": [0.98, 0.99, 1.0]},
    "parent": {"name": "squeezenet1_1", "licence": "Apache-2.0"},
    "data": {"photos": "sha256:00", "note": "狐"},
}


@pytest.fixture
def path(tmp_path: Path, squeezenet: nn.Module, squeezenet_spec: Spec) -> Path:
    """A checkpoint in a folder that save() had to make."""
    file = tmp_path / "models" / "insects.safetensors"
    save(file, squeezenet, squeezenet_spec, PROVENANCE)
    return file


def rewrite(path: Path, change: Callable[[dict[str, str], dict[str, torch.Tensor]], None]) -> None:
    """Change header or weights of a checkpoint file in place."""
    with safe_open(path, framework="pt") as file:
        header, weights = dict(file.metadata()), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    change(header, weights)
    save_file(weights, path, header)


def change_spec(path: Path, **fields: object) -> None:
    def change(header: dict[str, str], _: dict[str, torch.Tensor]) -> None:
        header["spec"] = json.dumps({**json.loads(header["spec"]), **fields})

    rewrite(path, change)


def test_what_was_saved_is_loaded(path: Path, squeezenet: nn.Module, squeezenet_spec: Spec) -> None:
    """Spec and provenance as they were; the logits are those of the network with weights rounded to 11 bits."""
    classifier, found = load(path)
    assert found.spec == classifier.spec == squeezenet_spec
    assert found.provenance == PROVENANCE
    pixels = to_float(golden_pictures()[0]).unsqueeze(0)
    rounded = squeezenet.half().float()
    wanted = checkpoint.Classifier(rounded, squeezenet_spec).probabilities(pixels)
    torch.testing.assert_close(classifier.probabilities(pixels), wanted, rtol=1e-4, atol=1e-5)


def test_half_precision_is_close_to_full(path: Path, squeezenet: nn.Module, squeezenet_spec: Spec) -> None:
    """Probabilities move by less than a thousandth, and the file has two bytes a weight."""
    pixels = to_float(golden_pictures()[0]).unsqueeze(0)
    full = checkpoint.Classifier(squeezenet, squeezenet_spec).probabilities(pixels)
    classifier, _ = load(path)
    assert (classifier.probabilities(pixels) - full).abs().max() < 1e-3
    weights = sum(weight.numel() for weight in squeezenet.parameters())
    assert 2 * weights < path.stat().st_size < 2 * weights + 30_000


def test_it_is_served_in_float32(path: Path) -> None:
    classifier, _ = load(path)
    assert {weight.dtype for weight in classifier.network.parameters()} == {torch.float32}


def test_networks_with_counters_and_channels_last_are_saved(tmp_path: Path) -> None:
    """Batch norm counts in integers, and safetensors refuses other memory formats than the plain one."""
    spec = Spec("mobilenet_v3_small", ("a", "b"), input_size=32, resize=32)
    network = checkpoint.architectures.build(spec.architecture, 2).to(memory_format=torch.channels_last)
    network.features[0][1].num_batches_tracked.fill_(100_000)
    save(tmp_path / "m.safetensors", network, spec, {})
    assert read(tmp_path / "m.safetensors").weights["features.0.1.num_batches_tracked"].item() == 100_000
    load(tmp_path / "m.safetensors")


def test_a_network_of_one_channel_there_and_back(tmp_path: Path, squeezenet_spec: Spec) -> None:
    """It answers for colours as for their grey, and is refused by the name of three channels."""
    spec = replace(squeezenet_spec, mean=(0.45,), std=(0.25,))
    network = checkpoint.architectures.build(spec.architecture, len(spec.classes), channels=1)
    file = tmp_path / "grey.safetensors"
    save(file, network, spec, PROVENANCE)
    classifier, found = load(file)
    assert found.spec == classifier.spec == spec and found.spec.channels == 1
    assert found.weights["features.0.weight"].shape == (64, 1, 3, 3)
    pixels = to_float(golden_pictures()[0]).unsqueeze(0)
    rounded = checkpoint.Classifier(network.half().float(), spec)
    torch.testing.assert_close(classifier.probabilities(pixels), rounded.probabilities(pixels), rtol=1e-4, atol=1e-5)
    grey = (pixels * torch.tensor([0.299, 0.587, 0.114]).reshape(1, 3, 1, 1)).sum(dim=1, keepdim=True)
    torch.testing.assert_close(
        classifier.probabilities(grey.expand(-1, 3, -1, -1)), classifier.probabilities(pixels), rtol=1e-4, atol=1e-5
    )
    change_spec(file, mean=[0.45] * 3, std=[0.25] * 3)
    with pytest.raises(BadCheckpoint, match="of another shape"):
        load(file)


def test_saving_leaves_the_network_as_it_was(path: Path, squeezenet: nn.Module) -> None:
    """Training goes on after an epoch's checkpoint: float32 weights that want gradients."""
    assert all(weight.dtype == torch.float32 and weight.requires_grad for weight in squeezenet.parameters())


def test_a_crash_leaves_the_old_file(
    path: Path, squeezenet: nn.Module, squeezenet_spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full midway: the old checkpoint loads, and nothing else lies in the folder."""
    before = path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        save(path, squeezenet, squeezenet_spec, {"other": True})
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_a_checkpoint_replaces_another(path: Path, squeezenet: nn.Module, squeezenet_spec: Spec) -> None:
    save(path, squeezenet, squeezenet_spec, {"second": True})
    assert read(path).provenance == {"second": True}
    assert os.listdir(path.parent) == [path.name]


def test_the_services_own_user_may_read_it(path: Path) -> None:
    """Written by one user, served by another."""
    assert path.stat().st_mode & 0o777 == 0o644


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.safetensors"):
        load(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("kept", [0, 5, 8, 100, 2000, -1])
def test_a_cut_file_is_refused(path: Path, kept: int) -> None:
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(BadCheckpoint, match=r"insects\.safetensors"):
        load(path)


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    """torch.save's format can run code; under our name it is a file like any other that is not ours."""
    ran = tmp_path / "ran"

    class Trap:
        def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
            return os.mkdir, (str(ran),)

    for name, data in {"plain": pickle.dumps(Trap()), "torch": None}.items():
        file = tmp_path / f"{name}.safetensors"
        torch.save({"trap": Trap()}, file) if data is None else file.write_bytes(data)
        with pytest.raises(BadCheckpoint, match="no safetensors file"):
            load(file)
    assert not ran.exists()


def test_a_foreign_safetensors_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "foreign.safetensors"
    save_file({"weight": torch.zeros(3)}, file, {"format": "pt"})
    with pytest.raises(BadCheckpoint, match="carries no spec of format 1: was it written by training"):
        load(file)
    save_file({"weight": torch.zeros(3)}, file)
    with pytest.raises(BadCheckpoint, match="carries no spec"):
        load(file)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("spec", "{"),
        ("spec", "[]"),
        ("spec", "null"),
        ("spec", '{"architecture": "squeezenet1_1"}'),
        ("provenance", "not json"),
        ("golden", "[[1, 2"),
        ("mirage", "2"),
    ],
)
def test_a_damaged_header_is_refused(path: Path, field: str, value: str) -> None:
    rewrite(path, lambda header, _: header.__setitem__(field, value))
    with pytest.raises(BadCheckpoint, match=r"insects\.safetensors"):
        load(path)


@pytest.mark.parametrize("field", ["spec", "provenance", "golden", "mirage"])
def test_a_header_must_be_whole(path: Path, field: str) -> None:
    rewrite(path, lambda header, _: header.__delitem__(field))
    with pytest.raises(BadCheckpoint, match=r"insects\.safetensors"):
        load(path)


@pytest.mark.parametrize(
    "golden", ["[]", "{}", "null", "3", '"x"', "[[]]", "[[1, 2], [3]]", '[["a"]]', "[[NaN, 1, 1]]", "[[1,2,3]]"]
)
def test_golden_logits_of_another_kind_are_refused(path: Path, golden: str) -> None:
    rewrite(path, lambda header, _: header.__setitem__("golden", golden))
    with pytest.raises(BadCheckpoint, match=r"insects\.safetensors"):
        load(path)


@pytest.mark.parametrize(
    "fields",
    [
        {"mean": [0.5, 0.5, 0.5]},
        {"std": [0.5, 0.5, 0.5]},
        {"resize": 40},
        {"input_size": 36},
        {"interpolation": "bicubic"},
        {"temperature": 1.5},
    ],
)
def test_other_preprocessing_than_trainings_is_caught(path: Path, fields: dict[str, object]) -> None:
    """The golden logits tell: no model is served with another mean, size or temperature than it was measured with."""
    change_spec(path, **fields)
    with pytest.raises(BadCheckpoint, match="gives other logits here"):
        load(path)


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"architecture": "resnet18"}, "not of this architecture"),
        ({"architecture": "no_such_net"}, "no classifier called"),
        ({"classes": ["ant", "bee"]}, "of another shape"),
        ({"classes": ["ant"]}, "two classes"),
        ({"std": [0.0, 1.0, 1.0]}, "std"),
        ({"input_size": 1_000_000}, "input_size"),
        ({"surprise": 1}, "surprise"),
        ({"mean": ["a", "b", "c"]}, "header"),
        ({"std": ["a", "b", "c"]}, "header"),
        ({"classes": [1, 2, 3]}, "header"),
        ({"classes": "abc"}, "header"),
        ({"architecture": 7}, "header"),
        ({"input_size": 32.5}, "header"),
        ({"mean": [0.5], "std": [0.5]}, "of another shape"),
        ({"mean": [0.5]}, "three values each, or one"),
    ],
)
def test_a_spec_that_does_not_fit_is_refused(path: Path, fields: dict[str, object], reason: str) -> None:
    change_spec(path, **fields)
    with pytest.raises(BadCheckpoint, match=reason):
        load(path)


def test_changed_weights_are_caught(path: Path) -> None:
    """One tensor of the first layer doubled: the golden logits move."""
    rewrite(path, lambda _, weights: weights.update({"features.0.weight": weights["features.0.weight"] * 2}))
    with pytest.raises(BadCheckpoint, match="gives other logits here"):
        load(path)


def test_weights_that_are_not_numbers_are_caught(path: Path) -> None:
    rewrite(path, lambda _, weights: weights["features.0.weight"].fill_(torch.nan))
    with pytest.raises(BadCheckpoint, match="gives other logits here"):
        load(path)


def test_a_missing_weight_is_named(path: Path) -> None:
    rewrite(path, lambda _, weights: weights.__delitem__("features.0.weight"))
    with pytest.raises(BadCheckpoint, match=r"missing: features\.0\.weight"):
        load(path)
