import hashlib
import io
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from rich.console import Console

from training.data.sources import downloads
from training.data.sources.downloads import download, find_data
from training.data.sources.source import BadData

BODY = bytes(range(256)) * 40_000
DIGEST = hashlib.sha256(BODY).hexdigest()


def quiet() -> Console:
    return Console(file=io.StringIO(), width=200)


class Server(ThreadingHTTPServer):
    """Serves BODY, with ranges if `ranges`; the first `breaks` responses end after `cut` bytes."""

    ranges, cut, breaks = True, 3_000_000, 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges_requested: list[str | None] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/file.zip"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        range_header = self.headers.get("Range")
        self.server.ranges_requested.append(range_header)
        start = int(range_header[6:-1]) if range_header and self.server.ranges else 0
        if start >= len(BODY):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(BODY) - start))
        self.end_headers()
        stop = len(BODY)
        if self.server.breaks:
            self.server.breaks -= 1
            stop = start + self.server.cut
        self.wfile.write(BODY[start:stop])

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_an_interrupted_download_continues_where_it_ended(server: Server, tmp_path: Path) -> None:
    """The connection breaks twice after 3,000,000 bytes: every request starts where the last one ended."""
    server.breaks = 2
    download(server.address, tmp_path / "file.zip", DIGEST, quiet(), pause_s=0)
    assert (tmp_path / "file.zip").read_bytes() == BODY
    assert server.ranges_requested == [None, "bytes=3000000-", "bytes=6000000-"]
    assert [file.name for file in tmp_path.iterdir()] == ["file.zip"]


def test_a_later_command_continues_the_download(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.zip.part").write_bytes(BODY[:5_000_000])
    download(server.address, tmp_path / "file.zip", DIGEST, quiet())
    assert server.ranges_requested == ["bytes=5000000-"] and (tmp_path / "file.zip").read_bytes() == BODY


def test_a_complete_partial_file_is_used(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.zip.part").write_bytes(BODY)
    download(server.address, tmp_path / "file.zip", DIGEST, quiet())
    assert (tmp_path / "file.zip").read_bytes() == BODY


def test_a_server_without_ranges_sends_the_whole_file_again(server: Server, tmp_path: Path) -> None:
    server.ranges = False
    (tmp_path / "file.zip.part").write_bytes(b"something else")
    download(server.address, tmp_path / "file.zip", DIGEST, quiet())
    assert (tmp_path / "file.zip").read_bytes() == BODY


def test_a_file_with_another_digest_is_refused(server: Server, tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"is not the expected file \(its SHA-256 is "):
        download(server.address, tmp_path / "file.zip", "0" * 64, quiet())
    assert list(tmp_path.iterdir()) == []


def test_an_unreachable_server_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadData, match=r"cannot be downloaded .*: repeat the command to continue"):
        download("http://127.0.0.1:9/file.zip", tmp_path / "file.zip", DIGEST, quiet(), pause_s=0)


def test_a_downloaded_file_is_not_downloaded_again(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "CATS_DOGS", (server.address, DIGEST))
    for _ in range(2):
        assert find_data("cats-dogs", tmp_path / "data", quiet()) == tmp_path / "data" / "file.zip"
    assert len(server.ranges_requested) == 1


def test_pets_are_downloaded_by_torchvision(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its class gets the folder for the data; if it fails, the error says what to do."""
    calls: list[tuple[str, bool]] = []
    monkeypatch.setattr("torchvision.datasets.OxfordIIITPet", lambda root, download: calls.append((root, download)))
    assert find_data("oxford-iiit-pet", tmp_path, quiet()) == tmp_path / "oxford-iiit-pet"
    assert calls == [(str(tmp_path), True)]

    def refuse(root: str, download: bool) -> None:
        raise RuntimeError("File not found or corrupted.")

    monkeypatch.setattr("torchvision.datasets.OxfordIIITPet", refuse)
    with pytest.raises(BadData, match="download it yourself and give its folder or zip"):
        find_data("oxford-iiit-pet", tmp_path, quiet())


def test_a_path_comes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cats-dogs").mkdir()
    monkeypatch.chdir(tmp_path)
    assert find_data("cats-dogs", tmp_path / "data", quiet()) == Path("cats-dogs")
    with pytest.raises(BadData, match="the name of a data set: cats-dogs, oxford-iiit-pet"):
        find_data("dogs-cats", tmp_path / "data", quiet())


def test_a_copy_in_a_read_only_folder_is_found(tmp_path: Path) -> None:
    """No lock file can be made there; in this test because a folder has its name."""
    file = tmp_path / downloads.CATS_DOGS[0].rpartition("/")[2]
    file.write_bytes(b"photos")
    (tmp_path / "cats-dogs.lock").mkdir()
    assert find_data("cats-dogs", tmp_path, quiet()) == file
