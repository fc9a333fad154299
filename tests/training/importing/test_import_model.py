"""A whole import of each kind of source: the checkpoint, its provenance, and what is printed."""

import shlex
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import nn

from models import checkpoint, store
from models.architectures import registered
from models.version import project_version
from tests.foreign_networks import save, timm_network, transformers_network
from tests.training.importing.importing import imported, run
from tests.training.importing.own_network import Own
from tests.training.importing.programs.programs import export, small
from tests.training.importing.sources.folders import LABELS, SIDE, tiny_config, tiny_processor
from tests.training.importing.weight_files import source_network, write
from training.importing.options import SpecOptions

CLASSES = ("cat", "dog", "tree frog", "lemon", "tea cup", "fox", "owl")


def torchvisions(folder: Path) -> tuple[str, dict[str, Any], nn.Module]:
    network = source_network("squeezenet1_1")
    content = {"state_dict": network.state_dict(), "classes": CLASSES}
    return str(write(folder / "mine.pth", content)), {}, network


def timms(folder: Path) -> tuple[str, dict[str, Any], nn.Module]:
    pytest.importorskip("timm")
    network = timm_network("test_vit")
    file = write(folder / "mine.pth", {"model": network.state_dict()})
    return str(file), {"architecture": "timm/test_vit", "classes": ",".join(CLASSES)}, network


def hugging_faces(folder: Path) -> tuple[str, dict[str, Any], nn.Module]:
    pytest.importorskip("transformers")
    network = transformers_network(tiny_config(), SIDE)
    return str(save(folder / "model", network, tiny_processor())), {}, network


def exported(folder: Path) -> tuple[str, dict[str, Any], nn.Module]:
    network = small()
    return str(export(network, folder / "mine.pt2")), {"classes": "cat,dog,fox,owl"}, network


def own(folder: Path) -> tuple[str, dict[str, Any], nn.Module]:
    network = Own(7)
    file = write(folder / "mine.pth", network.state_dict())
    return str(file), {"architecture": "mine", "classes": ",".join(CLASSES)}, network


KINDS = {
    "torchvision": torchvisions,
    "timm": timms,
    "huggingface": hugging_faces,
    "exported": exported,
    "registered": own,
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_becomes_a_checkpoint_with_its_provenance(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network has the source's weights, and everything about where they come from is recorded."""
    monkeypatch.setattr(registered, "_added", {"mine": Own})
    source, options, network = KINDS[kind](tmp_path)
    output = tmp_path / "deep" / "imported.safetensors"
    printed = run(source, output, licence="MIT", **options)
    stored = checkpoint.read(output)
    provenance = stored.provenance
    assert provenance["source"]["kind"] == kind and provenance["source"]["licence"] == "MIT"
    assert len(provenance["source"]["sha256"]) == 64
    assert provenance["parent"]["licence"] == "MIT" and provenance["parent"]["digest"] == provenance["source"]["sha256"]
    assert provenance["parent"]["name"] == Path(source).name
    assert provenance["versions"]["mirage"] == project_version() and "torch" in provenance["versions"]
    library = {"torchvision": "torchvision", "timm": "timm", "huggingface": "transformers"}.get(kind)
    assert library is None or library in provenance["versions"]
    assert provenance["created"] == datetime.now(UTC).date().isoformat()
    command = shlex.split(provenance["command"])
    assert command[:6] == ["python", "-m", "training", "import", Path(source).name, "--output"]
    assert str(tmp_path) not in str(provenance), "it has no paths of this machine"
    compared = kind in ("torchvision", "timm", "huggingface")
    assert (provenance["agreement"] is not None) == compared
    if compared:
        assert provenance["agreement"]["same_top"] == 4
        assert provenance["agreement"]["tolerance"] == {"levels": 1.5, "logits": 0.05}
        assert f"compared with {kind}'s own preprocessing" in printed
    assert "metrics" not in provenance
    assert f"{output} is ready; the card is {output.with_suffix('.md')}" in printed
    assert f"MIRAGE_CHECKPOINTS={output.parent} MIRAGE_MODELS=imported python -m app" in printed
    assert sorted(path.name for path in output.parent.iterdir()) == ["imported.md", "imported.safetensors"]
    card = output.with_suffix(".md").read_text()
    assert card.startswith("# imported\n") and "Licence: MIT" in card
    pixels = torch.rand(2, 3, *stored.spec.size)
    with torch.no_grad():
        expected = network(pixels)
        expected = getattr(expected, "logits", expected)
        logits = checkpoint.load(output)[0].network[1](pixels)
    torch.testing.assert_close(logits, expected, rtol=1e-4, atol=1e-4)
    assert store.load("imported", folder=output.parent).spec == stored.spec


@pytest.mark.parametrize(
    ("suffix", "dtype"),
    [
        (".pth", torch.float16),
        (".safetensors", torch.float32),
        pytest.param(".safetensors", torch.bfloat16, marks=pytest.mark.slow),
    ],
)
def test_the_checkpoint_keeps_the_type_of_the_weights(tmp_path: Path, suffix: str, dtype: torch.dtype) -> None:
    """So that it is no larger than the file, and not rounded where the file is not."""
    network = source_network("squeezenet1_1").to(dtype)
    file = write(tmp_path / f"w{suffix}", network.state_dict())
    imported(file, tmp_path / "out.safetensors", classes=",".join(CLASSES))
    with safe_open(tmp_path / "out.safetensors", framework="pt") as stored:
        assert {stored.get_tensor(key).dtype for key in stored.keys()} == {dtype}  # noqa: SIM118 - not a dict
        assert all(torch.equal(stored.get_tensor(key), tensor) for key, tensor in network.state_dict().items())


def test_tied_weights_are_stored_under_both_names(tmp_path: Path) -> None:
    """safetensors itself refuses tensors that share memory."""
    weights = dict(source_network("resnet18").state_dict())
    weights["layer1.1.conv1.weight"] = weights["layer1.0.conv1.weight"]
    stored = imported(write(tmp_path / "w.pth", weights), tmp_path / "out.safetensors", classes=",".join(CLASSES))
    assert torch.equal(stored.weights["layer1.1.conv1.weight"], stored.weights["layer1.0.conv1.weight"])


def test_warnings_are_printed_and_recorded(tmp_path: Path) -> None:
    file = write(tmp_path / "w.pth", source_network("squeezenet1_1", 9).state_dict())
    printed = run(file, tmp_path / "out.safetensors")
    warnings = checkpoint.read(tmp_path / "out.safetensors").provenance["warnings"]
    begins = ("the file has no names of classes", "the names and shapes of the weights are", "nothing in the file says")
    for warning, begin in zip(warnings, begins, strict=True):
        assert warning.startswith(begin) and f"warning: {warning}" in printed
        assert f"**Warning:** {warning[0].upper()}{warning[1:]}." in (tmp_path / "out.md").read_text()


def test_what_the_options_say_is_no_warning(tmp_path: Path) -> None:
    """A program does not say how pictures are preprocessed; mean, standard deviation and size together do."""
    file = export(small(), tmp_path / "p.pt2")
    for options, warns in (
        (SpecOptions(), 1),
        (SpecOptions(outputs="logits"), 1),
        (SpecOptions(padding="0.5"), 1),
        (SpecOptions(mean="0.5", std="0.5"), 1),
        (SpecOptions(mean="0.5", std="0.5", resize="70"), 0),
    ):
        printed = run(file, tmp_path / "out.safetensors", classes="a,b,c,d", spec=options, overwrite=True)
        stored = checkpoint.read(tmp_path / "out.safetensors")
        assert printed.count("says how pictures are preprocessed") == warns == len(stored.provenance["warnings"])
    assert stored.spec.mean == (0.5,) * 3


def test_with_another_preprocessing_there_is_no_comparison(tmp_path: Path) -> None:
    source, options, _ = torchvisions(tmp_path)
    changed = imported(source, tmp_path / "out.safetensors", **options, spec=SpecOptions(interpolation="bicubic"))
    assert changed.spec.interpolation == "bicubic" and changed.provenance["agreement"] is None


def test_the_names_of_the_classes_are_summarised(tmp_path: Path) -> None:
    source, options, _ = torchvisions(tmp_path)
    printed = run(source, tmp_path / "out.safetensors", **options)
    assert printed.startswith(
        "squeezenet1_1: 0.7 million weights, 7 classes (cat, dog, tree frog, lemon, tea cup, ...)\n"
    )
    assert len(LABELS) == 5
