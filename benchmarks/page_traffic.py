"""The requests of a tab: the page's own files by kind with their bytes, and what goes anywhere else."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

from playwright.sync_api import Page, Request

KINDS = {
    "/page/scripts/": "scripts",
    "/page/style/": "styles",
    "/page/languages/": "texts",
    "/page/samples/": "sample pictures",
    "/page/vendor/": "vendored library",
}
"""The kind of a file by the beginning of its path."""
OTHERS = "document and icon"
WITHIN = ("data:", "blob:")
"""Addresses of what the page has already."""


@dataclass(frozen=True)
class File:
    """A file of the page as it was sent: its path, and the bytes of its body on the wire."""

    path: str
    size: int

    @property
    def kind(self) -> str:
        """What the file is."""
        return next((kind for start, kind in KINDS.items() if self.path.startswith(start)), OTHERS)


def is_own(path: str) -> bool:
    """Whether a path is that of the page or one of its files, and not of the API."""
    return path == "/" or path.startswith("/page/")


def sizes_by_kind(files: Iterable[File]) -> dict[str, int]:
    """The bytes of all files, added up by kind; every kind is there."""
    sizes = dict.fromkeys([*KINDS.values(), OTHERS], 0)
    for file in files:
        sizes[file.kind] += file.size
    return sizes


class Traffic:
    """The requests of a tab from now on; `origin` is that of the service."""

    def __init__(self, page: Page, origin: str) -> None:
        self._page = page
        self._origin = urlsplit(origin)[:2]
        self._requests: list[Request] = []
        self._under_way: set[Request] = set()
        page.on("request", self._begin)
        page.on("requestfinished", self._end)
        page.on("requestfailed", self._end)

    def _begin(self, request: Request) -> None:
        if not request.url.startswith(WITHIN):
            self._requests.append(request)
            self._under_way.add(request)

    def _end(self, request: Request) -> None:
        self._under_way.discard(request)

    @property
    def elsewhere(self) -> list[str]:
        """The addresses of requests to another origin than the service's."""
        return [request.url for request in self._requests if urlsplit(request.url)[:2] != self._origin]

    @property
    def total(self) -> int:
        """The number of all requests."""
        return len(self._requests)

    def own_files(self) -> list[File]:
        """The page's own files that were sent; none of them may be under way."""
        sizes = [(request, request.sizes()["responseBodySize"]) for request in self._requests if _is_own(request)]
        return [File(urlsplit(request.url).path, size) for request, size in sizes]

    def wait_for_own_files(self) -> None:
        """Wait until none of the page's own files is under way, and for a moment none has begun."""
        self._wait(_is_own, quiet_ms=300)

    def wait_until_quiet(self) -> None:
        """Wait until no request is under way, and for two seconds none has begun."""
        self._wait(lambda _: True, quiet_ms=2000)

    def _wait(self, counts: Callable[[Request], bool], *, quiet_ms: float) -> None:
        """Wait until none of the requests that count has begun for a time, and at its end none is under way."""
        before = -1
        while True:
            begun = sum(map(counts, self._requests))
            if begun == before and not any(map(counts, self._under_way)):
                return
            before = begun
            self._page.wait_for_timeout(quiet_ms)


def _is_own(request: Request) -> bool:
    return is_own(urlsplit(request.url).path)
