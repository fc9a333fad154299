"""Bodies over the limit."""

from tests.app.classify_requests import refusal
from tests.app.live_service import Live


def test_a_body_over_the_limit_announced_or_not(live: Live) -> None:
    size = live.service.settings.max_bytes + 1
    headers = {"Content-Type": "image/png"}
    assert "over 20,000,000 bytes" in refusal(live, 413, content=bytes(size), headers=headers)["detail"]

    def in_pieces():  # type: ignore[no-untyped-def]
        for _ in range(size // 1_000_000 + 1):
            yield bytes(1_000_000)

    assert "over 20,000,000 bytes" in refusal(live, 413, content=in_pieces(), headers=headers)["detail"]
