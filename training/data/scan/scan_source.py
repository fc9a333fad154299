"""The scan of a whole data set with progress and cache: file digests, findings and decoded photos are kept for the next
run."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import PIL
import torch
from rich.console import Console

from training.cache import Cache
from training.console import print_line, track
from training.data.layout.layout import Layout
from training.data.loading.photo_store import PhotoStore, PhotoStoreWriter
from training.data.scan.file_contents import Contents, RecordedContents, current_contents
from training.data.scan.findings import FileProblem, Scan
from training.data.scan.inspect_file import InspectedFile
from training.data.scan.inspect_files import inspect_files
from training.data.scan.select_photos import select_photos
from training.data.sources.source import Source


@dataclass
class _ContentRecorder:
    """Notes the digest of the bytes of each file that passes through it."""

    contents: dict[str, str] = field(default_factory=dict)

    def record(self, inspected: Iterable[InspectedFile]) -> Iterator[InspectedFile]:
        for file in inspected:
            self.contents[file.name] = file.content
            yield file


def scan_files(source: Source, layout: Layout, *, workers: int, console: Console, cache: Cache | None = None) -> Scan:
    """Inspect every file that has a class, with a progress bar; with a cache only where a file has changed."""
    scan = None if cache is None else _load_scan(source, layout, cache)
    if scan is None:
        recorder = _ContentRecorder()
        inspected = _inspect(source, layout, workers, console, shorter=None)
        scan = select_photos(layout, recorder.record(inspected))
        if cache is not None:
            _save_scan(scan, recorder.contents, source, layout, cache)
    return scan


def scan_and_store(
    source: Source, layout: Layout, cache: Cache, shorter: int, workers: int, console: Console
) -> tuple[Scan, PhotoStore | None]:
    """The scan, and the store of decoded photos, from the cache or else made in one pass over the files.

    Photos are stored with a shorter side of at most `shorter` pixels. The store is None where it cannot be written.
    """
    scan = _load_scan(source, layout, cache)
    if scan is not None:
        store = cache.load_store(scan.digest, shorter)
        if store is not None:
            return scan, store
        if cache.load_json(_too_large_key(scan, shorter)) == cache.limit_bytes:
            limit = f"{cache.limit_bytes / 1e9:.1f} GB"
            print_line(console, f"decoded photos are not cached, because they take more than {limit}")
            return scan, None
    try:
        writer = cache.writer()
    except OSError as error:
        print_line(
            console,
            f"nothing can be cached in {cache.folder} ({error.strerror}): photos are decoded again in each epoch",
        )
        return scan or scan_files(source, layout, workers=workers, console=console), None
    recorder = _ContentRecorder()
    with writer:
        inspected = recorder.record(_inspect(source, layout, workers, console, shorter=shorter))
        scan = select_photos(layout, _store_pixels(inspected, writer))
        store = cache.save_store(writer, scan.digest, shorter)
    _save_scan(scan, recorder.contents, source, layout, cache)
    if store is None:
        if writer.too_large:  # it will be so the next time too, whereas a full disk may have room then
            cache.save_json(_too_large_key(scan, shorter), cache.limit_bytes)
        print_line(console, f"decoded photos are not cached ({writer.failure}): they are decoded again in each epoch")
    return scan, store


def _load_scan(source: Source, layout: Layout, cache: Cache) -> Scan | None:
    """The scan of an earlier run on exactly the same contents; None where there is none."""
    recorded = cache.load_recorded(source.path)
    if not recorded.contents:
        return None
    contents = current_contents(source, layout.folder_of, recorded)
    scan = cache.load_scan(_scan_key(contents, source, layout))
    if scan is not None:  # with today's identities: a file that had changed too recently may be trusted the next time
        cache.save_recorded(source.path, RecordedContents(contents, source.identities))
    return scan


def _save_scan(scan: Scan, contents: Contents, source: Source, layout: Layout, cache: Cache) -> None:
    # A file in a folder that cannot be read today (permissions, a network disk) may be readable tomorrow.
    if source.is_archive or not any(finding.problem is FileProblem.UNREADABLE for finding in scan.findings):
        cache.save_scan(_scan_key(contents, source, layout), scan)
        cache.save_recorded(source.path, RecordedContents(contents, source.identities))


def _scan_key(contents: Contents, source: Source, layout: Layout) -> str:
    """Digest of all that a scan depends on: the contents, names and layout of the files, and what decodes them."""
    files = sorted((name, contents[name], layout.folder_of[name], layout.split_of.get(name, "")) for name in contents)
    without_class = [layout.outside, layout.no_class_reason, layout.missing, sorted(layout.contradictory.items())]
    parts = json.dumps([files, without_class, source.max_pixels, PIL.__version__])
    return hashlib.sha256(parts.encode("utf-8", "surrogateescape")).hexdigest()


def _inspect(
    source: Source, layout: Layout, workers: int, console: Console, *, shorter: int | None
) -> Iterable[InspectedFile]:
    names = sorted(layout.folder_of)
    inspected = inspect_files(source, names, workers, shorter=shorter)
    return track(console, inspected, total=len(names), what="inspecting the files")


def _store_pixels(inspected: Iterable[InspectedFile], writer: PhotoStoreWriter) -> Iterator[InspectedFile]:
    for file in inspected:
        if file.pixels is not None:
            writer.add(file.digest, torch.from_numpy(file.pixels))
        yield replace(file, pixels=None)


def _too_large_key(scan: Scan, shorter: int) -> str:
    """Key under which the cache has the limit that the decoded photos of a scan exceed."""
    return f"{scan.digest}-{shorter}.lost"
