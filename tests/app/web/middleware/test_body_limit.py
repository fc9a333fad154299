"""Tests the limit on the size of request bodies."""

from tests.app.classify_requests import refusal
from tests.app.live_service import Live


def test_a_body_over_the_limit_is_refused_with_and_without_content_length(live: Live) -> None:
    size = live.service.settings.max_bytes + 1
    headers = {"Content-Type": "image/png"}
    assert "over 20,000,000 bytes" in refusal(live, 413, content=bytes(size), headers=headers)["detail"]

    def in_pieces():  # type: ignore[no-untyped-def]
        for _ in range(size // 1_000_000 + 1):
            yield bytes(1_000_000)

    assert "over 20,000,000 bytes" in refusal(live, 413, content=in_pieces(), headers=headers)["detail"]
