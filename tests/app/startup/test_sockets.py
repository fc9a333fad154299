"""Tests the sockets that the service listens on, and the errors if it cannot."""

import asyncio
import errno
import socket
from pathlib import Path
from typing import Any

import pytest

from app.settings import Settings
from app.startup.greeting import display_address, service_url
from app.startup.sockets import CannotListen, open_sockets


def settings_for(host: str, port: int = 0, **others: Any) -> Settings:
    return Settings(_env_file=None, host=host, port=port, **others)


def short_folder(tmp_path: Path) -> Path:
    """Return the folder, whose path must be short enough for a unix socket."""
    assert len(str(tmp_path)) < 90
    return tmp_path


@pytest.mark.parametrize(
    ("host", "address"),
    [
        ("127.0.0.1", "http://127.0.0.1:{}"),
        ("0.0.0.0", "http://127.0.0.1:{}"),
        ("0", "http://127.0.0.1:{}"),
        ("localhost", "http://localhost:{}"),
        ("::1", "http://[::1]:{}"),
        ("[::1]", "http://[::1]:{}"),
        ("::", "http://[::1]:{}"),
        ("0:0:0:0:0:0:0:0", "http://[::1]:{}"),
    ],
)
def test_a_client_can_connect_to_the_printed_address(host: str, address: str) -> None:
    """The address has the port that was chosen in place of 0."""
    if ":" in host and not socket.has_ipv6:
        pytest.skip("needs IPv6")
    with open_sockets(settings_for(host, root_path="/mirage")) as opened:
        port = opened.sockets[0].getsockname()[1]
        assert port > 0
        assert service_url(opened.settings) == address.format(port) + "/mirage"
        name = address.removeprefix("http://").rpartition(":")[0].strip("[]")
        socket.create_connection((name, port), timeout=10).close()


def test_responses_are_sent_without_delay() -> None:
    """A connection that asyncio accepts, as it does for uvicorn, does not collect small packets (TCP_NODELAY)."""

    async def accepted_options() -> int:
        option: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def accept(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            option.set_result(writer.get_extra_info("socket").getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            writer.close()

        async with await asyncio.start_server(accept, sock=opened.sockets[0]) as server:
            _, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
            writer.close()
            return await option

    with open_sockets(settings_for("127.0.0.1")) as opened:
        assert asyncio.run(accepted_options()) != 0


def test_a_port_in_use_is_refused_and_a_free_one_is_suggested() -> None:
    """The port may also be in use on all addresses; it can be used again at once after it was closed."""
    for host in ("127.0.0.1", "0.0.0.0"):
        with open_sockets(settings_for(host)) as first:
            port = first.settings.port
            with (
                pytest.raises(CannotListen, match=rf"MIRAGE_PORT: port {port} .* in use .*MIRAGE_PORT={port + 1}"),
                open_sockets(settings_for("127.0.0.1", port)),
            ):
                pass
        with open_sockets(settings_for("127.0.0.1", port)) as reopened:
            assert reopened.settings.port == port


@pytest.mark.parametrize(
    ("host", "message"),
    [
        ("no-such-host.invalid", "cannot be resolved"),
        ("http://127.0.0.1", "cannot be resolved"),
        ("127.0.0.1:8000", "cannot be resolved"),
        ("x" * 300, "cannot be resolved"),
        ("a\0b", "cannot be resolved"),
        ("203.0.113.7", "is not an address of this machine"),
        ("2001:db8::7", "is not an address of this machine"),
    ],
)
def test_an_unusable_host_is_refused(host: str, message: str) -> None:
    with pytest.raises(CannotListen, match=f"^MIRAGE_HOST: .*{message}.*0.0.0.0"), open_sockets(settings_for(host)):
        pass


def test_a_port_that_needs_privileges_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error is simulated, since the tests may run as root."""

    class Guarded(socket.socket):
        def bind(self, address: Any) -> None:
            raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("app.startup.sockets.socket.socket", Guarded)
    with (
        pytest.raises(CannotListen, match=r"MIRAGE_PORT: this user may not listen on port 80: .* such as 8000"),
        open_sockets(settings_for("127.0.0.1", 80)),
    ):
        pass


def test_a_unix_socket_is_created_and_removed(tmp_path: Path) -> None:
    path = short_folder(tmp_path) / "m i.sock"
    with open_sockets(settings_for(f"unix:{path}")) as opened:
        assert display_address(opened.settings) == f"unix:{path}"
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))
        with pytest.raises(CannotListen, match="another program listens"), open_sockets(settings_for(f"unix:{path}")):
            pass
        assert path.is_socket(), "a refused service does not remove the socket"
    assert not path.exists()


def test_only_an_abandoned_socket_is_replaced(tmp_path: Path) -> None:
    path = short_folder(tmp_path) / "s"
    with socket.socket(socket.AF_UNIX) as abandoned:
        abandoned.bind(str(path))
    assert path.is_socket()
    with open_sockets(settings_for(f"unix:{path}")):
        assert path.is_socket()
    path.write_text("precious")
    with pytest.raises(CannotListen, match="exists and is not a socket"), open_sockets(settings_for(f"unix:{path}")):
        pass
    assert path.read_text() == "precious"
    for unusable in (tmp_path / "nowhere" / "s", tmp_path / ("x" * 120)):
        with pytest.raises(CannotListen, match="cannot be created"), open_sockets(settings_for(f"unix:{unusable}")):
            pass
