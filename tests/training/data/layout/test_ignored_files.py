import pytest

from training.data.layout.ignored_files import is_matched, without_ignored_files


@pytest.mark.parametrize(
    "folder",
    ["@eaDir", "#recycle", "lost+found", "$RECYCLE.BIN", "System Volume Information", "__MACOSX", ".Trashes",
     "FOUND.000", ".Spotlight-V100", ".git", ".ipynb_checkpoints", "__pycache__", "@Recycle", "Network Trash Folder",
     "LOST.DIR", "Config.Msi", "Photos Previews.lrdata", "site-packages"],
)  # fmt: skip
@pytest.mark.parametrize("above", ["", "photos/", "cat/"])
def test_folders_of_operating_systems_are_ignored_at_any_place(folder: str, above: str) -> None:
    remaining = without_ignored_files(["cat/1.jpg", f"{above}{folder}/x/1.jpg", f"{above}{folder}/"])
    assert remaining.names == ("cat/1.jpg",)
    assert remaining.notes == (f"these folders of the system or of programs are left out: {folder}",)


@pytest.mark.parametrize(
    "result", ["runs/m/metrics.json", "wandb/run-1/files/config.yaml", "checkpoints/best.pt",
               "lightning_logs/version_0/events.out.tfevents.1.host.2", "photos/runs/train/weights/last.pt",
               "models/model.onnx", "saved_model/variables/variables.index", "results/train_metrics.csv"]
)  # fmt: skip
def test_folders_with_results_of_training_are_ignored(result: str) -> None:
    top = result[: result.index("/", result.find("runs") if "runs" in result else 0)]
    remaining = without_ignored_files(["cat/1.jpg", result, f"{top}/confusion_matrix.png"])
    assert remaining.names == ("cat/1.jpg",)


@pytest.mark.parametrize("folder", ["runs", "weights", "logs", "eaDir", "recycle", "found"])
def test_a_class_may_have_the_name_of_an_ignored_folder(folder: str) -> None:
    remaining = without_ignored_files([f"{folder}/1.jpg", "cat/1.jpg"])
    assert remaining.names == (f"{folder}/1.jpg", "cat/1.jpg") and remaining.notes == ()


def test_such_a_class_may_have_tables_beside_its_photos() -> None:
    """`logs` and `weights` are ignored if they contain results of training, but tables are none."""
    names = ("logs/1.jpg", "logs/1.json", "weights/1.jpg", "weights/labels.csv")
    assert without_ignored_files(names).names == names


@pytest.mark.parametrize(
    ("name", "pattern", "expected"),
    [
        ("cat/old/1.jpg", "old", True),
        ("cat/old/1.jpg", "old/", True),
        ("cat/1.gif", "*.gif", True),
        ("cat/old/1.jpg", "cat/old", True),
        ("cat/old/1.jpg", "./cat/*", True),
        ("dog/old/1.jpg", "cat/*", False),
        ("cat/older/1.jpg", "old", False),
        ("cat/1.gif", "1", False),
        ("cat[1]/a.jpg", "cat[[]1]", True),
        ("Ka\u0308se/a.jpg", "Käse", True),
        ("Käse/a.jpg", "Ka\u0308s*/", True),
    ],
)
def test_a_pattern_matches_names_of_files_and_folders(name: str, pattern: str, expected: bool) -> None:
    assert is_matched(name, pattern) is expected
