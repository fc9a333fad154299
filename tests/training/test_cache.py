import os
from pathlib import Path

import pytest
import torch

from training.cache import Cache
from training.data.scan.findings import FileProblem, Finding, Photo, Scan


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache", 10_000)


SCAN = Scan((Photo("x/1.png", "x", "d1", "test", "d1"),), (Finding("x/2.png", FileProblem.EMPTY, "nothing"),))


def test_saved_entries_are_loaded_unchanged(cache: Cache) -> None:
    cache.save_scan("key", SCAN)
    cache.save_tensors("features", {"a": torch.arange(3.0)})
    cache.save_json("speed", {"float32": 0.5})
    assert cache.load_scan("key") == SCAN and cache.load_json("speed") == {"float32": 0.5}
    tensors = cache.load_tensors("features")
    assert tensors is not None and torch.equal(tensors["a"], torch.arange(3.0))


def test_a_missing_entry_is_none(cache: Cache) -> None:
    assert cache.load_scan("key") is None and cache.load_json("x") is None
    assert cache.load_tensors("x") is None and cache.load_store("x", 3) is None


@pytest.mark.parametrize("name", ["key.scan.json", "features.safetensors", "speed.json"])
def test_a_damaged_entry_is_none(cache: Cache, name: str) -> None:
    cache.place.mkdir(parents=True)
    (cache.place / name).write_bytes(b"\xff{ half")
    assert cache.load_scan("key") is None and cache.load_json("speed") is None
    assert cache.load_tensors("features") is None


def test_pixels_are_stored_by_content_and_size(cache: Cache) -> None:
    pixels = torch.arange(48, dtype=torch.uint8).reshape(3, 4, 4)
    with cache.writer() as writer:
        writer.add("d1", pixels)
        cache.save_store(writer, "scan", 4)
    store = cache.load_store("scan", 4)
    assert store is not None and torch.equal(store.pixels("d1"), pixels)
    assert cache.load_store("scan", 5) is None and cache.load_store("other", 4) is None


def test_an_existing_store_is_not_replaced(cache: Cache) -> None:
    """A run that reads the store knows its rows; a store of the same photos in another order has other rows."""
    one, other = (torch.full((3, 4, 4), value, dtype=torch.uint8) for value in (1, 2))
    for order in ((("d1", one), ("d2", other)), (("d2", other), ("d1", one))):
        with cache.writer() as writer:
            for digest, pixels in order:
                writer.add(digest, pixels)
            store = cache.save_store(writer, "scan", 4)
        assert store is not None and store.rows["d1"][0] == 0
        assert torch.equal(store.pixels("d1"), one) and torch.equal(store.pixels("d2"), other)


def test_an_entry_larger_than_the_cache_is_not_saved_and_removes_no_other(cache: Cache) -> None:
    cache.save_json("speed", 1)
    cache.save_tensors("large", {"x": torch.zeros(10_000)})
    assert cache.load_tensors("large") is None and cache.load_json("speed") == 1


def test_the_least_recently_used_entry_is_removed_first(cache: Cache) -> None:
    """Three entries of 4,000 bytes do not fit into 10,000: the one that was not loaded is removed."""
    for age, key in enumerate(("a", "b")):
        cache.save_tensors(key, {"x": torch.zeros(1000)})
        os.utime(cache.place / f"{key}.safetensors", (1000 + age, 1000 + age))
    assert cache.load_tensors("a") is not None
    cache.save_tensors("c", {"x": torch.zeros(1000)})
    assert cache.load_tensors("b") is None
    assert cache.load_tensors("a") is not None and cache.load_tensors("c") is not None


def test_temporary_files_of_a_killed_run_are_removed_after_an_hour(cache: Cache) -> None:
    cache.place.mkdir(parents=True)
    for name, age in ((".store.old", 2 * 3600), (".store.new", 60)):
        (cache.place / name).write_bytes(b"half")
        then = (cache.place / name).stat().st_mtime - age
        os.utime(cache.place / name, (then, then))
    cache.save_json("x", 1)
    assert sorted(file.name for file in cache.place.iterdir()) == [".store.new", "x.json"]


def test_without_a_usable_folder_nothing_is_cached(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = Cache(tmp_path / "file" / "cache")
    cache.save_json("x", 1)
    assert cache.load_json("x") is None
    with pytest.raises(OSError):
        cache.writer()


def test_files_of_others_are_never_changed(tmp_path: Path) -> None:
    """The cache has a limit of 0 bytes and is in a folder with other files, which stay."""
    for name in (".env", "photos.zip", "x.json"):
        (tmp_path / name).write_bytes(b"mine")
        os.utime(tmp_path / name, (1000, 1000))
    Cache(tmp_path, 0).save_json("x", 1)
    assert all((tmp_path / name).read_bytes() == b"mine" for name in (".env", "photos.zip", "x.json"))


def test_a_store_that_is_too_large_removes_no_other_entry(cache: Cache) -> None:
    cache.save_tensors("features", {"a": torch.zeros(2000)})
    with cache.writer() as writer:
        writer.add("d1", torch.zeros(3, 40, 40, dtype=torch.uint8))
        writer.add("d2", torch.zeros(3, 60, 60, dtype=torch.uint8))
        assert writer.too_large and cache.save_store(writer, "scan", 4) is None
    assert cache.load_tensors("features") is not None
