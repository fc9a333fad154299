"""Why a request failed."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """Why a request failed, as RFC 9457 problem details."""

    type: str
    """Identifier of the kind of problem, a URN such as `urn:mirage:problem:overloaded`."""
    title: str
    """The meaning of the HTTP status."""
    status: int
    """The HTTP status code."""
    detail: str
    """What is wrong with this request, and what to do next."""
    request_id: str
    """Identifier of the request, under which the log of the service has more."""
