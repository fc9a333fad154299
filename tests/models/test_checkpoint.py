"""Tests saving and loading checkpoints, and that a damaged or changed checkpoint is refused."""

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
from models.checkpoint import BadCheckpoint, load, read, replace_provenance, save
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
    """Return a checkpoint in a folder that save() had to create."""
    file = tmp_path / "models" / "insects.safetensors"
    save(file, squeezenet, squeezenet_spec, PROVENANCE)
    return file


def rewrite(path: Path, change: Callable[[dict[str, str], dict[str, torch.Tensor]], None]) -> None:
    """Change the header or the weights of a checkpoint file in place."""
    with safe_open(path, framework="pt") as file:
        header, weights = dict(file.metadata()), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    change(header, weights)
    save_file(weights, path, header)


def change_spec(path: Path, **fields: object) -> None:
    def change(header: dict[str, str], _: dict[str, torch.Tensor]) -> None:
        header["spec"] = json.dumps({**json.loads(header["spec"]), **fields})

    rewrite(path, change)


def test_what_was_saved_is_loaded(path: Path, squeezenet: nn.Module, squeezenet_spec: Spec) -> None:
    """Spec and provenance are unchanged; the probabilities are those of the network with weights rounded to float16."""
    classifier, stored = load(path)
    assert stored.spec == classifier.spec == squeezenet_spec
    assert stored.provenance == PROVENANCE
    pixels = to_float(golden_pictures()[0]).unsqueeze(0)
    rounded = squeezenet.half().float()
    expected = checkpoint.Classifier(rounded, squeezenet_spec).probabilities(pixels)
    torch.testing.assert_close(classifier.probabilities(pixels), expected, rtol=1e-4, atol=1e-5)


def test_half_precision_weights_barely_change_probabilities(
    path: Path, squeezenet: nn.Module, squeezenet_spec: Spec
) -> None:
    """Probabilities change by less than 0.001, and the file has two bytes per weight."""
    pixels = to_float(golden_pictures()[0]).unsqueeze(0)
    full = checkpoint.Classifier(squeezenet, squeezenet_spec).probabilities(pixels)
    classifier, _ = load(path)
    assert (classifier.probabilities(pixels) - full).abs().max() < 1e-3
    weights = sum(weight.numel() for weight in squeezenet.parameters())
    assert 2 * weights < path.stat().st_size < 2 * weights + 30_000


def test_weights_are_loaded_as_float32(path: Path) -> None:
    classifier, _ = load(path)
    assert {weight.dtype for weight in classifier.network.parameters()} == {torch.float32}


def test_a_channels_last_network_with_batch_norm_counters_is_saved(tmp_path: Path) -> None:
    """Batch-norm counters are integers, and safetensors takes contiguous tensors only; save() must handle both."""
    spec = Spec("mobilenet_v3_small", ("a", "b"), input_size=32, resize=32)
    network = checkpoint.architectures.build(spec.architecture, 2).to(memory_format=torch.channels_last)
    network.features[0][1].num_batches_tracked.fill_(100_000)
    save(tmp_path / "m.safetensors", network, spec, {})
    assert read(tmp_path / "m.safetensors").weights["features.0.1.num_batches_tracked"].item() == 100_000
    load(tmp_path / "m.safetensors")


def test_a_one_channel_network_is_saved_and_loaded(tmp_path: Path, squeezenet_spec: Spec) -> None:
    """It gives a colour picture and its grey version the same result, and a spec of three channels does not fit it."""
    spec = replace(squeezenet_spec, mean=(0.45,), std=(0.25,))
    network = checkpoint.architectures.build(spec.architecture, len(spec.classes), channels=1)
    file = tmp_path / "grey.safetensors"
    save(file, network, spec, PROVENANCE)
    classifier, stored = load(file)
    assert stored.spec == classifier.spec == spec and stored.spec.channels == 1
    assert stored.weights["features.0.weight"].shape == (64, 1, 3, 3)
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
    """Training goes on after the checkpoint of an epoch, so weights must stay float32 and still require gradients."""
    assert all(weight.dtype == torch.float32 and weight.requires_grad for weight in squeezenet.parameters())


def test_a_failed_write_leaves_the_old_checkpoint(
    path: Path, squeezenet: nn.Module, squeezenet_spec: Spec, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full during the write: the old file is unchanged, and no other file is left in the folder."""
    before = path.read_bytes()

    def fail_full_disk(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", fail_full_disk)
    with pytest.raises(OSError, match="No space"):
        save(path, squeezenet, squeezenet_spec, {"other": True})
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


def test_saving_again_replaces_the_checkpoint(path: Path, squeezenet: nn.Module, squeezenet_spec: Spec) -> None:
    save(path, squeezenet, squeezenet_spec, {"second": True})
    assert read(path).provenance == {"second": True}
    assert os.listdir(path.parent) == [path.name]


def test_other_provenance_leaves_everything_else_as_it_is(path: Path) -> None:
    before = read(path)
    replace_provenance(path, {"metrics": {"accuracy": 1.0}})
    _, after = load(path)
    assert after.provenance == {"metrics": {"accuracy": 1.0}}
    assert (after.spec, after.golden) == (before.spec, before.golden)
    assert all(torch.equal(tensor, after.weights[name]) for name, tensor in before.weights.items())


def test_a_checkpoint_is_readable_by_every_user(path: Path) -> None:
    """Training may run as one user and the service as another, so the mode is 644."""
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_missing_file_is_reported_by_name(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"nowhere\.safetensors"):
        load(tmp_path / "nowhere.safetensors")


@pytest.mark.parametrize("length", [0, 5, 8, 100, 2000, -1])
def test_a_truncated_file_is_refused(path: Path, length: int) -> None:
    path.write_bytes(path.read_bytes()[:length])
    with pytest.raises(BadCheckpoint, match=r"insects\.safetensors"):
        load(path)


def test_a_pickle_is_refused_and_not_run(tmp_path: Path) -> None:
    """A file of torch.save can run code when it is loaded; one with our suffix is refused like any foreign file."""
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
def test_a_header_without_one_of_its_fields_is_refused(path: Path, field: str) -> None:
    rewrite(path, lambda header, _: header.__delitem__(field))
    with pytest.raises(BadCheckpoint, match=r"insects\.safetensors"):
        load(path)


@pytest.mark.parametrize(
    "golden", ["[]", "{}", "null", "3", '"x"', "[[]]", "[[1, 2], [3]]", '[["a"]]', "[[NaN, 1, 1]]", "[[1,2,3]]"]
)
def test_golden_logits_that_are_no_matrix_of_the_right_shape_are_refused(path: Path, golden: str) -> None:
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
def test_preprocessing_that_differs_from_training_is_refused(path: Path, fields: dict[str, object]) -> None:
    """A mean, size or temperature that differs from the one at saving time changes the golden logits."""
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
        ({"mean": [0.5]}, "one finite number for each"),
    ],
)
def test_a_spec_that_does_not_fit_is_refused(path: Path, fields: dict[str, object], reason: str) -> None:
    change_spec(path, **fields)
    with pytest.raises(BadCheckpoint, match=reason):
        load(path)


def test_changed_weights_are_refused(path: Path) -> None:
    """Doubling one tensor of the first layer changes the golden logits."""
    rewrite(path, lambda _, weights: weights.update({"features.0.weight": weights["features.0.weight"] * 2}))
    with pytest.raises(BadCheckpoint, match="gives other logits here"):
        load(path)


def test_nan_weights_are_refused(path: Path) -> None:
    rewrite(path, lambda _, weights: weights["features.0.weight"].fill_(torch.nan))
    with pytest.raises(BadCheckpoint, match="gives other logits here"):
        load(path)


def test_a_missing_weight_is_named(path: Path) -> None:
    rewrite(path, lambda _, weights: weights.__delitem__("features.0.weight"))
    with pytest.raises(BadCheckpoint, match=r"missing: features\.0\.weight"):
        load(path)
