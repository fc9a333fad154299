import pickle
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torchvision.transforms.v2 import functional as transform

from training.data.loading.photo_store import DamagedStore, PhotoStore, PhotoStoreWriter, shrink


def picture(height: int, width: int, seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=random)


PICTURES = {"a": picture(20, 30), "b": picture(7, 5, 1), "c": picture(16, 16, 2)}


def write_store(folder: Path, limit_bytes: int = 10**6) -> tuple[PhotoStore | None, PhotoStoreWriter]:
    with PhotoStoreWriter(folder, limit_bytes=limit_bytes) as writer:
        for digest, pixels in PICTURES.items():
            writer.add(digest, pixels)
            writer.add(digest, pixels)  # a copy, which is not stored again
        return writer.finish(folder / "all.pixels"), writer


@pytest.mark.parametrize(
    ("shape", "side", "expected"),
    [((20, 30), 10, (10, 15)), ((300, 200), 100, (150, 100)), ((20, 30), 20, (20, 30)), ((20, 30), 64, (20, 30))],
)
def test_the_shorter_side_shrinks_and_never_grows(shape: tuple[int, int], side: int, expected: tuple[int, int]) -> None:
    """As torchvision does it; without AVX2 that rounds in another way, by at most one level."""
    shrunk = shrink(picture(*shape), side)
    assert shrunk.shape == (3, *expected)
    resized = transform.resize(picture(*shape), list(expected), antialias=True)
    assert (shrunk.int() - resized.int()).abs().max() <= 1


def test_stored_pixels_are_read_unchanged(tmp_path: Path) -> None:
    store, _ = write_store(tmp_path)
    assert store is not None
    for digest, pixels in PICTURES.items():
        assert digest in store and torch.equal(store.pixels(digest), pixels)
    assert (tmp_path / "all.pixels").stat().st_size == 3 * (600 + 35 + 256)
    assert "d" not in store


def test_changed_pixels_are_refused(tmp_path: Path) -> None:
    """One byte of one picture is changed; the other pictures can still be read."""
    store, _ = write_store(tmp_path)
    assert store is not None
    data = bytearray(store.path.read_bytes())
    data[store.rows["b"][0] + 5] ^= 1
    store.path.write_bytes(data)
    again = PhotoStore(store.path)
    with pytest.raises(DamagedStore, match="changed or is damaged"):
        again.pixels("b")
    assert torch.equal(again.pixels("a"), PICTURES["a"])


def test_changes_of_read_pixels_do_not_change_the_file(tmp_path: Path) -> None:
    store, _ = write_store(tmp_path)
    assert store is not None
    before = (tmp_path / "all.pixels").read_bytes()
    store.pixels("a").zero_()
    assert (tmp_path / "all.pixels").read_bytes() == before


def test_a_pickled_store_has_no_pixels(tmp_path: Path) -> None:
    """Worker processes get the path of the store and open it themselves."""
    store, _ = write_store(tmp_path)
    sent = pickle.dumps(store)
    received = pickle.loads(sent)  # noqa: S301 - made two lines above
    assert len(sent) < 1000 and torch.equal(received.pixels("b"), PICTURES["b"])


def test_a_store_above_the_limit_is_not_written(tmp_path: Path) -> None:
    store, writer = write_store(tmp_path, limit_bytes=2000)
    assert store is None and "more than the limit of 0.0 GB" in writer.failure
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["shorter", "no index"])
def test_a_damaged_store_is_not_opened(tmp_path: Path, damage: str) -> None:
    write_store(tmp_path)
    if damage == "shorter":
        (tmp_path / "all.pixels").write_bytes(b"half")
    else:
        (tmp_path / "all.index.json").unlink()
    with pytest.raises((OSError, ValueError)):
        PhotoStore(tmp_path / "all.pixels")


FULL = """
import resource, sys
from pathlib import Path
import torch
from training.data.loading.photo_store import PhotoStoreWriter
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
with PhotoStoreWriter(Path(sys.argv[1]), limit_bytes=10**9) as writer:
    for number in range(10):
        writer.add(str(number), torch.zeros(3, 200, 200, dtype=torch.uint8))
    print(writer.finish(Path(sys.argv[1]) / "all.pixels"), writer.failure)
"""


@pytest.mark.skipif(not hasattr(resource, "RLIMIT_FSIZE"), reason="needs a limit on the size of files")
def test_a_full_disk_means_no_store_and_no_error(tmp_path: Path) -> None:
    """The system refuses to write, here because of a limit on the size of files: no file is left."""
    process = subprocess.run([sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "None File too large"
    assert list(tmp_path.iterdir()) == []
