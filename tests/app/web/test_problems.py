"""Tests errors as problem details (RFC 9457)."""

import httpx
import pytest
from starlette.exceptions import HTTPException

from app.web.problems import STATUS, TITLES, problem
from models.classes import UnknownClass
from models.pictures import NotAPicture, encode
from tests.app.live_service import Live, drawn


def test_every_status_has_a_title() -> None:
    """Titles are those of RFC 9110, which some Python versions do not have."""
    assert set(STATUS.values()) <= set(TITLES)
    assert (TITLES[413], TITLES[422]) == ("Content Too Large", "Unprocessable Content")


@pytest.mark.parametrize(
    ("error", "kind", "status"),
    [
        (UnknownClass("no"), "unknown-class", 404),
        (NotAPicture("no"), "not-a-picture", 415),
        (HTTPException(413, "no"), "content-too-large", 413),
        (HTTPException(404), "not-found", 404),
        (KeyError("ours"), "internal-server-error", 500),
    ],
)
def test_type_and_status_of_known_errors(error: Exception, kind: str, status: int) -> None:
    details = problem(error, "id")
    assert (details.type, details.status, details.request_id) == (f"urn:mirage:problem:{kind}", status, "id")
    assert "ours" not in details.detail


def test_every_error_of_the_table_is_handled(live: Live) -> None:
    assert set(STATUS) <= set(live.app.exception_handlers)


def test_an_unexpected_error_is_a_problem_without_a_traceback(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.operations.classify.begin", lambda *args, **kwargs: 1 / 0)
    # A separate connection, since uvicorn closes one on which the application has failed.
    response = httpx.post(f"{live.url}/classify", files={"image": encode(drawn())})
    assert (response.status_code, response.headers["Content-Type"]) == (500, "application/problem+json")
    assert "ZeroDivision" not in response.text and response.json()["request_id"] == response.headers["X-Request-ID"]
