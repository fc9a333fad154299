"""Tests that checkpoints keep every kind of preprocessing and output, and that files from before these still load."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from models import architectures, store
from models.checkpoint import BadCheckpoint, load, save
from models.golden import golden_pictures
from models.preprocessing import to_float
from models.spec import Spec

KINDS: dict[str, dict[str, Any]] = {
    "rectangle": {"input_size": (32, 48), "resize": (36, 54)},
    "squash": {"resize_mode": "squash", "resize": (36, 40), "interpolation": "lanczos"},
    "pad": {"resize_mode": "pad", "padding": (0.25, 0.5, 1.0), "interpolation": "box"},
    "aliased": {"antialias": False, "interpolation": "bicubic"},
    "BGR": {"colours": "BGR"},
    "grey and opacity": {"colours": "LA", "mean": (0.5, 0.0), "std": (0.5, 1.0)},
    "labels": {"multi_label": True},
    "a label": {"multi_label": True, "classes": ("only",)},
    "background": {"background": True},
    "without gradients": {"differentiable": False},
}
OLD_FIELDS = ("architecture", "classes", "input_size", "resize", "interpolation", "mean", "std", "temperature")
"""The fields of a spec before it described other kinds."""


def saved(path: Path, spec: Spec) -> Path:
    torch.manual_seed(0)
    network = architectures.build(spec.architecture, len(spec.classes) + spec.background, channels=spec.channels)
    save(path, network, spec, {})
    return path


def spec_of(**fields: Any) -> Spec:
    return Spec("squeezenet1_1", **{"classes": ("ant", "bee", "cat"), "input_size": 32, "resize": 36, **fields})


def change_spec(path: Path, change: Any) -> None:
    with safe_open(path, framework="pt") as file:
        header, weights = dict(file.metadata()), {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    header["spec"] = json.dumps(change(json.loads(header["spec"])))
    save_file(weights, path, header)


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_saved_is_loaded(tmp_path: Path, kind: str) -> None:
    """The spec is equal, with tuples where JSON has lists, and so are the probabilities of a file by its name."""
    spec = spec_of(**KINDS[kind])
    classifier, stored = load(saved(tmp_path / "kind.safetensors", spec))
    assert stored.spec == classifier.spec == spec
    model = store.load("kind", folder=tmp_path)
    pixels = to_float(golden_pictures()[0]).unsqueeze(0)
    probabilities = classifier.probabilities(pixels)
    assert probabilities.shape == (1, len(spec.classes))
    torch.testing.assert_close(model.classifier.probabilities(pixels), probabilities, rtol=1e-4, atol=1e-5)
    if not spec.multi_label:
        assert probabilities.sum().item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("kind", "changed"),
    [
        ("rectangle", {"input_size": [36, 48]}),
        ("rectangle", {"resize_mode": "squash"}),
        ("pad", {"padding": [0.0, 0.0, 0.0]}),
        ("aliased", {"antialias": True}),
        ("BGR", {"colours": "RGB"}),
        ("background", {"background": False, "classes": ["a", "b", "c", "d"]}),
    ],
)
def test_preprocessing_that_differs_from_saving_is_refused(
    tmp_path: Path, kind: str, changed: dict[str, object]
) -> None:
    """It changes the golden logits."""
    path = saved(tmp_path / "kind.safetensors", spec_of(**KINDS[kind]))
    change_spec(path, lambda spec: {**spec, **changed})
    with pytest.raises(BadCheckpoint, match="gives other logits here"):
        load(path)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"resize_mode": "stretch"}, "resize_mode is one of crop, squash, pad"),
        ({"colours": "RBG"}, "colours is one of RGB, BGR"),
        ({"outputs": "odds"}, "outputs is one of logits, probabilities"),
        ({"input_size": [32]}, "header"),
        ({"input_size": [32, 32, 32]}, "header"),
        ({"padding": [0.5, 0.5, 2.0]}, "padding are from 0 to 1"),
        ({"multi_label": "yes"}, "header"),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(tmp_path: Path, changed: dict[str, object], reason: str) -> None:
    path = saved(tmp_path / "kind.safetensors", spec_of())
    change_spec(path, lambda spec: {**spec, **changed})
    with pytest.raises(BadCheckpoint, match=reason):
        load(path)


def test_a_file_from_before_still_loads(tmp_path: Path) -> None:
    """Its spec has only the old fields; the others get their defaults, so nothing changes."""
    spec = spec_of(temperature=0.7, interpolation="bicubic")
    path = saved(tmp_path / "old.safetensors", spec)
    change_spec(path, lambda stored: {name: stored[name] for name in OLD_FIELDS})
    assert load(path)[1].spec == spec
    assert {field.name for field in fields(Spec)} > set(OLD_FIELDS)


@pytest.mark.parametrize("name", store.checkpoint_names())
def test_the_bundled_files_are_square_classifiers_of_classes(name: str) -> None:
    """They were written before and have none of the new fields; their golden logits agree."""
    with safe_open(store.BUNDLED / f"{name}.safetensors", framework="pt") as file:
        stored = json.loads(file.metadata()["spec"])
    spec = store.load(name).spec
    assert set(stored) == set(OLD_FIELDS)
    assert spec.side == stored["input_size"] and spec.resize == stored["resize"]
    defaults = asdict(Spec("any", ("a", "b")))
    new = {field: value for field, value in asdict(spec).items() if field not in OLD_FIELDS}
    assert new == {field: defaults[field] for field in new}
