"""The versions of the model that changes, and the files that take its place."""

from pathlib import Path

from models import checkpoint
from models.checkpoint import BadCheckpoint
from soak.reload.versions import CLASSES, NAME, VERSIONS, Files, put, write_versions


def test_good_files_alternate_and_every_fourth_is_refused(tmp_path: Path) -> None:
    """The first version is served at the beginning, so the second comes first."""
    write_versions(tmp_path)
    files, file = Files(tmp_path), tmp_path / f"{NAME}.safetensors"
    names, classes = [], []
    for number in range(16):
        name, data = files.draw(number)
        put(tmp_path, data)
        names.append(name)
        try:
            classes.append(checkpoint.load(file)[0].spec.classes)
        except BadCheckpoint:
            classes.append(())
    first, second = VERSIONS
    assert names == [second, first, second, None, first, second, first, None] * 2
    known = {first: ("cat", "dog"), second: CLASSES, None: ()}
    assert classes == [known[name] for name in names]
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"{name}.safetensors" for name in (NAME, first, second)]
