"""The place, the memory and the deadline of one drawing, which all requests for the same picture share."""

import time

from fastapi import Request

from app.ideal.resolved_request import ResolvedRequest
from app.memory.budget import MemoryIsTaken
from app.memory.costs import ALWAYS_LEFT, DRAWN
from app.web.service import Service
from app.web.ticket import place_of


class Order:
    """Admits a drawing for the request that asks for it first; `until` is that request's deadline.

    Raises Overloaded, TooLate, ShuttingDown, and NeedsTooMuchMemory for pictures that can never be drawn here.
    """

    def __init__(self, service: Service, request: Request, resolved: ResolvedRequest) -> None:
        self.place = place_of(request)
        self.until = self.place.begun + service.settings.deadline_s
        self._admission = service.engine.admission
        try:
            self._memory = service.memory.reserve_now(DRAWN * resolved.weight, leave=ALWAYS_LEFT)
        except MemoryIsTaken:
            self._admission.refuse()
        try:
            self._admission.admit(self.place, self.seconds_left)
        except BaseException:
            self._memory.release()
            raise

    @property
    def seconds_left(self) -> float:
        """Seconds until the deadline; at least a millisecond."""
        return max(self.until - time.monotonic(), 0.001)

    def release(self) -> None:
        """Give the memory back, and the place unless a task has it; a second call does nothing."""
        self._memory.release()
        self._admission.release_after_request(self.place)
