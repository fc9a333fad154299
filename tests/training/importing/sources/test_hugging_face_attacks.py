"""Folders that anybody may have made: no code in them is run, no file outside is read, and nothing fills the memory."""

import builtins
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.training.importing.malicious import CreatesAFile, proves_itself, python
from tests.training.importing.sources.folders import LABELS, REFUSED, change
from training.importing.contents import BadWeightsFile
from training.importing.model import BadSource
from training.importing.sources import hugging_face

pytest.importorskip("transformers")
JUNK = [None, -1, 0, True, 1e300, 10**9, "abc", "../x", [], [1, 2], {}, {"a": 1}]
"""Values that an entry of a file does not expect."""


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Any attempt to connect fails the test."""

    def refuse(*_: object) -> None:
        pytest.fail("a folder was read, and something connected")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture
def marker(folder: Path, tmp_path: Path) -> Path:
    """Return the file that code in the folder creates when it is imported: there is some under all usual names."""
    marker = tmp_path / "was here"
    for name in ("modeling", "configuration", "image_processing"):
        code = python(marker) + "class Evil: pass\n"
        (folder / f"{name}_evil.py").write_text(code)
    exec(python(marker), {})
    assert marker.exists()
    marker.unlink()
    return marker


AUTO = {
    "AutoConfig": "configuration_evil.Evil",
    "AutoModelForImageClassification": "modeling_evil.Evil",
    "AutoImageProcessor": "image_processing_evil.Evil",
}


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
def test_code_of_the_folder_is_not_run(folder: Path, marker: Path, name: str) -> None:
    """A configuration that asks for it is refused, with what can be done instead of it."""
    change(folder / name, lambda content: content.update(auto_map=AUTO))
    with pytest.raises(BadSource, match=r"asks for Python code of the repository.*, which is never run"):
        hugging_face.read(folder, None)
    assert not marker.exists()


@pytest.mark.parametrize(
    "entry",
    [
        {"trust_remote_code": True},
        {"_attn_implementation": "owner/kernel"},
        {"attn_implementation": "owner/kernel:module.function"},
        {"_attn_implementation": {"": "owner/kernel"}},
        {"_experts_implementation": "owner/kernel"},
        {"use_kernels": True},
        {"_name_or_path": "owner/model"},
        {"name_or_path": "owner/model"},
        {"torch_dtype": "float16"},
        {"dtype": "float64"},
        {"torchscript": True},
        {"backbone": "owner/model", "use_pretrained_backbone": True, "use_timm_backbone": True},
        {"backbone_config": {"model_type": "vit", "auto_map": AUTO}},
        {"is_encoder_decoder": True},
        {"architectures": ["GPT2LMHeadModel", "Evil"]},
    ],
    ids=str,
)
def test_entries_that_lead_elsewhere_do_nothing(folder: Path, marker: Path, entry: dict[str, Any]) -> None:
    """Kernels, backbones and code from the Hub, and other types of numbers: the network is the plain one."""
    change(folder / "config.json", lambda content: content.update(entry))
    model = hugging_face.read(folder, None)
    network = model.network.network
    assert type(network).__module__ == "transformers.models.vit.modeling_vit" and model.spec.classes == LABELS
    assert network.config._attn_implementation == "sdpa"
    assert all(parameter.dtype == torch.float32 for parameter in network.parameters())
    assert not marker.exists()


def test_quantised_weights_are_refused(folder: Path) -> None:
    """Their libraries would have to be called."""
    change(folder / "config.json", lambda content: content.update(quantization_config={"quant_method": "bitsandbytes"}))
    with pytest.raises(BadSource, match="are quantised: import the model in float32 or float16"):
        hugging_face.read(folder, None)


def test_a_pickle_among_the_weights_does_not_run(folder: Path, tmp_path: Path) -> None:
    marker = tmp_path / "was here"
    (folder / "model.safetensors").unlink()
    torch.save({"a": torch.zeros(1), "b": CreatesAFile(marker)}, folder / "pytorch_model.bin")
    proves_itself(folder / "pytorch_model.bin", marker)
    with pytest.raises(BadWeightsFile, match="holds more than weights"):
        hugging_face.read(folder, None)
    assert not marker.exists()


# Files elsewhere.


@pytest.fixture
def opened(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Return the names of files outside the folder, but in the folder of the test, that are opened."""
    names: list[str] = []
    original = builtins.open

    def record(file: Any, *args: Any, **kwargs: Any) -> Any:
        path = Path(os.fspath(file)).resolve() if isinstance(file, str | os.PathLike) else None
        if path is not None and path.is_relative_to(tmp_path) and not path.is_relative_to(folder):
            names.append(path.name)
        return original(file, *args, **kwargs)

    monkeypatch.setattr(builtins, "open", record)
    yield names


def index(folder: Path, *names: object) -> None:
    """Replace the weights by an index that lists these files."""
    (folder / "model.safetensors").rename(folder / "model-1.safetensors")
    content = {"weight_map": {str(number): name for number, name in enumerate(names)}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    "name",
    [
        "../outside.safetensors",
        "{outside}",
        "sub/../../outside.safetensors",
        "./model-1.safetensors",
        "..",
        "x/y.safetensors",
    ],
)
def test_an_index_lists_only_files_of_the_folder(folder: Path, tmp_path: Path, opened: list[str], name: str) -> None:
    save_file({"a": torch.zeros(1)}, tmp_path / "outside.safetensors")
    index(folder, "model-1.safetensors", name.format(outside=tmp_path / "outside.safetensors"))
    with pytest.raises(BadSource, match=r"leads out of|is no \.safetensors file"):
        hugging_face.read(folder, None)
    assert opened == []


@pytest.mark.parametrize("names", [(5,), (None,), (["model-1.safetensors"],), ("model-1.bin",), ("config.json",)])
def test_an_index_lists_only_files_of_weights(folder: Path, names: tuple[object, ...]) -> None:
    index(folder, *names)
    with pytest.raises(BadSource, match=r"lists no files of weights|which is no \.safetensors file"):
        hugging_face.read(folder, None)


@pytest.mark.parametrize("content", ["{}", "[]", '{"weight_map": 5}', '{"weight_map": []}', "no JSON"])
def test_an_index_that_is_none(folder: Path, content: str) -> None:
    index(folder)
    (folder / "model.safetensors.index.json").write_text(content)
    with pytest.raises(BadSource):
        hugging_face.read(folder, None)


@pytest.mark.parametrize(
    "name", ["model.safetensors", "config.json", "preprocessor_config.json", "model-1.safetensors", "pytorch_model.bin"]
)
def test_a_link_that_leaves_the_folder_is_refused(folder: Path, tmp_path: Path, opened: list[str], name: str) -> None:
    """Files of another user, or of the system, might end up in a checkpoint."""
    if name == "model-1.safetensors":
        index(folder, "model-1.safetensors")
    if name == "pytorch_model.bin":
        torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
        (folder / "model.safetensors").unlink()
    (folder / name).rename(tmp_path / "outside")
    (folder / name).symlink_to(tmp_path / "outside")
    with pytest.raises(BadSource, match=f"'{name}' leads out of .*: copy the files of the model into one folder"):
        hugging_face.read(folder, None)
    assert opened == []


def test_links_of_a_cache_lead_to_its_blobs_alone(folder: Path, tmp_path: Path) -> None:
    """A folder that is only called like the cache's gets no more rights than another one."""
    snapshot = tmp_path / "repository" / "snapshots" / "revision"
    snapshot.parent.mkdir(parents=True)
    folder.rename(snapshot)
    (snapshot / "config.json").rename(tmp_path / "outside")
    (snapshot / "config.json").symlink_to(tmp_path / "outside")
    with pytest.raises(BadSource, match="leads out of"):
        hugging_face.read(snapshot, None)


# Files that are too large, or no JSON.


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json"])
@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b'{"a": "' + b"x" * 20_000_001 + b'"}', "has more than 20 MB: this is no description of a model"),
        (b"[" * 200_000 + b"]" * 200_000, "is no JSON"),
        (b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "is no JSON"),
        (b'{"a": ' + b"9" * 5000 + b"}", "is no JSON"),
        (b"", "is no JSON"),
        (b"\xff\xfe\x00", "is no JSON"),
        (b"[]", "is no JSON object"),
        (b'"text"', "is no JSON object"),
        (b"null", "is no JSON object"),
    ],
    ids=["huge", "deep list", "deep object", "long number", "empty", "bytes", "list", "text", "null"],
)
def test_json_that_is_no_description(folder: Path, name: str, content: bytes, reason: str) -> None:
    (folder / name).write_bytes(content)
    with pytest.raises(BadSource, match=reason):
        hugging_face.read(folder, None)


ENTRIES = {
    "config.json": (
        *("architectures", "hidden_size", "id2label", "image_size", "num_attention_heads", "num_channels"),
        *("num_hidden_layers", "num_labels", "patch_size", "problem_type", "model_type", "hidden_act"),
    ),
    "preprocessor_config.json": (
        *("do_normalize", "do_rescale", "do_resize", "image_mean", "image_std", "image_processor_type", "resample"),
        *("rescale_factor", "size", "crop_size", "do_center_crop", "do_pad", "do_flip_channel_order"),
    ),
}
"""Entries of both files."""


@pytest.mark.slow
@pytest.mark.parametrize("name", ENTRIES)
def test_any_value_is_understood_or_refused(folder: Path, name: str) -> None:
    """Every entry with values of all kinds: an error that a user can mend, and never another one."""
    original = (folder / name).read_text()
    unexpected: dict[str, str] = {}
    for entry in ENTRIES[name]:
        for value in JUNK:
            change(folder / name, lambda content, entry=entry, value=value: content.update({entry: value}))
            try:
                hugging_face.read(folder, None)
            except REFUSED:
                pass
            except Exception as error:
                unexpected[f"{entry}={value}"] = repr(error)
            (folder / name).write_text(original)
    assert unexpected == {}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["\x1b[31mred", "a\nb", "<b>", "`x`", "e"], ("[31mred", "a b", "<b>", "`x`", "e")),
        (["\ud800", "b", "c", "d", "e"], None),
        (["x" * 10_000, "b", "c", "d", "e"], None),
    ],
    ids=["control characters", "half a character", "long"],
)
def test_hostile_names_of_classes(folder: Path, names: list[str], expected: tuple[str, ...] | None) -> None:
    """They are made plain, or refused where nothing is left of one."""
    change(folder / "config.json", lambda content: content.update(id2label=dict(enumerate(names))))
    if expected is None:
        with pytest.raises(BadSource, match="--classes"):
            hugging_face.read(folder, None)
    else:
        assert hugging_face.read(folder, None).spec.classes == expected


def test_numbers_are_no_classes(folder: Path) -> None:
    change(folder / "config.json", lambda content: content.update(problem_type="regression"))
    with pytest.raises(BadSource, match=r"is a model of numbers \(regression\), and no classifier"):
        hugging_face.read(folder, None)
