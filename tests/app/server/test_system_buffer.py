"""Tests what the operating system says of bytes that a client has not taken yet."""

import asyncio
import socket
import sys
from unittest.mock import Mock

import pytest

from app.server.system_buffer import bytes_in_system_buffer
from tests.app.live_service import eventually


def transport_of(connection: socket.socket) -> asyncio.Transport:
    transport = Mock(spec=asyncio.Transport)
    transport.get_extra_info.return_value = connection
    return transport


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell")
def test_bytes_wait_until_the_client_takes_them() -> None:
    """The client's own buffer is full; of what waits here, it takes all by reading."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.create_connection(listener.getsockname()) as client:
        connection, _ = listener.accept()
        with connection:
            transport, sent = transport_of(connection), 0
            assert bytes_in_system_buffer(transport) == 0
            connection.setblocking(False)
            try:
                while True:
                    sent += connection.send(bytes(65_536))
            except BlockingIOError:
                waiting = bytes_in_system_buffer(transport)
            assert 0 < waiting <= sent
            read = 0
            while read < sent:
                read += len(client.recv(65_536))
            eventually(lambda: bytes_in_system_buffer(transport) == 0)


def test_a_connection_that_is_closed_has_none() -> None:
    with socket.socket() as closed:
        pass
    assert bytes_in_system_buffer(transport_of(closed)) == 0
