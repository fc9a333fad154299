"""The sockets that the service listens on. They are opened first, so that a port in use is reported at once."""

import contextlib
import errno
import os
import socket
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from app.settings import Settings

BACKLOG = 2048
"""Connections that the operating system lets wait until they are accepted."""
ALL_USERS = 0o666
"""Permissions of a unix socket: every user may connect, as to a port. Its folder's permissions can exclude users."""


class CannotListen(RuntimeError):
    """The address in the settings cannot be listened on; the message names the setting and says what to do."""


@dataclass(frozen=True)
class OpenSockets:
    """Sockets that listen, and the settings with a host that clients can open and with the port that was chosen."""

    sockets: list[socket.socket]
    settings: Settings


@contextlib.contextmanager
def open_sockets(settings: Settings) -> Iterator[OpenSockets]:
    """Listen on the host and port, or the unix socket, of the settings until the block ends; raises CannotListen."""
    if settings.unix_socket is not None:
        with _open_unix_socket(settings.unix_socket) as listener:
            yield OpenSockets([listener], settings)
        return
    with contextlib.ExitStack() as stack:
        sockets: list[socket.socket] = []
        port = settings.port
        for family, address in _addresses(settings):
            # asyncio sends small packets without delay only if the socket's protocol is TCP; the default is 0. With the
            # delay, the end of each response waits for the client's acknowledgement of its head, often 40 ms.
            listener = stack.enter_context(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
            _bind(listener, (address[0], port, *address[2:]), settings)
            port = listener.getsockname()[1]
            sockets.append(listener)
        host = _reachable_host(settings.host, sockets[0])
        yield OpenSockets(sockets, settings.model_copy(update={"host": host, "port": port}))


def _addresses(settings: Settings) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    """The family and socket address of every address that the host stands for."""
    host = settings.host.strip().removeprefix("[").removesuffix("]")
    advice = "set it to an IP address of this machine, a name that resolves to one, or 0.0.0.0 for all"
    try:
        resolved = socket.getaddrinfo(host or None, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CannotListen(
            f"MIRAGE_HOST: {settings.host[:100]!r} cannot be resolved to an address ({reason}): {advice}"
        ) from error
    return list(dict.fromkeys((family, address) for family, _, _, _, address in resolved))


def _bind(listener: socket.socket, address: tuple[Any, ...], settings: Settings) -> None:
    if os.name == "posix":
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if listener.family == socket.AF_INET6:
        listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        raise CannotListen(_explain(error, address, settings)) from error


def _explain(error: OSError, address: tuple[Any, ...], settings: Settings) -> str:
    host, port = address[:2]
    if error.errno == errno.EADDRINUSE:
        another = port + 1 if port < 65535 else 8000
        return (
            f"MIRAGE_PORT: port {port} of {host} is in use by another program: stop that program, or choose another "
            f"port, for example MIRAGE_PORT={another} (0 takes any free port)"
        )
    if error.errno == errno.EACCES:
        return f"MIRAGE_PORT: this user may not listen on port {port}: choose a port from 1024 to 65535, such as 8000"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"MIRAGE_HOST: {settings.host!r} ({host}) is not an address of this machine: choose 127.0.0.1 or 0.0.0.0"
    return (
        f"MIRAGE_HOST: cannot listen on {host} port {port} ({error.strerror}): choose another host, such as 127.0.0.1"
    )


def _reachable_host(host: str, listener: socket.socket) -> str:
    """A host that a client on this machine can open, in place of one that stands for all addresses."""
    bound = str(listener.getsockname()[0])
    if not ip_address(bound.partition("%")[0]).is_unspecified:
        return host.strip().removeprefix("[").removesuffix("]")
    return "::1" if listener.family == socket.AF_INET6 else "127.0.0.1"


@contextlib.contextmanager
def _open_unix_socket(path: Path) -> Iterator[socket.socket]:
    _remove_stale(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            listener.bind(str(path))
            os.chmod(path, ALL_USERS)
            listener.listen(BACKLOG)
        except OSError as error:
            raise CannotListen(
                f"MIRAGE_HOST: the unix socket {path} cannot be created ({error.strerror or error}): choose a path of "
                "at most 100 characters, in a folder that exists and that this user may write to"
            ) from error
        inode = path.stat().st_ino
        try:
            yield listener
        finally:
            with contextlib.suppress(OSError):
                if path.stat().st_ino == inode:  # not the socket of a process that has replaced it
                    path.unlink()


def _remove_stale(path: Path) -> None:
    """Remove the socket of a process that has ended; raises CannotListen if it is in use or not a socket."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotListen(f"MIRAGE_HOST: {path} exists and is not a socket: choose another path, or remove the file")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise CannotListen(
                f"MIRAGE_HOST: the unix socket {path} exists and cannot be opened ({error.strerror}): choose another "
                "path"
            ) from error
    raise CannotListen(
        f"MIRAGE_HOST: another program listens on the unix socket {path}: stop that program, or choose another path"
    )
