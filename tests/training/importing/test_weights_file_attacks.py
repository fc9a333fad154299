"""Files that anybody may have made: no code in them is run, and nothing becomes larger than the file."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from tests.training.importing.malicious import CreatesAFile, deflated, pickled, proves_itself
from training.importing import weights_file
from training.importing.contents import BadWeightsFile
from training.importing.weights_file import read_weights


def refusal(file: Path) -> str:
    """Return why a file is refused."""
    with pytest.raises(BadWeightsFile) as refused:
        read_weights(file)
    return str(refused.value)


@pytest.mark.parametrize("suffix", [".pth", ".pt", ".bin", ".ckpt", ".tar", ""])
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before 2020"])
def test_a_pickle_that_would_run_code_does_not(tmp_path: Path, suffix: str, zipped: bool) -> None:
    """It does where it is loaded without care, so the test would notice."""
    marker, file = tmp_path / "was here", tmp_path / f"weights{suffix}"
    content = {"state_dict": {"a": torch.zeros(1)}, "config": CreatesAFile(marker)}
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    proves_itself(file, marker)
    assert "holds more than weights" in refusal(file)
    assert not marker.exists()


def test_a_plain_pickle_does_not_run_either(tmp_path: Path) -> None:
    marker, file = tmp_path / "was here", tmp_path / "weights.pth"
    file.write_bytes(pickled(CreatesAFile(marker)))
    assert refusal(file) and not marker.exists()


PICKLED: dict[str, tuple[Callable[[nn.Module], Any], str]] = {
    "model": (lambda network: network, "saved.state_dict()"),
    "model in a dictionary": (lambda network: {"epoch": 3, "model": network}, 'saved["model"].state_dict()'),
    "averaged model": (lambda network: {"ema": network, "model": None}, 'saved["ema"].state_dict()'),
    "weights": (lambda network: {"net": network.state_dict(), "kind": type(network)}, 'saved["net"]'),
    "settings of an average": (
        lambda network: {"ema": {"decay": 0.9}, "model": network.state_dict(), "kind": type(network)},
        'saved["model"]',
    ),
    "plain weights": (
        lambda network: {**network.state_dict(), "kind": type(network)},
        "{name: value for name, value in saved.items() if torch.is_tensor(value)}",
    ),
}
"""What is saved, and the expression for the weights in it."""


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before 2020"])
@pytest.mark.parametrize("kind", PICKLED)
def test_a_pickled_model_is_turned_into_weights_by_the_two_lines_of_the_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, zipped: bool
) -> None:
    """The lines are run here as they are printed; a training script's dictionary works too."""
    network, (content, expression) = nn.Linear(2, 3), PICKLED[kind]
    torch.save(content(network), tmp_path / "model.pth", _use_new_zipfile_serialization=zipped)
    message = refusal(tmp_path / "model.pth")
    assert "holds more than weights (torch.nn.modules.linear.Linear)" in message
    lines = message.splitlines()[1:]
    assert "only if you trust its author" in lines[0]
    assert [line.partition("  #")[0] for line in lines] == [
        "saved = torch.load('model.pth', weights_only=False)", f'torch.save({expression}, "weights.pth")'
    ]  # fmt: skip
    monkeypatch.chdir(tmp_path)
    exec("import torch\n" + "\n".join(lines), {})
    assert torch.equal(read_weights(tmp_path / "weights.pth").weights["weight"], network.weight)


@pytest.mark.parametrize(
    "beside", [np.array(["cat", "dog"]), np.str_("cat"), np.array([("a", 1)], dtype=object), np.complex64(1)]
)
@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "before 2020"])
def test_weights_beside_text_of_numpy_are_taken_out_by_the_two_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, beside: object, zipped: bool
) -> None:
    content = {"state_dict": nn.Linear(2, 3).state_dict(), "classes": beside}
    torch.save(content, tmp_path / "model.pth", _use_new_zipfile_serialization=zipped)
    message = refusal(tmp_path / "model.pth")
    assert "holds more than weights" in message
    monkeypatch.chdir(tmp_path)
    exec("import torch\n" + "\n".join(message.splitlines()[1:]), {})
    assert set(read_weights(tmp_path / "weights.pth").weights) == {"weight", "bias"}


def test_where_no_weights_are_found_the_message_says_what_to_save(tmp_path: Path) -> None:
    torch.save([nn.Linear(2, 3)], tmp_path / "model.pth")
    assert refusal(tmp_path / "model.pth").endswith(": save the network's state_dict() alone, where you trust the file")


def test_a_name_is_not_endless(tmp_path: Path) -> None:
    torch.save({"x" * 1001: torch.zeros(1)}, tmp_path / "weights.pth")
    assert "has a name of 1,001 characters" in refusal(tmp_path / "weights.pth")


def test_the_name_of_a_file_cannot_add_to_the_two_lines(tmp_path: Path) -> None:
    """They are Python: the name is written as Python writes text."""
    file = tmp_path / "x', print('injected')).pth"
    torch.save(nn.Linear(1, 1), file)
    line = refusal(file).splitlines()[1]
    assert line.startswith("saved = torch.load(\"x', print('injected')).pth\", weights_only=False)")


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_a_torchscript_program_is_refused(tmp_path: Path) -> None:
    """With what to do: it is a program, which may do anything."""
    torch.jit.save(torch.jit.script(nn.Linear(2, 2)), tmp_path / "model.pt")
    assert "is a TorchScript program, which is not run: export the network with torch.export" in refusal(
        tmp_path / "model.pt"
    )


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    """A hundred megabytes of zeros take a tenth of a megabyte in the file, and less than ten while it is refused."""
    file = deflated(tmp_path / "bomb.pth", {"a": torch.zeros(25_000_000)})
    assert file.stat().st_size < 200_000
    tracemalloc.start()
    try:
        assert "compressed or encrypted" in refusal(file)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


def test_one_number_that_claims_to_be_many_is_refused(tmp_path: Path) -> None:
    """A stride of 0 repeats it: 10^12 numbers, or four terabytes, in a file of a kilobyte."""
    torch.save({"a": torch.zeros(1).expand(10**6, 10**6)}, tmp_path / "expanded.pth")
    assert "a in expanded.pth claims to have more numbers than the file" in refusal(tmp_path / "expanded.pth")
    torch.save({"a": torch.arange(10.0).as_strided((9, 2), (1, 1))}, tmp_path / "overlapping.pth")
    assert "claims to have more numbers" in refusal(tmp_path / "overlapping.pth")


def test_many_names_for_the_same_numbers_are_refused(tmp_path: Path) -> None:
    """Each would become a copy. Some networks share weights, so twenty copies are allowed, and 21 are not."""
    numbers = torch.zeros(1000)
    torch.save({str(name): numbers for name in range(20)}, tmp_path / "shared.pth")
    assert len(read_weights(tmp_path / "shared.pth").weights) == 20
    torch.save({str(name): numbers for name in range(21)}, tmp_path / "bomb.pth")
    assert "more than 20 times as large as the file" in refusal(tmp_path / "bomb.pth")


@pytest.mark.filterwarnings("ignore::UserWarning")  # PyTorch warns that these kinds of tensors are new, or old
@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda: torch.eye(3).to_sparse(), "is sparse, quantised or complex: save plain weights"),
        (lambda: torch.eye(3).to_sparse_csr(), "is sparse, quantised or complex: save plain weights"),
        (lambda: torch.quantize_per_tensor(torch.zeros(3), 1.0, 0, torch.quint8), "is sparse, quantised or complex"),
        (lambda: torch.zeros(3, dtype=torch.complex64), "is sparse, quantised or complex"),
        (lambda: torch.empty(10**6, 10**6, device="meta"), "has no values"),
    ],
    ids=["sparse", "sparse rows", "quantised", "complex", "without values"],
)
def test_weights_that_are_no_plain_numbers_are_refused(tmp_path: Path, make: object, reason: str) -> None:
    torch.save({"a": make()}, tmp_path / "odd.pth")  # type: ignore[operator]
    assert f"a in odd.pth {reason}" in refusal(tmp_path / "odd.pth")


def test_safetensors_are_plain_too_and_not_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "weights.safetensors"
    save_file({"fc.weight": torch.zeros(2, dtype=torch.complex64)}, file)
    assert "fc.weight in weights.safetensors is sparse, quantised or complex" in refusal(file)
    monkeypatch.setattr(weights_file, "MOST_WEIGHTS", 3)
    weights = {str(number): torch.zeros(1) for number in range(4)}
    save_file(weights, file)
    torch.save(weights, tmp_path / "weights.pth")
    for path in (file, tmp_path / "weights.pth"):
        assert f"{path.name} has 4 weights, more than any network" in refusal(path)


def test_a_dictionary_that_contains_itself_is_refused(tmp_path: Path) -> None:
    """Looking for weights inside it would never end."""
    content: dict[str, object] = {}
    content["model"] = {"state_dict": content}
    torch.save(content, tmp_path / "endless.pth")
    assert "has no state_dict in it (it has: model)" in refusal(tmp_path / "endless.pth")


def test_a_whole_number_of_thousands_of_digits_is_refused(tmp_path: Path) -> None:
    """Python refuses to write it as text, which must not end the command with a traceback."""
    torch.save({"state_dict": {"a": torch.zeros(1)}, "classes": {10**5000: "cat"}}, tmp_path / "long.pth")
    assert refusal(tmp_path / "long.pth")
