from pathlib import Path
from typing import Any

import pytest
import torch

from training.data.scan.findings import Photo
from training.data.split import Split
from training.run_folder import RunFolder, claim, locked
from training.run_state import BadRun, CandidateWeights, State

IDENTITY: dict[str, Any] = {"data": "abc", "recipe": {"seed": 0, "epochs": 8}}


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "runs" / "name")


def state() -> State:
    best = CandidateWeights("probe", 0, 0.5, 0.7, {"weight": torch.tensor([1.0, 2.0])})
    return State(IDENTITY, "float32", best, [{"epoch": 1, "loss": 0.25}], [0.5], {"step": 7})


def test_a_saved_state_is_loaded_unchanged(folder: RunFolder) -> None:
    folder.save_state(state())
    loaded = folder.load_state(IDENTITY)
    assert loaded is not None
    assert torch.equal(loaded.best.weights["weight"], torch.tensor([1.0, 2.0]))
    assert (loaded.best.name, loaded.history, loaded.losses, loaded.learner) == (
        "probe",
        state().history,
        [0.5],
        {"step": 7},
    )
    assert (folder.path / "history.csv").read_text().split() == ["epoch,loss", "1,0.25"]


def test_a_missing_state_is_none(folder: RunFolder) -> None:
    assert folder.load_state(IDENTITY) is None


def test_another_recipe_or_other_data_is_refused(folder: RunFolder) -> None:
    folder.save_state(state())
    with pytest.raises(BadRun, match="had epochs 8, not 6: give the same options, or give --overwrite"):
        folder.load_state({**IDENTITY, "recipe": {"seed": 0, "epochs": 6}})
    with pytest.raises(BadRun, match="had data abc, not xyz"):
        folder.load_state({**IDENTITY, "data": "xyz"})


@pytest.mark.parametrize("damage", [b"", b"no state", None])
def test_a_damaged_state_is_refused(folder: RunFolder, damage: bytes | None) -> None:
    folder.save_state(state())
    folder.state_file.write_bytes(folder.state_file.read_bytes()[:300] if damage is None else damage)
    with pytest.raises(BadRun, match="is damaged: start a new run with --overwrite"):
        folder.load_state(IDENTITY)


def test_an_existing_run_is_not_overwritten_without_the_option(folder: RunFolder, tmp_path: Path) -> None:
    output = tmp_path / "name.safetensors"
    claim(output, folder, resume=False, overwrite=False)
    folder.save_state(state())
    with pytest.raises(BadRun, match="give --resume to continue it, or --overwrite"):
        claim(output, folder, resume=False, overwrite=False)
    claim(output, folder, resume=True, overwrite=False)
    assert folder.state_file.is_file()
    assert claim(output, folder, resume=False, overwrite=True), "it starts anew"
    assert folder.state_file.is_file(), "and the old state stays until there is a new one"
    folder.begin("", Split((), (), ()))
    assert not folder.state_file.exists() and not folder.launch_file.exists()


def test_an_existing_output_is_not_overwritten_without_the_option(folder: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "name.safetensors").write_bytes(b"precious")
    with pytest.raises(BadRun, match="exists: give --overwrite"):
        claim(tmp_path / "name.safetensors", folder, resume=False, overwrite=False)


def test_an_output_without_a_run_is_not_overwritten_by_resuming(folder: RunFolder, tmp_path: Path) -> None:
    (tmp_path / "name.safetensors").write_bytes(b"precious")
    with pytest.raises(BadRun, match=r"there is no run to continue in .* exists: give --overwrite"):
        claim(tmp_path / "name.safetensors", folder, resume=True, overwrite=False)
    folder.save_state(state())
    claim(tmp_path / "name.safetensors", folder, resume=True, overwrite=False)


def test_a_refused_run_is_refused_again_when_torchrun_restarts_it(folder: RunFolder, tmp_path: Path) -> None:
    """A restarted run that had begun in its folder continues; one that had not begun starts, over an earlier run."""
    output = tmp_path / "name.safetensors"
    output.write_bytes(b"precious")
    options: dict[str, Any] = {"resume": False, "overwrite": False, "launch": "none 77"}
    for restarted in (False, True):
        with pytest.raises(BadRun, match="exists"):
            claim(output, folder, **options, restarted=restarted)
    assert claim(output, folder, **{**options, "overwrite": True}, restarted=False)
    assert claim(output, folder, **{**options, "overwrite": True}, restarted=True)
    folder.begin("none 77", Split((), (), ()))
    folder.save_state(state())
    assert not claim(output, folder, **{**options, "overwrite": True}, restarted=True)
    with pytest.raises(BadRun, match="has the state of a run"):
        claim(output, folder, **options, restarted=False)  # another torchrun, whose number is the same by chance
    with pytest.raises(BadRun, match="has the state of a run"):
        claim(output, folder, **options, restarted=True)


def test_temporary_files_of_a_killed_run_are_removed(folder: RunFolder, tmp_path: Path) -> None:
    """Beside the output only names that tempfile has given are removed: other hidden files there are the user's."""
    folder.save_state(state())
    (folder.path / ".state.pt.abc").write_bytes(b"half")
    (folder.path / ".ipynb_checkpoints").mkdir()
    leftovers = [tmp_path / ".name.safetensors.a1_b2c3d", tmp_path / ".name.md.a1_b2c3d"]
    for file in (*leftovers, tmp_path / ".name.safetensors.mine"):
        file.write_bytes(b"half")
    claim(tmp_path / "name.safetensors", folder, resume=True, overwrite=False)
    assert sorted(file.name for file in folder.path.iterdir()) == [".ipynb_checkpoints", "history.csv", "state.pt"]
    assert sorted(file.name for file in tmp_path.iterdir()) == [".name.safetensors.mine", "runs"]


def test_impossible_outputs_are_refused(folder: RunFolder, tmp_path: Path) -> None:
    """The output has a wrong ending, or is below a file; or both --resume and --overwrite are given."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(BadRun, match=r"must end in \.safetensors"):
        claim(tmp_path / "model.pth", folder, resume=False, overwrite=False)
    with pytest.raises(BadRun, match="cannot be written to"):
        claim(tmp_path / "file" / "model.safetensors", folder, resume=False, overwrite=False)
    with pytest.raises(BadRun, match="exclude each other"):
        claim(tmp_path / "model.safetensors", folder, resume=True, overwrite=True)


def test_only_one_process_at_a_time_can_use_a_folder(folder: RunFolder) -> None:
    with locked(folder), pytest.raises(BadRun, match="another process is at work"), locked(folder):
        pass
    with locked(folder):
        folder.findings_file.touch()
    with locked(folder):
        pass
    assert folder.findings_file.exists()


def test_a_run_without_files_leaves_no_folder(folder: RunFolder) -> None:
    with pytest.raises(BadRun), locked(folder):
        assert folder.path.is_dir()
        raise BadRun
    assert not folder.path.exists()


def test_a_saved_split_is_loaded_without_missing_photos(folder: RunFolder) -> None:
    """Photos are matched by content, not by name; new photos are in no split."""
    photos = [Photo(f"x/{n}, \udcff.png", "x", f"d{n}") for n in range(5)]
    folder.begin("", Split(tuple(photos[:3]), (photos[3],), (photos[4],)))
    now = [Photo(f"y/{n}.png", "x", f"d{n}") for n in (7, 4, 3, 1)]
    assert folder.load_split(now) == (Split((now[3],), (now[2],), (now[1],)), 2)
    earlier = folder.split_file.read_text(encoding="utf-8", errors="surrogateescape").replace("split,", "side,", 1)
    folder.split_file.write_text(earlier, encoding="utf-8", errors="surrogateescape")
    assert folder.load_split(now) == (Split((now[3],), (now[2],), (now[1],)), 2), "as earlier versions wrote it"
    folder.split_file.unlink()
    assert folder.load_split(now) is None
