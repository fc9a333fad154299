"""Request ids of clients and of the service."""

from tests.app.live_service import Live


def test_a_request_id_is_kept_or_made(live: Live) -> None:
    get = live.client.get
    assert get("/health/live", headers={"X-Request-ID": "my-id.1"}).headers["X-Request-ID"] == "my-id.1"
    hostile = get("/health/live", headers={"X-Request-ID": "<script>"}).headers["X-Request-ID"]
    assert len(hostile) == 32 and hostile.isalnum()
