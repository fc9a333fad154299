"""When a request is sent again, and after how long.

A service that is full says when it expects to have room (`Retry-After`) and keeps a place until then, so that is when
the request is sent again. Where a connection failed, a request is sent again only if it cannot have reached the
service, or if it costs next to nothing to answer it twice.
"""

from dataclasses import dataclass, field

from mirage.errors import ConnectionLost, NotReached, Overloaded, ProxyFailed, TimedOut

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0
"""Seconds before the second attempt to connect, and at most between later ones; each pause is twice the one before."""

MOST_LOSSES = 2
"""How often a request is sent again after connections that ended before the response."""


@dataclass
class Retries:
    """The attempts of one request. Each method returns the seconds to wait before the next one, or raises the error.

    `retry_s` limits the seconds of all pauses together.
    """

    retry_s: float
    repeatable: bool
    waited_s: float = 0.0
    _pause_s: float = field(default=FIRST_PAUSE_S)
    _losses: int = 0

    def after_refusal(self, error: Overloaded) -> float:
        """After a response that the service has no room now."""
        if error.retry_after_s is None:
            raise error
        return self._wait(max(error.retry_after_s, self._next_pause()), error)

    def after_no_connection(self, error: NotReached, *, reached: bool) -> float:
        """After an attempt to connect that failed: nothing was sent.

        `reached` says whether this client has reached the service by now: only then is it worth waiting for a service
        that does not answer, since it may be starting again.
        """
        if not reached:
            raise error
        return self._wait(self._next_pause(), error)

    def after_loss(self, error: ConnectionLost | ProxyFailed) -> float:
        """After a connection that ended before the response, or a proxy's answer that it found no service."""
        self._losses += isinstance(error, ConnectionLost)
        # A picture that makes the service fail shall not do so again and again.
        if not self.repeatable or isinstance(error, TimedOut) or self._losses > MOST_LOSSES:
            raise error
        return self._wait(self._next_pause(), error)

    def _next_pause(self) -> float:
        pause_s = self._pause_s
        self._pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        return pause_s

    def _wait(self, pause_s: float, error: Exception) -> float:
        if self.waited_s + pause_s > self.retry_s:
            raise error
        self.waited_s += pause_s
        return pause_s
