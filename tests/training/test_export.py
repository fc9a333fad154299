import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from models import architectures
from models.classifier import Classifier
from models.resize import matrices
from models.spec import Spec
from models.store import Model, load
from training import export as exporting
from training.export import ExportedClassifier, ExportError, differences, export, open_session, weights

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")


def small() -> Model:
    """SqueezeNet: its export takes less than half of MobileNetV3's time, which the command line's test exports."""
    spec = Spec("squeezenet1_1", ("a", "b", "c"), 48, 56, "bilinear", temperature=0.7)
    torch.manual_seed(0)
    return Model("small", Classifier(lively("squeezenet1_1", 3), spec), {})


def lively(architecture: str, classes: int) -> nn.Module:
    """With logits of some size: torchvision begins some heads at 0, where any graph would agree."""
    network = architectures.build(architecture, classes)
    nn.init.normal_(architectures.head(network).weight, std=0.1)
    return network


@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(180, 180), (100, 333), (301, 77), (40, 30), (57, 56)])
def test_the_weights_are_those_of_the_services_resize(size: tuple[int, int], interpolation: str) -> None:
    spec = Spec("squeezenet1_1", ("a", "b"), 48, 56, interpolation)
    expected = matrices(size, resize=56, crop=48, interpolation=interpolation)
    for length, matrix in zip(size, expected, strict=True):
        found = weights(length, torch.tensor(float(min(size)), dtype=torch.float64), spec)
        assert torch.allclose(found, matrix, atol=1e-6)


def test_the_module_that_is_exported_says_what_the_service_says() -> None:
    model = small()
    pictures = torch.randint(0, 256, (3, 70, 90, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    logits, probabilities = ExportedClassifier(model)(pictures)
    expected = model.classifier.probabilities(pictures.permute(0, 3, 1, 2) / 255)
    assert torch.allclose(probabilities, expected, atol=1e-6)
    assert torch.allclose(logits.softmax(dim=1), expected, atol=1e-6)


def test_the_file_takes_pictures_of_any_size_and_knows_its_classes(tmp_path: Path) -> None:
    model, file = small(), tmp_path / "small.onnx"
    file.write_bytes(b"an earlier one")
    assert export(model, file) < 1e-4
    assert [each.name for each in tmp_path.iterdir()] == ["small.onnx"]
    session = open_session(file)
    for shape in ((2, 3, 61, 200), (1, 3, 500, 333)):
        assert differences(model, session, torch.randint(0, 256, shape, dtype=torch.uint8))[0] < 1e-4
    told = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    assert json.loads(told["classes"]) == ["a", "b", "c"] and json.loads(told["spec"])["input_size"] == 48


def test_a_file_that_says_something_else_is_not_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crop that lies two pixels beside the service's; an earlier export stays."""
    whole = exporting.weights

    def beside(*given: Any) -> torch.Tensor:
        return whole(*given).roll(2, dims=1)

    monkeypatch.setattr(exporting, "weights", beside)
    (tmp_path / "small.onnx").write_bytes(b"an earlier one")
    with pytest.raises(ExportError, match=r"give different results: probabilities differ by 0\.\d+"):
        export(small(), tmp_path / "small.onnx")
    assert {each.name: each.read_bytes() for each in tmp_path.iterdir()} == {"small.onnx": b"an earlier one"}


def test_without_its_packages_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ExportError, match=r"pip install 'mirage-vision\[export\]'"):
        export(small(), tmp_path / "small.onnx")
    with pytest.raises(ExportError, match=r"must end in \.onnx"):
        export(small(), tmp_path / "small.pb")


def test_weights_that_no_onnx_file_holds_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message of protobuf, which such a file is, has 2 GB at most."""
    monkeypatch.setattr(exporting, "MAX_BYTES", 1000)
    with pytest.raises(ExportError, match="GB of weights, but an ONNX file holds"):
        export(small(), tmp_path / "small.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["resnet18", "vgg11", "vit_b_16", "convnext_tiny", "squeezenet1_1"])
def test_other_architectures_and_a_thousand_classes(tmp_path: Path, architecture: str) -> None:
    names = tuple(f"class {number}" for number in range(1000))
    torch.manual_seed(0)
    model = Model(architecture, Classifier(lively(architecture, len(names)), Spec(architecture, names)), {})
    assert export(model, tmp_path / "net.onnx") < 1e-4


@pytest.mark.slow
def test_on_a_hundred_photos_the_bundled_model_agrees(tmp_path: Path, shared: Path) -> None:
    """Files of many sizes, through the whole way: 1e-4 of the checkpoint's probabilities."""
    from models.pictures import decode
    from training.data.sources.open_source import open_source

    model, file = load("cats-dogs"), tmp_path / "cats-dogs.onnx"
    export(model, file)
    source = open_source(shared / "data" / "imagenet-samples.zip")
    names = [name for name in source.names if name.lower().endswith((".jpg", ".jpeg", ".png"))]
    assert len(names) == 100
    session = open_session(file)
    assert max(differences(model, session, decode(source.read(name)).unsqueeze(0))[0] for name in names) < 1e-4
