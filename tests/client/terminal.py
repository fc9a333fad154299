"""Runs the command `mirage` on a pseudo-terminal, in a process of its own."""

import os
import subprocess
import sys
import threading

from tests.app.live_service import Live


def on_terminal(live: Live, *arguments: object, out: int | None = None, **variables: str) -> tuple[int, str]:
    """Run the command on a pseudo-terminal of 100 columns; its exit code, and all that it wrote there.

    Standard output goes to the file descriptor `out`, or to the terminal as well.
    """
    import fcntl
    import pty
    import struct
    import termios

    main, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 100, 0, 0))
    command = [sys.executable, "-c", "from mirage.command_line.main import main; main()", *map(str, arguments)]
    environment = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS")}
    environment |= {"MIRAGE_URL": live.url, "TERM": "xterm-256color", "COLORTERM": "truecolor"} | variables
    stdout = terminal if out is None else out
    process = subprocess.Popen(command, env=environment, stdin=terminal, stdout=stdout, stderr=terminal)
    os.close(terminal)
    written: list[bytes] = []

    def read() -> None:
        try:
            while data := os.read(main, 65536):
                written.append(data)
        except OSError:  # the other end is closed
            pass

    reader = threading.Thread(target=read)
    reader.start()
    code = process.wait(120)
    reader.join(30)
    os.close(main)
    return code, b"".join(written).decode("utf-8", "replace")
