"""Whether a client reads what is sent to it, and fast enough."""

from app.server.limits import Limits


class Reader:
    """The client of one connection, as a reader; times are on the clock of time.monotonic().

    `read_at` is when it was last seen to have read something, or to have nothing to read.
    """

    def __init__(self, limits: Limits, now: float) -> None:
        self._limits = limits
        self._read, self.read_at = 0, now  # all bytes that it has read, and when it was last seen to have read some
        self._since, self._before = now, 0  # when much began to wait for it, and what it had read before

    def is_too_slow(self, now: float, written: int, waiting: int, queued: int) -> bool:
        """Whether to give the client up.

        It has been sent `written` bytes so far, of which `waiting` are in this process, and `queued` in the system's
        own buffer for the connection.
        """
        limits, read = self._limits, written - waiting - queued
        if read > self._read or not waiting:
            self._read, self.read_at = max(read, self._read), now
        if waiting <= limits.small_response_bytes:
            self._since, self._before = now, self._read
        allowed_s = limits.stalled_reader_s + (self._read - self._before) / limits.reader_bytes_per_s
        return now - self.read_at > limits.stalled_reader_s or now - self._since > allowed_s
