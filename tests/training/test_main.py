from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from models import checkpoint
from tests.training.drawn import ARCHITECTURE, encoded, grating, write_gratings, write_parent
from training.__main__ import app
from training.finetune import FineTuning


def command(*words: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [*map(str, words), "--workers", "0"])


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    """Six photos per class, one of them there twice, and an empty file."""
    folder = write_gratings(tmp_path / "data", {"x": 6, "y": 6})
    (folder / "x" / "copy.png").write_bytes(encoded(grating(0, 0)))
    (folder / "y" / "[empty].jpg").write_bytes(b"")
    return folder


def fit(data: Path, place: Path, *words: str | Path) -> Result:
    usual = ("--architecture", ARCHITECTURE, "--output", place / "out.safetensors", "--input-size", "32")
    return command("fit", data, *usual, *words)


def test_check_lists_files_and_reasons(dirty: Path) -> None:
    result = command("check", dirty)
    assert result.exit_code == 0
    for told in ("x/copy.png", "duplicate", "of x/0.png", "y/[empty].jpg", "empty", "12 photos can be used"):
        assert told in result.output


def test_strict_exits_with_1_where_anything_is_wrong(dirty: Path) -> None:
    assert command("check", dirty, "--strict").exit_code == 1
    (dirty / "x" / "copy.png").unlink()
    (dirty / "y" / "[empty].jpg").unlink()
    assert command("check", dirty, "--strict").exit_code == 0


def test_the_list_can_be_had_as_a_table(dirty: Path, tmp_path: Path) -> None:
    command("check", dirty, "--csv", tmp_path / "findings.csv")
    assert (tmp_path / "findings.csv").read_text().splitlines() == [
        "file,problem,detail",
        "y/[empty].jpg,empty,the file has no bytes",
        "x/copy.png,duplicate,of x/0.png",
    ]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--architecture", "vgg17"), "torchvision has no classifier called 'vgg17'"),
        (("--parent", "missing.pth"), "there are no weights missing.pth"),
        (("--device", "cuda:77"), "the device 'cuda:77' is not there"),
        (("--rename", "z=zebra"), "no folder is called 'z'"),
        (("--rename", "nonsense"), "--rename takes FOLDER=CLASS"),
        (("--input-size", "8"), "the input size is 16 to 1024 pixels, not 8"),
        (("--resume", "--overwrite"), "exclude each other"),
        ((), "cannot be downloaded"),
    ],
)
def test_what_a_person_can_mend_is_one_line_and_exit_2(
    dirty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = fit(dirty, tmp_path, *words)
    assert result.exit_code == 2
    assert told in result.stderr and "Traceback" not in result.output and len(result.stderr.splitlines()) == 1


def test_fit_ends_with_the_figure_and_ctrl_c_with_the_way_on(
    dirty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = (
        "--parent",
        write_parent(tmp_path / "parent.pth"),
        "--epochs",
        "1",
        "--batch-size",
        "4",
        "--rename",
        "x=fox",
    )

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(FineTuning, "train_epoch", interrupt)
        stopped = fit(dirty, tmp_path, *words)
    assert stopped.exit_code == 130 and "--resume" in stopped.output
    done = fit(dirty, tmp_path, *words, "--resume")
    assert done.exit_code == 0, done.output
    assert "of 2 test photos right (95 % interval" in done.output
    assert "`fox`" in (tmp_path / "out.md").read_text()
    assert (tmp_path / "runs" / "out" / "state.pt").is_file()


def test_a_grey_network_on_request(dirty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = fit(dirty, tmp_path, "--parent", write_parent(tmp_path / "parent.pth"), "--epochs", "0", "--grey")
    assert done.exit_code == 0, done.output
    assert checkpoint.read(tmp_path / "out.safetensors").spec.channels == 1
