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


def test_what_was_kept_comes_back(cache: Cache) -> None:
    cache.save_scan("key", SCAN)
    cache.save_tensors("features", {"a": torch.arange(3.0)})
    cache.save_json("speed", {"float32": 0.5})
    assert cache.load_scan("key") == SCAN and cache.load_json("speed") == {"float32": 0.5}
    tensors = cache.load_tensors("features")
    assert tensors is not None and torch.equal(tensors["a"], torch.arange(3.0))


def test_what_is_not_there_is_none(cache: Cache) -> None:
    assert cache.load_scan("key") is None and cache.load_json("x") is None
    assert cache.load_tensors("x") is None and cache.load_store("x", 3) is None


@pytest.mark.parametrize("name", ["key.scan.json", "features.safetensors", "speed.json"])
def test_what_is_damaged_is_none(cache: Cache, name: str) -> None:
    cache.place.mkdir(parents=True)
    (cache.place / name).write_bytes(b"\xff{ half")
    assert cache.load_scan("key") is None and cache.load_json("speed") is None
    assert cache.load_tensors("features") is None


def test_pixels_are_kept_by_content_and_size(cache: Cache) -> None:
    pixels = torch.arange(48, dtype=torch.uint8).reshape(3, 4, 4)
    with cache.writer() as writer:
        writer.add("d1", pixels)
        cache.save_store(writer, "scan", 4)
    store = cache.load_store("scan", 4)
    assert store is not None and torch.equal(store.pixels("d1"), pixels)
    assert cache.load_store("scan", 5) is None and cache.load_store("other", 4) is None


def test_a_store_that_is_there_is_not_replaced(cache: Cache) -> None:
    """A run that reads it has its rows in mind; by other names they would lie in another order."""
    one, other = (torch.full((3, 4, 4), value, dtype=torch.uint8) for value in (1, 2))
    for order in ((("d1", one), ("d2", other)), (("d2", other), ("d1", one))):
        with cache.writer() as writer:
            for digest, pixels in order:
                writer.add(digest, pixels)
            store = cache.save_store(writer, "scan", 4)
        assert store is not None and store.rows["d1"][0] == 0
        assert torch.equal(store.pixels("d1"), one) and torch.equal(store.pixels("d2"), other)


def test_what_is_larger_than_all_of_it_is_not_kept_and_costs_no_other(cache: Cache) -> None:
    cache.save_json("speed", 1)
    cache.save_tensors("large", {"x": torch.zeros(10_000)})
    assert cache.load_tensors("large") is None and cache.load_json("speed") == 1


def test_what_was_used_longest_ago_goes_first(cache: Cache) -> None:
    """Three of 4,000 bytes in 10,000: the one that was not looked at makes room."""
    for age, key in enumerate(("a", "b")):
        cache.save_tensors(key, {"x": torch.zeros(1000)})
        os.utime(cache.place / f"{key}.safetensors", (1000 + age, 1000 + age))
    assert cache.load_tensors("a") is not None
    cache.save_tensors("c", {"x": torch.zeros(1000)})
    assert cache.load_tensors("b") is None
    assert cache.load_tensors("a") is not None and cache.load_tensors("c") is not None


def test_what_a_killed_run_left_is_swept_after_an_hour(cache: Cache) -> None:
    cache.place.mkdir(parents=True)
    for name, age in ((".store.old", 2 * 3600), (".store.new", 60)):
        (cache.place / name).write_bytes(b"half")
        then = (cache.place / name).stat().st_mtime - age
        os.utime(cache.place / name, (then, then))
    cache.save_json("x", 1)
    assert sorted(file.name for file in cache.place.iterdir()) == [".store.new", "x.json"]


def test_a_folder_that_cannot_be_had_costs_nothing_but_time(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = Cache(tmp_path / "file" / "cache")
    cache.save_json("x", 1)
    assert cache.load_json("x") is None
    with pytest.raises(OSError):
        cache.writer()


def test_other_peoples_files_are_never_touched(tmp_path: Path) -> None:
    """Even in a folder of photos, with no room at all."""
    for name in (".env", "photos.zip", "x.json"):
        (tmp_path / name).write_bytes(b"mine")
        os.utime(tmp_path / name, (1000, 1000))
    Cache(tmp_path, 0).save_json("x", 1)
    assert all((tmp_path / name).read_bytes() == b"mine" for name in (".env", "photos.zip", "x.json"))


def test_a_store_that_was_given_up_costs_no_other(cache: Cache) -> None:
    cache.save_tensors("features", {"a": torch.zeros(2000)})
    with cache.writer() as writer:
        writer.add("d1", torch.zeros(3, 40, 40, dtype=torch.uint8))
        writer.add("d2", torch.zeros(3, 60, 60, dtype=torch.uint8))
        assert writer.too_large and cache.save_store(writer, "scan", 4) is None
    assert cache.load_tensors("features") is not None
