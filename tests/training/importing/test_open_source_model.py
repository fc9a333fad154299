"""Which kind of source a name is, and what is said about names that are none."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from models.architectures import registered
from models.store import WeightsUnavailable
from training.importing.contents import BadWeightsFile
from training.importing.model import BadSource
from training.importing.open_source_model import UNREADABLE, open_source_model
from training.importing.sources import hugging_face, programs, state_dicts, timm_models


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, tuple[object, ...]]]:
    """Return the readers that are called, with their arguments; none of them reads anything."""
    made: list[tuple[str, tuple[object, ...]]] = []

    def record(name: str) -> Callable[..., None]:
        return lambda *arguments, **_: made.append((name, arguments))

    for name, module, function in (
        ("folder", hugging_face, "read"),
        ("hub", hugging_face, "download"),
        ("program", programs, "read"),
        ("weights", state_dicts, "read"),
        ("timm", timm_models, "published"),
    ):
        monkeypatch.setattr(module, function, record(name))
    return made


@pytest.mark.parametrize("name", ["w.pth", "w.pt", "w.bin", "w.ckpt", "w.safetensors", "w.pth.tar", "w", "w.PTH"])
def test_any_other_file_has_weights(tmp_path: Path, calls: list[object], name: str) -> None:
    (tmp_path / name).touch()
    open_source_model(str(tmp_path / name), "resnet18", ("a", "b"))
    assert calls == [("weights", (tmp_path / name, "resnet18", ("a", "b")))]


def test_a_program_ends_in_pt2(tmp_path: Path, calls: list[object]) -> None:
    (tmp_path / "p.pt2").touch()
    open_source_model(str(tmp_path / "p.pt2"), None, None)
    assert calls == [("program", (tmp_path / "p.pt2", None))]


def test_a_folder_with_a_configuration_is_one_of_hugging_face(tmp_path: Path, calls: list[object]) -> None:
    (tmp_path / "config.json").touch()
    open_source_model(str(tmp_path), None, ("a", "b"))
    assert calls == [("folder", (tmp_path, ("a", "b")))]


def test_a_folder_without_one_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(BadSource, match=r"has no config\.json: give a file of weights, or a Hugging Face folder"):
        open_source_model(str(tmp_path), None, None)


def test_names_of_timm_and_of_the_hub(calls: list[object]) -> None:
    open_source_model("timm/resnet18", None, None)
    open_source_model("google/vit-base-patch16-224", None, ("a", "b"))
    assert calls == [
        ("timm", ("timm/resnet18", None)),
        ("hub", ("google/vit-base-patch16-224",)),
        ("folder", (None, ("a", "b"))),
    ]


def test_a_file_takes_precedence_over_a_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[object]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "timm").mkdir()
    (tmp_path / "timm" / "resnet18").touch()
    open_source_model("timm/resnet18", None, None)
    assert calls == [("weights", (Path("timm/resnet18"), None, None))]


def test_an_architecture_is_only_for_weights_in_a_file(tmp_path: Path, calls: list[object]) -> None:
    (tmp_path / "p.pt2").touch()
    (tmp_path / "config.json").touch()
    for source in (str(tmp_path), str(tmp_path / "p.pt2"), "timm/resnet18", "owner/model"):
        with pytest.raises(BadSource, match="--architecture is for weights in a file: this source says itself"):
            open_source_model(source, "resnet18", None)


@pytest.mark.parametrize("suffix", UNREADABLE)
def test_files_of_other_libraries_say_what_to_do(tmp_path: Path, suffix: str) -> None:
    (tmp_path / f"model{suffix}").touch()
    with pytest.raises(BadSource, match=f"model{suffix} cannot be imported: .*: (export|load|convert)"):
        open_source_model(str(tmp_path / f"model{suffix}"), None, None)


@pytest.mark.parametrize("source", ["w.pth", "w.pt2", "folder/w.safetensors", "/no/such/place", "/no/w.onnx"])
def test_a_missing_file_is_no_name(source: str) -> None:
    with pytest.raises(BadSource, match=f"there is no file or folder {source}"):
        open_source_model(source, None, None)


@pytest.mark.parametrize("source", ["model", "model.onnx", "", "x" * 5000])
def test_a_name_without_an_owner_is_none_of_the_hub(source: str) -> None:
    with pytest.raises(BadSource, match="and a name on the Hugging Face Hub is OWNER/MODEL") as refused:
        open_source_model(source, None, None)
    assert len(str(refused.value)) < 500


def test_an_architecture_is_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registered, "_added", {"mine": lambda classes: torch.nn.Linear(1, classes)})
    with pytest.raises(BadSource, match=r"resnet18 is an architecture, and has no weights: .*imagenet/resnet18"):
        open_source_model("resnet18", None, None)
    with pytest.raises(
        BadSource, match="mine is an architecture, and has no weights: give a file of weights"
    ) as refused:
        open_source_model("mine", None, None)
    assert "imagenet/" not in str(refused.value), "torchvision has none of this name"


def test_what_a_reader_says_is_said(tmp_path: Path) -> None:
    (tmp_path / "w.pth").write_text("no weights")
    with pytest.raises(BadWeightsFile, match=r"w\.pth is no file that torch\.save wrote, or is damaged"):
        open_source_model(str(tmp_path / "w.pth"), None, None)


def test_the_hub_without_internet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("transformers")
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(WeightsUnavailable, match=r"give the path of a file of weights, of a folder with config\.json"):
        open_source_model("owner/model", None, None)
