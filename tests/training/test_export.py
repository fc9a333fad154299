import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from models import architectures
from models.classifier import Classifier
from models.preprocessing import input_matrices
from models.spec import Spec
from models.store import Model, load
from training import export as exporting
from training.export import ExportedClassifier, ExportError, differences, export, open_session, weights

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


def small() -> Model:
    """A small SqueezeNet, whose export takes less than half of the time of a MobileNetV3."""
    spec = Spec("squeezenet1_1", ("a", "b", "c"), 48, 56, "bilinear", temperature=0.7)
    torch.manual_seed(0)
    return Model("small", Classifier(lively("squeezenet1_1", 3), spec), {})


def lively(architecture: str, classes: int) -> nn.Module:
    """A network with logits of some size: torchvision initialises some heads with 0, where any graph would agree."""
    network = architectures.build(architecture, classes)
    nn.init.normal_(architectures.head(network).weight, std=0.1)
    return network


@pytest.mark.parametrize(
    "preprocessing",
    [
        {"interpolation": "bilinear"},
        {"interpolation": "bicubic"},
        {"interpolation": "lanczos", "resize_mode": "squash", "resize": (56, 64), "input_size": (48, 64)},
        {"interpolation": "nearest", "resize": (50, 80), "input_size": (40, 80)},
        {"interpolation": "bicubic", "antialias": False},
        {"interpolation": "bilinear", "antialias": False, "resize_mode": "pad", "input_size": 64},
        {"interpolation": "hamming", "resize_mode": "pad", "resize": 60},
    ],
)
@pytest.mark.parametrize("size", [(180, 180), (100, 333), (301, 77), (40, 30), (57, 56)])
def test_the_weights_of_the_resize_are_those_of_the_service(
    size: tuple[int, int], preprocessing: dict[str, Any]
) -> None:
    spec = Spec("squeezenet1_1", ("a", "b"), **{"input_size": 48, "resize": 56, **preprocessing})
    for exported, matrix in zip(weights(size, spec), input_matrices(size, spec), strict=False):
        assert torch.allclose(exported, matrix, atol=1e-6)


def test_the_exported_module_has_the_probabilities_of_the_service() -> None:
    model = small()
    pictures = torch.randint(0, 256, (3, 70, 90, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    logits, probabilities = ExportedClassifier(model)(pictures)
    expected = model.classifier.probabilities(pictures.permute(0, 3, 1, 2) / 255)
    assert torch.allclose(probabilities, expected, atol=1e-6)
    assert torch.allclose(logits.softmax(dim=1), expected, atol=1e-6)


def test_the_file_takes_pictures_of_any_size_and_names_its_classes(tmp_path: Path) -> None:
    model, file = small(), tmp_path / "small.onnx"
    file.write_bytes(b"an earlier one")
    assert export(model, file) < 1e-4
    assert [path.name for path in tmp_path.iterdir()] == ["small.onnx"]
    session = open_session(file)
    for shape in ((2, 3, 61, 200), (1, 3, 500, 333)):
        assert differences(model, session, torch.randint(0, 256, shape, dtype=torch.uint8))[0] < 1e-4
    metadata = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert json.loads(metadata["classes"]) == ["a", "b", "c"] and json.loads(metadata["spec"])["input_size"] == 48


def test_a_file_with_other_results_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The crop is two pixels beside that of the service; an earlier export stays."""
    weights = exporting.weights

    def shifted_weights(*arguments: Any) -> tuple[torch.Tensor, torch.Tensor]:
        rows, columns = weights(*arguments)
        return rows.roll(2, dims=1), columns.roll(2, dims=1)

    monkeypatch.setattr(exporting, "weights", shifted_weights)
    (tmp_path / "small.onnx").write_bytes(b"an earlier one")
    with pytest.raises(ExportError, match=r"give different results: probabilities differ by 0\.\d+"):
        export(small(), tmp_path / "small.onnx")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"small.onnx": b"an earlier one"}


def test_without_its_packages_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ExportError, match="pip install onnx onnxruntime onnxscript"):
        export(small(), tmp_path / "small.onnx")
    with pytest.raises(ExportError, match=r"must end in \.onnx"):
        export(small(), tmp_path / "small.pb")


def test_weights_that_are_too_large_for_onnx_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An ONNX file is a protobuf message, which has at most 2 GB; the limit is lowered here."""
    monkeypatch.setattr(exporting, "MAX_BYTES", 1000)
    with pytest.raises(ExportError, match="GB of weights, but an ONNX file holds"):
        export(small(), tmp_path / "small.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["resnet18", "vgg11", "vit_b_16", "convnext_tiny", "squeezenet1_1"])
def test_other_architectures_with_a_thousand_classes_are_exported(tmp_path: Path, architecture: str) -> None:
    names = tuple(f"class {number}" for number in range(1000))
    torch.manual_seed(0)
    model = Model(architecture, Classifier(lively(architecture, len(names)), Spec(architecture, names)), {})
    assert export(model, tmp_path / "net.onnx") < 1e-4


@pytest.mark.slow
def test_the_exported_bundled_model_agrees_on_a_hundred_photos(tmp_path: Path, shared: Path) -> None:
    """For files of many sizes the probabilities differ by less than 1e-4 from those of the checkpoint."""
    from models.pictures import decode
    from training.data.sources.open_source import open_source

    model, file = load("cats-dogs"), tmp_path / "cats-dogs.onnx"
    export(model, file)
    source = open_source(shared / "data" / "imagenet-samples.zip")
    names = [name for name in source.names if name.lower().endswith((".jpg", ".jpeg", ".png"))]
    assert len(names) == 100
    session = open_session(file)
    assert max(differences(model, session, decode(source.read(name)).unsqueeze(0))[0] for name in names) < 1e-4
