"""The command `import`: the options that reach the library, how it ends, and networks of one's own in a process."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from typer.testing import CliRunner, Result

from models import checkpoint
from tests.training.drawn import write_gratings
from tests.training.importing.malicious import CreatesAFile
from tests.training.importing.weight_files import source_network, write
from tests.training.runs import REPOSITORY
from training.__main__ import WITH_WORKERS, app
from training.importing.options import ImportOptions, SpecOptions


def invoke(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"}).invoke(app, ["import", *map(str, arguments)])


def test_the_options_reach_the_library(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Those of the preprocessing and of the photos are in parts of their own; the defaults are the library's."""
    calls: list[ImportOptions] = []
    monkeypatch.setattr("training.commands.import_command.run_import", lambda options, console: calls.append(options))
    (tmp_path / "photos").mkdir()
    of_the_model = (
        "--architecture",
        "timm/resnet18",
        "--classes",
        "a,b",
        "--licence",
        "MIT",
        "--anyway",
        "--overwrite",
    )
    of_pictures = (
        *("--input-size", "48x80", "--resize", "54x90", "--resize-mode", "squash", "--interpolation", "bicubic"),
        *("--no-antialias", "--mean", "0.5", "--std", "0.1,0.2,0.3", "--colours", "BGR", "--padding", "0,0,0"),
        *("--outputs", "probabilities", "--multi-label", "--background"),
    )
    of_photos = ("--check", tmp_path / "photos", "--photos", "50", "--rename", "x=y", "--exclude", "*.gif")
    for arguments in ((*of_the_model, *of_pictures, *of_photos), ()):
        result = invoke("w.pth", "--output", "out.safetensors", "--device", "cpu", *arguments)
        assert result.exit_code == 0, result.output
    given, plain = calls
    assert (given.source, given.output, given.architecture, given.classes) == (
        *("w.pth", Path("out.safetensors"), "timm/resnet18", "a,b"),
    )
    assert (given.licence, given.anyway, given.overwrite, given.check) == ("MIT", True, True, tmp_path / "photos")
    assert (given.photos, given.renamed, given.data_options.exclude) == (50, {"x": "y"}, ("*.gif",))
    assert given.spec == SpecOptions(
        input_size="48x80",
        resize="54x90",
        resize_mode="squash",
        interpolation="bicubic",
        antialias=False,
        mean="0.5",
        std="0.1,0.2,0.3",
        colours="BGR",
        padding="0,0,0",
        outputs="probabilities",
        multi_label=True,
        background=True,
    )
    assert plain.spec == SpecOptions() and plain.spec.is_empty and plain.photos == 200
    assert "import" in WITH_WORKERS


def test_antialiasing_can_be_switched_both_ways(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr("training.commands.import_command.run_import", lambda options, console: calls.append(options))
    for switch in ("--antialias", "--no-antialias"):
        assert invoke("w.pth", "--output", "out.safetensors", switch).exit_code == 0
    assert [options.spec.antialias for options in calls] == [True, False]


def test_a_model_is_imported(tmp_path: Path) -> None:
    """The last line is the command that serves it."""
    file = write(tmp_path / "w.pth", source_network("squeezenet1_1").state_dict())
    result = invoke(file, "--output", tmp_path / "out.safetensors", "--classes", "a,b,c,d,e,f,g", "--device", "cpu")
    assert result.exit_code == 0, result.output
    assert result.output.splitlines()[-1] == (
        f"to serve it: MIRAGE_CHECKPOINTS={tmp_path} MIRAGE_MODELS=out python -m app"
    )
    assert checkpoint.load(tmp_path / "out.safetensors")[1].spec.classes == tuple("abcdefg")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("missing.pth", "--output", "out.safetensors"), "error: there is no file or folder missing.pth"),
        (("w.pth", "--output", "out.pth"), "error: --output must end in .safetensors: 'out.pth'"),
        (
            ("w.pth", "--output", "out.safetensors", "--classes", "a,b"),
            "error: --classes has 2 names, and the network has 7",
        ),
        (
            ("w.pth", "--output", "out.safetensors", "--classes", "names"),
            "error: --classes takes a file or names with commas",
        ),
        (
            ("w.pth", "--output", "out.safetensors", "--mean", "x"),
            "error: --mean takes numbers with commas between them",
        ),
        (
            ("w.pth", "--output", "out.safetensors", "--input-size", "9999"),
            "error: input_size and resize are from 16 to 2048",
        ),
        (
            ("w.pth", "--output", "out.safetensors", "--architecture", "resnet18"),
            "error: these weights are not of this arch",
        ),
        (
            ("w.pth", "--output", "out.safetensors", "--architecture", "nothing"),
            "error: the network 'nothing' is unknown here",
        ),
        (("evil.pth", "--output", "out.safetensors"), "error: evil.pth holds more than weights"),
    ],
)
def test_what_a_user_can_mend_is_one_error_with_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], reason: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "w.pth", source_network("squeezenet1_1").state_dict())
    torch.save({"a": CreatesAFile(tmp_path / "was here")}, tmp_path / "evil.pth")
    result = invoke(*arguments, "--device", "cpu")
    assert result.exit_code == 2 and reason in result.output, result.output
    assert "Traceback" not in result.output and not (tmp_path / "was here").exists()
    assert not (tmp_path / "out.safetensors").exists()


MODULE = """
from torch import nn

class Mine(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.convolution, self.head = nn.Conv2d(3, 8, 5, stride=4), nn.Linear(8, classes)

    def forward(self, pixels):
        return self.head(self.convolution(pixels).relu().mean(dim=(2, 3)))

def architectures():
    return {"mine": Mine}
"""


@pytest.mark.slow
def test_a_network_of_ones_own_is_imported_and_trained_in_other_processes(tmp_path: Path) -> None:
    """MIRAGE_ARCHITECTURES names its module, which is in the working directory; without it both say what is missing."""
    (tmp_path / "networks_of_mine.py").write_text(MODULE)
    names: dict[str, Any] = {}
    exec(MODULE, names)
    network: nn.Module = names["Mine"](4)
    write(tmp_path / "w.pth", network.state_dict())
    write_gratings(tmp_path / "gratings", {"red": 12, "blue": 12})

    def training(*arguments: str, registered: bool = True) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "HOME": str(tmp_path)}
        environment |= {"MIRAGE_ARCHITECTURES": "networks_of_mine:architectures"} if registered else {}
        words = [sys.executable, "-m", "training", *arguments, "--device", "cpu"]
        return subprocess.run(words, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300)

    importing = ("import", "w.pth", "--architecture", "mine", "--classes", "a,b,c,d", "--output", "own.safetensors")
    sizes = ("--input-size", "32", "--resize", "36")
    refused = training(*importing, *sizes, registered=False)
    assert refused.returncode == 2 and "MIRAGE_ARCHITECTURES=package.module:function" in refused.stderr
    done = training(*importing, *sizes)
    assert done.returncode == 0, done.stderr
    fitting = ("fit", "gratings", "--output", "fine.safetensors", "--weights", "own.safetensors")
    recipe = (
        "--architecture",
        "mine",
        "--epochs",
        "2",
        "--batch-size",
        "8",
        "--workers",
        "0",
        "--robustness-photos",
        "0",
    )
    done = training(*fitting, *recipe)
    assert done.returncode == 0, done.stderr
    assert sorted(checkpoint.read(tmp_path / "fine.safetensors").spec.classes) == ["blue", "red"]
