"""What can go wrong, as exceptions. Each text says what is wrong and what to do next."""

from mirage.problem import Problem


class MirageError(Exception):
    """Base class of all errors of this package."""


class BadAddress(MirageError, ValueError):
    """The address of the service, or the API key, cannot be used as it is written."""


class BadPicture(MirageError, ValueError):
    """The argument cannot be sent as a picture: there is no such file, or its values are not those of a picture."""


class BadOption(MirageError, ValueError):
    """Two options contradict each other, or a result cannot be saved under the given name."""


class NotReached(MirageError, ConnectionError):
    """No connection to the service could be made, so the request was not sent."""


class ConnectionLost(MirageError, ConnectionError):
    """The connection ended, or nothing came for too long, before the response was complete."""


class TimedOut(ConnectionLost):
    """Nothing came of the response for as long as the client waits."""


class ClientClosed(MirageError, RuntimeError):
    """The client has been closed, or belongs to another process or event loop: a new one is needed."""


class UnexpectedResponse(MirageError):
    """The response is not one of Mirage: something else answers at this address, or a proxy before it."""


class ProxyFailed(UnexpectedResponse):
    """A proxy before the service answered that it has not reached it, for example while the service starts again."""


class ProblemError(MirageError):
    """The service answered with a problem (RFC 9457). `problem` has its fields; `str()` gives the detail."""

    def __init__(self, problem: Problem, retry_after_s: float | None = None) -> None:
        super().__init__(problem, retry_after_s)
        self.problem = problem
        self.retry_after_s = retry_after_s
        """Seconds after which the service expects to have room, or None if it did not say."""

    def __str__(self) -> str:
        return f"{self.problem.detail} (request {self.problem.request_id})"

    @property
    def kind(self) -> str:
        """The kind of problem in a word or two, such as `overloaded` or `unknown-class`."""
        return self.problem.type.rpartition(":")[2]


class RequestRefused(ProblemError):
    """The picture or an option is not valid, or too large (400, 405, 406, 408, 413, 415, 422, 431)."""


class KeyRefused(ProblemError):
    """The API key is missing or wrong (401), or is not good for this operation (403)."""


class NotFound(ProblemError):
    """There is no such model, class or layer; the text names those that are similar (404)."""


class Overloaded(ProblemError):
    """The service has no room now (503), or the key has used up its quota (429)."""


class DeadlinePassed(ProblemError):
    """The service had no result within its time limit (504)."""


class ServiceFailed(ProblemError):
    """The service itself failed (500); its log has the reason under the identifier of the request."""


BY_STATUS: dict[int, type[ProblemError]] = {
    401: KeyRefused,
    403: KeyRefused,
    404: NotFound,
    429: Overloaded,
    500: ServiceFailed,
    503: Overloaded,
    504: DeadlinePassed,
}
"""Which exception a status becomes; all others become RequestRefused."""


def of_problem(problem: Problem, retry_after_s: float | None = None) -> ProblemError:
    """The exception for a problem, by its status."""
    return BY_STATUS.get(problem.status, RequestRefused)(problem, retry_after_s)
