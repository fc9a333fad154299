"""The quota of an API key: how many requests it may make in a minute."""

import time

ROUNDING = 1e-6
"""What may lack of a whole request: a client that waits exactly as long as it was told must not be refused again."""


class QuotaUsedUp(RuntimeError):
    """The key has made as many requests as it may; there is room for the next after `retry_after_s` seconds."""

    def __init__(self, per_minute: int, retry_after_s: float) -> None:
        super().__init__(
            f"this API key may make {per_minute:,} requests in a minute, and has made them: wait for as many seconds "
            "as the header Retry-After says, or ask the operator of this service for more"
        )
        self.retry_after_s = retry_after_s


class Quota:
    """A token bucket: up to `per_minute` requests at once, and `per_minute` more in every minute, evenly spread."""

    def __init__(self, per_minute: int, spent: "Quota | None" = None) -> None:
        """`spent` is the quota that this one replaces: what was used of it counts."""
        self.per_minute = per_minute
        self._left = float(per_minute) if spent is None else min(spent._refilled(), float(per_minute))
        self._at = time.monotonic()

    def take(self) -> None:
        """Count one request; raises QuotaUsedUp."""
        self._left = self._refilled()
        self._at = time.monotonic()
        missing = 1 - self._left - ROUNDING
        if missing > 0:
            raise QuotaUsedUp(self.per_minute, missing * 60 / self.per_minute)
        self._left -= 1

    def _refilled(self) -> float:
        return min(self.per_minute, self._left + (time.monotonic() - self._at) * self.per_minute / 60)
