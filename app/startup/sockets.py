"""Where the service listens: sockets that are bound before anything else is begun."""

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
EVERYBODY = 0o666
"""May connect to a unix socket, as to a port; the folder's permissions can keep others out."""


class CannotListen(RuntimeError):
    """There is no listening where the settings say; the text names the setting and what to do."""


@dataclass(frozen=True)
class Listening:
    """The open sockets, and the settings with the host that clients can name and the port that was chosen."""

    sockets: list[socket.socket]
    settings: Settings


@contextlib.contextmanager
def listening(settings: Settings) -> Iterator[Listening]:
    """Listen on what the settings say until the block ends; raises CannotListen."""
    if settings.unix_socket is not None:
        with _unix(settings.unix_socket) as opened:
            yield Listening([opened], settings)
        return
    with contextlib.ExitStack() as stack:
        sockets: list[socket.socket] = []
        port = settings.port
        for family, address in _addresses(settings):
            opened = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            _bind(opened, (address[0], port, *address[2:]), settings)
            port = opened.getsockname()[1]
            sockets.append(opened)
        host = _reachable(settings.host, sockets[0])
        yield Listening(sockets, settings.model_copy(update={"host": host, "port": port}))


def _addresses(settings: Settings) -> list[tuple[socket.AddressFamily, tuple[Any, ...]]]:
    host = settings.host.strip().removeprefix("[").removesuffix("]")
    advice = "give an IP address of this machine, a name that resolves to one, or 0.0.0.0 for all"
    try:
        found = socket.getaddrinfo(host or None, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise CannotListen(
            f"MIRAGE_HOST: {settings.host[:100]!r} cannot be resolved to an address ({reason}): {advice}"
        ) from error
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def _bind(opened: socket.socket, address: tuple[Any, ...], settings: Settings) -> None:
    if os.name == "posix":
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if opened.family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    try:
        opened.bind(address)
        opened.listen(BACKLOG)
    except OSError as error:
        raise CannotListen(_reason(error, address, settings)) from error


def _reason(error: OSError, address: tuple[Any, ...], settings: Settings) -> str:
    host, port = address[:2]
    if error.errno == errno.EADDRINUSE:
        another = port + 1 if port < 65535 else 8000
        return (
            f"MIRAGE_PORT: port {port} of {host} is in use by another program: stop that one, or choose another port, "
            f"for example MIRAGE_PORT={another} (0 takes any that is free)"
        )
    if error.errno == errno.EACCES:
        return f"MIRAGE_PORT: port {port} needs privileges that this user lacks: choose one from 1024 on, such as 8000"
    if error.errno == errno.EADDRNOTAVAIL:
        return f"MIRAGE_HOST: {settings.host!r} ({host}) is no address of this machine: choose 127.0.0.1, or 0.0.0.0"
    return f"MIRAGE_HOST: cannot listen on {host} port {port} ({error.strerror}): choose another, such as 127.0.0.1"


def _reachable(host: str, opened: socket.socket) -> str:
    """What a client on this machine can open: `all addresses` is none."""
    bound = str(opened.getsockname()[0])
    if not ip_address(bound.partition("%")[0]).is_unspecified:
        return host.strip().removeprefix("[").removesuffix("]")
    return "::1" if opened.family == socket.AF_INET6 else "127.0.0.1"


@contextlib.contextmanager
def _unix(path: Path) -> Iterator[socket.socket]:
    _remove_stale(path)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as opened:
        try:
            opened.bind(str(path))
            os.chmod(path, EVERYBODY)
            opened.listen(BACKLOG)
        except OSError as error:
            raise CannotListen(
                f"MIRAGE_HOST: the unix socket {path} cannot be made ({error.strerror or error}): choose a path of at "
                "most 100 characters, in a folder that exists and that this user may write to"
            ) from error
        made = path.stat().st_ino
        try:
            yield opened
        finally:
            with contextlib.suppress(OSError):
                if path.stat().st_ino == made:  # not another's, that was made in its place
                    path.unlink()


def _remove_stale(path: Path) -> None:
    """Remove a socket that a process has left behind; raises CannotListen for what is in use, or no socket."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise CannotListen(f"MIRAGE_HOST: {path} exists and is no socket: choose another path, or remove it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as client:
        try:
            client.connect(str(path))
        except ConnectionRefusedError:
            path.unlink(missing_ok=True)
            return
        except OSError as error:
            raise CannotListen(
                f"MIRAGE_HOST: the unix socket {path} exists and cannot be tried ({error.strerror}): choose another"
            ) from error
    raise CannotListen(
        f"MIRAGE_HOST: another program listens on the unix socket {path}: stop that one, or choose another path"
    )
