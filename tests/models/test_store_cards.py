"""Tests reading the model cards beside the checkpoints of a folder."""

from pathlib import Path

import pytest

from models.store import NoCard, card_file, read_card


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with three files that have the names of checkpoints, and no card yet."""
    for name in ("insects", "cats-dogs", "pets.v2"):
        (tmp_path / f"{name}.safetensors").write_bytes(b"")
    return tmp_path


def test_the_card_of_a_checkpoint_is_the_file_beside_it(folder: Path) -> None:
    """A dot in a name is part of it. A checkpoint without a card, and a name without a checkpoint, have none."""
    (folder / "insects.md").write_bytes("# Käfer".encode())
    (folder / "pets.v2.md").write_bytes(b"# pets")
    assert card_file("insects", folder=folder) == folder / "insects.md"
    assert read_card("insects", folder=folder).decode() == "# Käfer"
    assert read_card("pets.v2", folder=folder) == b"# pets"
    for name in ("cats-dogs", "pets", "imagenet/resnet18"):
        assert card_file(name, folder=folder) is None
        with pytest.raises(NoCard, match=f"{name}' has no model card"):
            read_card(name, folder=folder)


def test_no_card_outside_the_folder_is_read(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Neither by a name with a path nor through a symbolic link; a link inside the folder is followed."""
    secret = tmp_path_factory.mktemp("outside") / "secret.md"
    secret.write_text("secret")
    secret.with_suffix(".safetensors").write_text("")
    (folder / "insects.md").symlink_to(secret)
    for name in ("insects", str(secret.with_suffix("")), f"../{secret.parent.name}/secret"):
        assert card_file(name, folder=folder) is None
    (folder / "common.md").write_text("# both")
    (folder / "cats-dogs.md").symlink_to(folder / "common.md")
    assert read_card("cats-dogs", folder=folder) == b"# both"
