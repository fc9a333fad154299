"""What the operating system still holds of the bytes that were sent over a connection."""

import asyncio
import sys


def bytes_in_system_buffer(transport: asyncio.Transport) -> int:
    """Bytes that the system has taken and the client has not, where the system tells (Linux); elsewhere 0.

    The system takes more in large steps only. A slow client, which takes little, would seem to take nothing for long.
    """
    if sys.platform != "linux":
        return 0
    import fcntl  # no such modules on Windows
    import termios

    connection = transport.get_extra_info("socket")
    try:
        return int.from_bytes(fcntl.ioctl(connection.fileno(), termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except (OSError, ValueError):  # the connection has just been closed
        return 0
