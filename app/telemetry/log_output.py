"""Where log records go: to a stream, on a thread of its own, so that nothing waits for whoever reads the stream.

A pipe that nobody empties, such as that of a log collector that hangs, would otherwise stop the service.
"""

import logging
import threading
from collections import deque
from typing import TextIO

MOST_WAITING = 10_000
"""Records that wait to be written; those that come after them are left out."""
LAST_WORDS_S = 1.0
"""Seconds for which the end of the process waits until all records are written."""


class LogOutput(logging.Handler):
    """Writes each record as a line to the stream.

    While nobody reads the stream, MOST_WAITING records wait. Those that come meanwhile are dropped; how many, a record
    says once there is room again. What can never be written, since the stream is closed, is dropped without a word.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: deque[str] = deque()
        self._dropped = 0
        self._is_writing = False
        self._ends = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._write_all, name="log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Let the record be written; `Logger` calls this."""
        try:
            line = self.format(record)  # here, where it is known for which request
        except Exception:
            return self.handleError(record)
        with self._changed:
            if len(self._lines) < MOST_WAITING:
                self._lines.append(line)
            else:
                self._dropped += 1
            self._changed.notify_all()

    def flush(self) -> None:
        """Wait until all records are written, LAST_WORDS_S seconds at most."""
        with self._changed:
            self._changed.wait_for(lambda: not (self._lines or self._is_writing), LAST_WORDS_S)

    def close(self) -> None:
        """Write what waits, and end the thread, unless nobody reads the stream."""
        self.flush()
        with self._changed:
            self._ends = True
            self._changed.notify_all()
        self._thread.join(LAST_WORDS_S if not self._is_writing else 0)
        super().close()

    def _write_all(self) -> None:
        while True:
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._lines or self._ends)
                if not self._lines:
                    return
                lines, dropped = [*self._lines], self._dropped
                self._lines.clear()
                self._dropped, self._is_writing = 0, True
            if dropped:
                text = f"{dropped:,} records were left out of the log, which is not read fast enough"
                lines.append(self.format(logging.LogRecord(__name__, logging.WARNING, __file__, 0, text, None, None)))
            self._write("".join(f"{line}\n" for line in lines))

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except (OSError, ValueError):  # nobody will ever read it, or the disk is full
            return
