import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from models import checkpoint
from tests.training.drawn import ARCHITECTURE, encoded, grating, write_gratings, write_pretrained
from training.__main__ import app
from training.learner import Learner


def command(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(app, [*map(str, arguments)])


@pytest.fixture
def dirty(tmp_path: Path) -> Path:
    """Six photos per class, a copy of one of them, and an empty file."""
    folder = write_gratings(tmp_path / "data", {"x": 6, "y": 6})
    (folder / "x" / "copy.png").write_bytes(encoded(grating(0, 0)))
    (folder / "y" / "[empty].jpg").write_bytes(b"")
    return folder


def fit(data: Path, folder: Path, *arguments: str | Path) -> Result:
    defaults = ("--architecture", ARCHITECTURE, "--output", folder / "out.safetensors", "--input-size", "32")
    return command("fit", data, *defaults, "--workers", "0", "--cache", folder / "cache", *arguments)


def test_check_lists_files_and_reasons(dirty: Path) -> None:
    result = command("check", dirty, "--workers", "0")
    assert result.exit_code == 0
    reasons = ("duplicate", "the same picture as x/0.png, which is used instead", "empty")
    for text in ("x/copy.png", "y/[empty].jpg", *reasons, "12 photos can be used"):
        assert text in result.output


def test_check_with_strict_exits_with_1_if_anything_is_wrong(dirty: Path) -> None:
    assert command("check", dirty, "--strict", "--workers", "0").exit_code == 1
    (dirty / "x" / "copy.png").unlink()
    (dirty / "y" / "[empty].jpg").unlink()
    assert command("check", dirty, "--strict", "--workers", "0").exit_code == 0


def test_check_writes_its_findings_as_csv_and_html(dirty: Path, tmp_path: Path) -> None:
    command("check", dirty, "--workers", "0", "--csv", tmp_path / "findings.csv", "--html", tmp_path / "page.html")
    assert "<h1>data: 12 photos</h1>" in (tmp_path / "page.html").read_text()
    assert (tmp_path / "findings.csv").read_text().splitlines() == [
        "file,problem,detail",
        "y/[empty].jpg,empty,the file is empty (0 bytes)",
        'x/copy.png,duplicate,"the same picture as x/0.png, which is used instead"',
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--architecture", "vgg17"), "torchvision has no classifier called 'vgg17'"),
        (("--weights", "missing.pth"), "there is no file missing.pth"),
        (("--device", "cuda:77"), "the device 'cuda:77' is not available"),
        (("--rename", "z=zebra"), "there is no class folder 'z'"),
        (("--rename", "nonsense"), "--rename takes FOLDER=CLASS"),
        (("--input-size", "8"), "input_size must be 16 to 1,024, not 8"),
        (("--resume", "--overwrite"), "exclude each other"),
        ((), "cannot be downloaded"),
        (("--mixup", "0.2", "--robust"), "attack_steps and mixup exclude each other"),
        (("--tensorboard", "--weights", "weights.pth"), "pip install tensorboard"),
    ],
)
def test_a_wrong_option_gives_one_line_and_exit_code_2(
    dirty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    write_pretrained(tmp_path / "weights.pth")
    result = fit(dirty, tmp_path, *arguments)
    assert result.exit_code == 2
    assert message in result.stderr and "Traceback" not in result.output and len(result.stderr.splitlines()) == 1


def test_fit_prints_the_accuracy_and_ctrl_c_prints_how_to_resume(
    dirty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = (
        "--weights",
        write_pretrained(tmp_path / "weights.pth"),
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
        patch.setattr(Learner, "learn", interrupt)
        stopped = fit(dirty, tmp_path, *arguments)
    assert stopped.exit_code == 130 and "--resume" in stopped.output
    done = fit(dirty, tmp_path, *arguments, "--resume")
    assert done.exit_code == 0, done.output
    assert "out.safetensors is ready: " in done.output and "of 2 test photos right (95 % interval" in done.output
    assert "under apgd (linf" in done.output and "the report is runs/out/report.html" in done.output
    assert "`fox`" in (tmp_path / "out.md").read_text()
    files = {file.name for file in (tmp_path / "runs" / "out").iterdir()}
    assert {"state.pt", "history.csv", "report.html", "curves.png", "confusion.png", "robustness.png"} <= files


def test_fit_with_grey_trains_a_network_of_one_channel(
    dirty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = fit(dirty, tmp_path, "--weights", write_pretrained(tmp_path / "weights.pth"), "--epochs", "0", "--grey")
    assert done.exit_code == 0, done.output
    assert checkpoint.read(tmp_path / "out.safetensors").spec.channels == 1


@pytest.fixture
def trained(dirty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A probe on the dirty photos."""
    monkeypatch.chdir(tmp_path)
    pretrained = write_pretrained(tmp_path / "weights.pth")
    assert fit(dirty, tmp_path, "--weights", pretrained, "--phase", "probe", "--robustness-photos", "0").exit_code == 0
    return tmp_path / "out.safetensors"


def test_evaluate_prints_the_metrics_and_the_accuracies_under_attack(
    trained: Path, dirty: Path, tmp_path: Path
) -> None:
    options = ("--on", "all", "--epsilon", "1/255", "--epsilon", "0.1", "--steps", "3", "--photos", "4")
    done = command("evaluate", trained, dirty, *options, "--workers", "0", "--report", tmp_path / "report")
    assert done.exit_code == 0, done.output
    for text in ("12 photos (all)", "top-1 ", "under apgd (linf", "within 1/255", "within 25.5/255"):
        assert text in done.output
    assert (tmp_path / "report" / "robustness.png").is_file()
    assert command("evaluate", trained, dirty, "--epsilon", "much", "--workers", "0").exit_code == 2
    assert "under" not in command("evaluate", trained, dirty, "--attack", "none", "--workers", "0").output
    once = command("evaluate", trained, dirty, "--attack", "fgsm", "--photos", "2", "--workers", "0")
    assert once.exit_code == 0 and "under fgsm (linf, {}), 2 photos" in once.output
    refused = command("evaluate", trained, dirty, "--attack", "fgsm", "--steps", "5", "--workers", "0")
    assert refused.exit_code == 2 and "fgsm takes no steps" in refused.output and "photos" not in refused.output
    for option, most in (("--steps", 1000), ("--restarts", 20)):  # the bounds of the attack's own options
        for value in (0, most + 1):
            refused = command("evaluate", trained, dirty, option, str(value), "--workers", "0")
            name = option.removeprefix("--")
            assert refused.exit_code == 2 and f"{name} must be a whole number from 1 to {most}" in refused.output


def test_find_lr_has_no_option_without_an_effect(dirty: Path) -> None:
    for option in ("--patience", "--epochs", "--schedule"):
        assert option in command("fit", "--help").output
        assert "No such option" in command("find-lr", dirty, option, "3").output


def test_find_lr_prints_a_suggestion_and_draws_a_plot(trained: Path, dirty: Path, tmp_path: Path) -> None:
    options = ("--architecture", ARCHITECTURE, "--weights", tmp_path / "weights.pth", "--input-size", "32")
    files = ("--cache", tmp_path / "cache", "--plot", tmp_path / "rates.png", "--workers", "0")
    done = command("find-lr", dirty, *options, *files, "--batch-size", "4", "--steps", "5")
    assert done.exit_code == 0, done.output
    assert "--backbone-rate " in done.output and (tmp_path / "rates.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_export_writes_onnx(trained: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    done = command("export", trained, "--output", tmp_path / "out.onnx")
    assert done.exit_code == 0, done.output
    assert "of the checkpoint's" in done.output and (tmp_path / "out.onnx").is_file()
    assert "no checkpoint" in command("export", "nothing", "--output", tmp_path / "x.onnx").stderr
