"""A look at every file of a data set, and what of it is kept for the next run: contents, findings, decoded photos."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import PIL
import torch
from rich.console import Console

from training.cache import Cache
from training.console import tell, track
from training.data.layout.layout import Layout
from training.data.loading.photo_store import PhotoStore, Writer
from training.data.scan.file_contents import Contents, Recorded, current_contents
from training.data.scan.inspect_file import Looked, Problem, Scan, look_at_all
from training.data.scan.select_photos import sort_out
from training.data.sources.source import Source


@dataclass
class _Seen:
    """What a pass over the files leaves beside the scan: the digest of each file's bytes."""

    contents: dict[str, str] = field(default_factory=dict)

    def noting(self, looked: Iterable[Looked]) -> Iterator[Looked]:
        """Pass on what was looked at."""
        for seen in looked:
            self.contents[seen.name] = seen.content
            yield seen


def scanned(source: Source, found: Layout, *, workers: int, console: Console, cache: Cache | None = None) -> Scan:
    """Look at every file of the class folders, with a progress bar; with a cache only where a file has changed."""
    scan = None if cache is None else _earlier(source, found, cache)
    if scan is None:
        seen = _Seen()
        scan = sort_out(found, seen.noting(_looked(source, found, workers, console, shorter=None)))
        if cache is not None:
            _keep(scan, seen.contents, source, found, cache)
    return scan


def look_over(
    source: Source, found: Layout, cache: Cache, shorter: int, workers: int, console: Console
) -> tuple[Scan, PhotoStore | None]:
    """The scan and the decoded photos: kept ones, or else made in one pass over the files."""
    scan = _earlier(source, found, cache)
    if scan is not None:
        store = cache.load_store(scan.digest, shorter)
        if store is not None:
            return scan, store
        if cache.load_json(_lost(scan, shorter)) == cache.limit_bytes:
            tell(console, f"decoded photos are not kept: they take more than {cache.limit_bytes / 1e9:.1f} GB")
            return scan, None
    try:
        writer = cache.writer()
    except OSError as error:
        tell(console, f"nothing is kept in {cache.folder} ({error.strerror}): photos are decoded in each epoch")
        return scan or scanned(source, found, workers=workers, console=console), None
    seen = _Seen()
    with writer:
        looked = seen.noting(_looked(source, found, workers, console, shorter=shorter))
        scan = sort_out(found, _stored(looked, writer))
        store = cache.save_store(writer, scan.digest, shorter)
    _keep(scan, seen.contents, source, found, cache)
    if store is None:
        if writer.too_large:  # they will be so the next time; a full disk may have room then
            cache.save_json(_lost(scan, shorter), cache.limit_bytes)
        tell(console, f"decoded photos are not kept ({writer.lost}): they are decoded in each epoch")
    return scan, store


def _earlier(source: Source, found: Layout, cache: Cache) -> Scan | None:
    """The scan of an earlier run on the very same contents; None where there is none."""
    recorded = cache.load_recorded(source.path)
    if not recorded.contents:
        return None
    contents = current_contents(source, found.folder_of, recorded)
    scan = cache.load_scan(_key(contents, source, found))
    if scan is not None:  # with today's identities: what had changed too shortly before may be believed the next time
        cache.save_recorded(source.path, Recorded(contents, source.identities))
    return scan


def _keep(scan: Scan, contents: Contents, source: Source, found: Layout, cache: Cache) -> None:
    # What a folder would not let be read it may let be read tomorrow.
    if source.is_archive or not any(finding.problem is Problem.UNREADABLE for finding in scan.findings):
        cache.save_scan(_key(contents, source, found), scan)
        cache.save_recorded(source.path, Recorded(contents, source.identities))


def _key(contents: Contents, source: Source, found: Layout) -> str:
    """Digest of all that a scan depends on: the contents, names and layout of the files, and what decodes them."""
    files = sorted((name, contents[name], found.folder_of[name], found.side_of.get(name, "")) for name in contents)
    others = [found.outside, found.without, found.missing, sorted(found.contradictory.items())]
    parts = json.dumps([files, others, source.max_pixels, PIL.__version__])
    return hashlib.sha256(parts.encode("utf-8", "surrogateescape")).hexdigest()


def _looked(source: Source, found: Layout, workers: int, console: Console, *, shorter: int | None) -> Iterable[Looked]:
    names = sorted(found.folder_of)
    looked = look_at_all(source, names, workers, shorter=shorter)
    return track(console, looked, total=len(names), what="looking at the files")


def _stored(looked: Iterable[Looked], writer: Writer) -> Iterator[Looked]:
    for seen in looked:
        if seen.pixels is not None:
            writer.add(seen.digest, torch.from_numpy(seen.pixels))
        yield replace(seen, pixels=None)


def _lost(scan: Scan, shorter: int) -> str:
    return f"{scan.digest}-{shorter}.lost"
