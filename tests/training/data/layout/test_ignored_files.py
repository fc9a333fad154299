import pytest

from training.data.layout.ignored_files import is_matched, without_ignored_files


@pytest.mark.parametrize(
    "folder",
    ["@eaDir", "#recycle", "lost+found", "$RECYCLE.BIN", "System Volume Information", "__MACOSX", ".Trashes",
     "FOUND.000", ".Spotlight-V100", ".git", ".ipynb_checkpoints", "__pycache__", "@Recycle", "Network Trash Folder",
     "LOST.DIR", "Config.Msi", "Photos Previews.lrdata", "site-packages"],
)  # fmt: skip
@pytest.mark.parametrize("above", ["", "photos/", "cat/"])
def test_folders_that_systems_make_are_left_out_wherever_they_lie(folder: str, above: str) -> None:
    kept = without_ignored_files(["cat/1.jpg", f"{above}{folder}/x/1.jpg", f"{above}{folder}/"])
    assert kept.names == ("cat/1.jpg",)
    assert kept.notes == (f"these folders of the system or of programs are left out: {folder}",)


@pytest.mark.parametrize(
    "result", ["runs/m/metrics.json", "wandb/run-1/files/config.yaml", "checkpoints/best.pt",
               "lightning_logs/version_0/events.out.tfevents.1.host.2", "photos/runs/train/weights/last.pt",
               "models/model.onnx", "saved_model/variables/variables.index", "results/train_metrics.csv"]
)  # fmt: skip
def test_folders_of_results_are_left_out_where_results_lie_in_them(result: str) -> None:
    top = result[: result.index("/", result.find("runs") if "runs" in result else 0)]
    kept = without_ignored_files(["cat/1.jpg", result, f"{top}/confusion_matrix.png"])
    assert kept.names == ("cat/1.jpg",)


@pytest.mark.parametrize("folder", ["runs", "weights", "logs", "eaDir", "recycle", "found"])
def test_a_class_may_be_called_so(folder: str) -> None:
    kept = without_ignored_files([f"{folder}/1.jpg", "cat/1.jpg"])
    assert kept.names == (f"{folder}/1.jpg", "cat/1.jpg") and kept.notes == ()


def test_a_class_called_so_may_have_tables_and_texts_beside_its_photos() -> None:
    """Logs of wood, with what an annotator wrote of each; weights for the gym, with their labels."""
    names = ("logs/1.jpg", "logs/1.json", "weights/1.jpg", "weights/labels.csv")
    assert without_ignored_files(names).names == names


@pytest.mark.parametrize(
    ("name", "pattern", "wanted"),
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
def test_patterns(name: str, pattern: str, wanted: bool) -> None:
    assert is_matched(name, pattern) is wanted
