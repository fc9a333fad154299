"""The responses to what is refused before any request reaches the application."""

from app.engine.admission import ShuttingDown
from app.server.refusals import MalformedRequest, TooManyConnections, refusal
from app.web.problems import Problem


def headers(refused: tuple[Problem, bytes]) -> dict[str, str]:
    _, response = refused
    lines = response.split(b"\r\n\r\n")[0].decode().split("\r\n")[1:]
    return {name: value for name, _, value in (line.partition(": ") for line in lines)}


def test_refusals_that_pass_say_when_to_try_again() -> None:
    assert headers(refusal(ShuttingDown("the service is stopping")))["retry-after"] == "5"
    assert headers(refusal(TooManyConnections()))["Retry-After"] == "2"


def test_what_is_no_http_should_not_be_sent_again() -> None:
    assert "retry-after" not in {name.lower() for name in headers(refusal(MalformedRequest()))}
