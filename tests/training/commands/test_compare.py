"""The command `compare`: the options that reach the library, and a whole comparison of two checkpoints."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from models import checkpoint
from models.spec import Spec
from tests.training.drawn import ARCHITECTURE, trained_looking, write_gratings
from training.__main__ import WITH_WORKERS, app
from training.compare import ComparisonOptions


def invoke(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"}).invoke(app, ["compare", *map(str, arguments)])


def test_the_options_reach_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr("training.commands.compare.run_compare", lambda options, console: calls.append(options))
    attack = ("--attack", "pgd", "--epsilon", "2/255", "--steps", "7", "--photos", "9")
    more = ("--on", "test", "--rename", "a=b", "--report", "page", "--workers", "1", "--device", "cpu")
    assert invoke("one", "two.safetensors", "tests", *attack, *more).exit_code == 0
    assert invoke("one", "two", "tests", "--attack", "none").exit_code == 0
    (options, without) = calls
    assert isinstance(options, ComparisonOptions)
    assert (options.model, options.other, options.data) == ("one", "two.safetensors", Path("tests"))
    assert options.attack == {"attack": "pgd", "norm": "linf", "epsilons": (2 / 255,), "steps": 7}
    assert (options.photos, options.on, options.renamed, options.workers) == (9, "test", {"a": "b"}, 1)
    assert options.report == Path("page") and without.attack == {} and without.photos == 500
    assert "compare" in WITH_WORKERS


@pytest.fixture
def checkpoints(tmp_path: Path) -> tuple[Path, Path]:
    """Two networks with random weights, in files of the same name."""
    spec = Spec(ARCHITECTURE, ("Reddish", "Bluish"), input_size=32, resize=36)
    files = (tmp_path / "old" / "stripes.safetensors", tmp_path / "new" / "stripes.safetensors")
    for seed, file in enumerate(files):
        file.parent.mkdir()
        checkpoint.save(file, trained_looking(2, seed), spec, {})
    return files


def test_two_checkpoints_are_compared(checkpoints: tuple[Path, Path], tmp_path: Path) -> None:
    data = write_gratings(tmp_path / "data", {"Reddish": 4, "Bluish": 4})
    attack = ("--epsilon", "4/255", "--steps", "2", "--photos", "3")
    done = invoke(*checkpoints, data, *attack, "--workers", "0", "--report", tmp_path / "report")
    assert done.exit_code == 0, done.output
    for text in ("8 photos (all)", "stripes (first): top-1", "stripes (second): top-1", "exact McNemar test"):
        assert text in done.output
    assert done.output.count("under apgd (linf") == 2 and done.output.count("within 4/255:") == 2
    assert (tmp_path / "report" / "report.html").is_file() and (tmp_path / "report" / "robustness.png").is_file()


def test_mistakes_of_the_user_give_one_line(checkpoints: tuple[Path, Path], tmp_path: Path) -> None:
    data = write_gratings(tmp_path / "data", {"Reddish": 4, "Green": 4})
    for arguments, message in (
        ((*checkpoints, data), "stripes (first) has no class for the folder 'Green'"),
        ((checkpoints[0], "no-such-model", data), "no checkpoint 'no-such-model'"),
        ((*checkpoints, data, "--attack", "ddn"), "--attack must be one of"),
    ):
        refused = invoke(*arguments, "--workers", "0")
        assert refused.exit_code == 2 and message in refused.stderr and len(refused.stderr.splitlines()) == 1
