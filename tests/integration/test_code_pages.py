"""Output into a file or pipe with another code page: there is no traceback, and nothing is lost."""

import io
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from tests.training.drawn import ARCHITECTURE, write_gratings, write_pretrained

REPOSITORY = Path(__file__).parents[2]
NAMES = ("猫", "Кошка", "café", "γάτα")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes whose letters are not together in any code page but UTF-8, and a file that is no picture."""
    folder = write_gratings(tmp_path_factory.mktemp("data") / "данные", {"猫": 12, "Кошка": 12})
    (folder / "猫" / "café-γάτα.jpg").write_bytes(b"no picture")
    return folder


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pretrained(tmp_path_factory.mktemp("weights") / "weights.pth")


def run_command(words: list[str], encoding: str, patch: pytest.MonkeyPatch) -> tuple[int, str, str]:
    """Run `python -m training WORDS` with both streams in a code page; the exit code and the text of both streams."""
    out, err = (io.TextIOWrapper(io.BytesIO(), encoding=encoding) for _ in range(2))
    with patch.context() as inside:
        inside.setattr("training.data.loading.workers.warm_up", lambda: None)
        inside.setattr(sys, "argv", ["training", *words])
        inside.setattr(sys, "stdout", out)
        inside.setattr(sys, "stderr", err)
        inside.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as ended:
            runpy.run_path(str(REPOSITORY / "training" / "__main__.py"), run_name="__main__")
    texts = []
    for stream in (out, err):
        stream.flush()
        texts.append(stream.buffer.getvalue().decode(encoding))  # type: ignore[attr-defined]
    return int(ended.value.code or 0), texts[0], texts[1]


def as_written(text: str, encoding: str) -> str:
    """The text as the code page can write it, with escapes for the letters that it lacks."""
    return text.encode(encoding, "backslashreplace").decode(encoding)


@pytest.mark.parametrize("encoding", ["cp1252", "cp1251", "ascii", "utf-8"])
def test_check_prints_every_name(data: Path, encoding: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Names are in both tables on standard output, and in the files of findings, which are UTF-8 in any locale."""
    files = ["--csv", str(tmp_path / "f.csv"), "--html", str(tmp_path / "f.html")]
    code, out, err = run_command(["check", str(data), "--workers", "0", *files], encoding, monkeypatch)
    assert (code, err) == (0, "")
    for name in NAMES:
        assert as_written(name, encoding) in out, name
    assert ("+--" in out) != (encoding == "utf-8"), "boxes of ASCII where the code page has no others"
    for file in ("f.csv", "f.html"):
        text = (tmp_path / file).read_bytes().decode("utf-8")
        assert all(name in text for name in ("猫", "café-γάτα.jpg"))


@pytest.mark.parametrize("encoding", ["cp1252", "cp1251", "ascii"])
def test_fit_and_evaluate_print_every_name(
    data: Path, pretrained: Path, encoding: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Errors name it on standard error, where nothing else is printed."""
    monkeypatch.setattr("training.afterwards.write_report", lambda *_: None)
    file = str(tmp_path / "модель-猫.safetensors")
    usual = ["--architecture", ARCHITECTURE, "--weights", str(pretrained), "--input-size", "32", "--phase", "probe"]
    usual += ["--robustness-photos", "0", "--workers", "0", "--runs", str(tmp_path / "runs")]
    usual += ["--cache", str(tmp_path / "cache"), "--device", "cpu"]
    code, out, err = run_command(["fit", str(data), "--output", file, *usual], encoding, monkeypatch)
    assert (code, err) == (0, "") and as_written("модель-猫.safetensors", encoding) in out
    card = (tmp_path / "модель-猫.md").read_bytes().decode("utf-8")
    assert "`猫`" in card and "`Кошка`" in card
    words = ["evaluate", file, str(data), "--on", "all", "--attack", "none", "--workers", "0", "--device", "cpu"]
    code, out, err = run_command([*words, "--cache", str(tmp_path / "cache")], encoding, monkeypatch)
    assert (code, err) == (0, "") and f"  {as_written('猫', encoding)}: " in out
    code, out, err = run_command(["evaluate", "нет-猫.safetensors", str(data)], encoding, monkeypatch)
    assert code == 2 and out == "" and as_written("нет-猫.safetensors", encoding) in err and "Traceback" not in err


@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "cp437"])
@pytest.mark.parametrize("words", [["--help"], ["fit", "--help"], ["fit", "--猫"], ["export", "猫"]])
def test_help_and_usage_errors_can_be_printed(words: list[str], encoding: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, err = run_command(words, encoding, monkeypatch)
    assert "Traceback" not in out + err
    if "--help" in words:
        assert code == 0 and "Usage:" in out
    else:
        assert code == 2 and ("猫" not in words[1] or as_written("猫", encoding) in err or words[0] == "export")


def test_a_real_pipe_of_another_code_page(data: Path) -> None:
    """The command runs in a process of its own, as a shell starts it."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": "cp1252", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "training", "check", str(data), "--workers", "0"]
    done = subprocess.run(command, env=environment, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"| \\u732b" in done.stdout and b"caf\xe9-\\u03b3" in done.stdout
