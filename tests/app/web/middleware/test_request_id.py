"""Tests request ids of clients and of the service."""

from tests.app.live_service import Live


def test_a_valid_request_id_is_returned_and_an_invalid_one_replaced(live: Live) -> None:
    get = live.client.get
    assert get("/health/live", headers={"X-Request-ID": "my-id.1"}).headers["X-Request-ID"] == "my-id.1"
    hostile = get("/health/live", headers={"X-Request-ID": "<script>"}).headers["X-Request-ID"]
    assert len(hostile) == 32 and hostile.isalnum()
