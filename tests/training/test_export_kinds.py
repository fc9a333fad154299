"""Tests that exported files have the service's probabilities for every kind of preprocessing and output."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from models.preprocessing import input_matrices
from models.resize import KERNELS
from models.store import Model
from tests.kinds_of_networks import convolutional, rectangular_spec
from training.export import ExportedClassifier, differences, export, open_session, weights

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

BGR: dict[str, Any] = {"colours": "BGR", "mean": (0.4, 0.5, 0.6), "std": (0.2, 0.25, 0.3)}
PAD: dict[str, Any] = {"resize_mode": "pad", "padding": (0.2, 0.5, 0.9)}
KINDS: dict[str, dict[str, Any]] = {
    "rectangle": {"resize": (28, 42)},
    "squash": {"resize_mode": "squash", "resize": (28, 40), "interpolation": "lanczos"},
    "pad": PAD,
    "pad, cropped": {**PAD, "resize": (30, 50), "interpolation": "bicubic"},
    "crop down": {"resize": (27, 41), "crop_down": True},
    "aliased": {"interpolation": "bicubic", "antialias": False},
    "nearest": {"interpolation": "nearest", "input_size": 32, "resize": 36},
    "BGR": BGR,
    "LA": {"colours": "LA", "mean": (0.5, 0.0), "std": (0.5, 1.0)},
    "labels": {"multi_label": True, "temperature": 0.7},
    "a label": {"multi_label": True, "classes": ("a",)},
    "probabilities": {"outputs": "probabilities", "temperature": 1.5},
    "probabilities of labels": {"outputs": "probabilities", "multi_label": True},
    "background": {"background": True},
    "binary": {"binary": True, "classes": ("a", "b"), "temperature": 0.7},
    "binary, of probabilities": {"binary": True, "classes": ("a", "b"), "outputs": "probabilities"},
    "background and probabilities": {"outputs": "probabilities", "background": True},
}
SIZES = [(50, 70), (70, 50), (9, 13), (1, 400), (400, 1), (24, 36)]


def model_of(name: str, **fields: Any) -> Model:
    return Model(name, convolutional(rectangular_spec((24, 36), **fields)), {})


@pytest.mark.parametrize("kind", KINDS)
def test_the_exported_module_has_the_probabilities_of_the_service(kind: str) -> None:
    """Of noise in landscape, portrait, smaller than the input, and of single rows and columns."""
    model = model_of(kind, **KINDS[kind])
    for size in SIZES:
        random = torch.Generator().manual_seed(0)
        pictures = torch.randint(0, 256, (2, *size, 3), dtype=torch.uint8, generator=random)
        _, probabilities = ExportedClassifier(model)(pictures)
        expected = model.classifier.probabilities(pictures.permute(0, 3, 1, 2) / 255)
        torch.testing.assert_close(probabilities, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("antialias", [True, False])
@pytest.mark.parametrize("interpolation", KERNELS)
@pytest.mark.parametrize("mode", ["crop", "squash", "pad"])
def test_the_weights_of_every_resize_are_those_of_the_service(mode: str, interpolation: str, antialias: bool) -> None:
    """Also where a box ends in the middle of a pixel: 60 pixels become 24 in steps of 2.5."""
    spec = rectangular_spec(
        (24, 36), resize=(24, 40), resize_mode=mode, interpolation=interpolation, antialias=antialias
    )
    for size in [*SIZES, (60, 100), (2, 3), (11, 77)]:
        for exported, matrix in zip(weights(size, spec), input_matrices(size, spec)[:2], strict=True):
            torch.testing.assert_close(exported, matrix, rtol=0, atol=1e-6)


FILES: dict[str, dict[str, Any]] = {
    "labels": {"resize_mode": "squash", "resize": (28, 40), "interpolation": "box", "multi_label": True, **BGR},
    "background": {**PAD, "resize": (30, 50), "interpolation": "lanczos", "outputs": "probabilities",
                   "background": True},
    "sigmoids": {"resize": (28, 42), "antialias": False, "outputs": "probabilities", "multi_label": True,
                 "colours": "LA", "mean": (0.5, 0.0), "std": (0.5, 1.0)},
}  # fmt: skip
"""Files that have all kinds between them."""


@pytest.mark.parametrize(
    "kind", ["labels", *(pytest.param(kind, marks=pytest.mark.slow) for kind in FILES if kind != "labels")]
)
def test_the_file_has_the_probabilities_of_the_service(tmp_path: Path, kind: str) -> None:
    """For pictures of any size in onnxruntime; its metadata has the whole spec."""
    model, file = model_of(kind, **FILES[kind]), tmp_path / "kind.onnx"
    assert export(model, file) < 1e-4
    session = open_session(file)
    for size in ((61, 200), (333, 50), (1, 90), (24, 36)):
        random = torch.Generator().manual_seed(0)
        picture = torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8, generator=random)
        assert max(differences(model, session, picture)) < 1e-4
    metadata = {entry.key: entry.value for entry in onnx.load(file).metadata_props}
    spec = json.loads(metadata["spec"])
    assert spec["input_size"] == [24, 36]
    assert {name: spec[name] for name in ("multi_label", "outputs", "background", "resize_mode")} == {
        "multi_label": model.spec.multi_label,
        "outputs": model.spec.outputs,
        "background": model.spec.background,
        "resize_mode": model.spec.resize_mode,
    }
