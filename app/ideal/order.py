"""The place, the memory and the deadline of one drawing, which all requests for the same picture share."""

from fastapi import Request

from app.engine.deadline import Deadline
from app.ideal.resolved_request import ResolvedRequest
from app.memory.budget import MemoryIsTaken
from app.memory.costs import ALWAYS_LEFT, DRAWN
from app.web.service import Service
from app.web.ticket import place_of


class Order:
    """Admits a drawing for the request that asks for it first; others may put off its deadline.

    Raises Overloaded, TooLate, ShuttingDown, and NeedsTooMuchMemory for pictures that can never be drawn here.
    """

    def __init__(self, service: Service, request: Request, resolved: ResolvedRequest, deadline: Deadline) -> None:
        self.place = place_of(request)
        self.deadline = deadline
        self._admission = service.engine.admission
        try:
            self._memory = service.memory.reserve_now(DRAWN * resolved.weight, leave=ALWAYS_LEFT)
        except MemoryIsTaken:
            self._admission.refuse()
        try:
            self._admission.admit(self.place, deadline.seconds_left)
        except BaseException:
            self._memory.release()
            raise

    def release(self) -> None:
        """Give the memory back, and the place unless a task has it; a second call does nothing."""
        self._memory.release()
        self._admission.release_after_request(self.place)
