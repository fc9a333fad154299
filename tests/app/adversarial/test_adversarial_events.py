"""Tests POST /adversarial as a stream of events."""

from tests.app.events import events
from tests.app.live_service import Live
from tests.app.picture_requests import fool


def test_progress_events_are_followed_by_the_result(live: Live, picture: bytes) -> None:
    data = {"format": "events", "attack": "pgd", "steps": "3", "previews": "true"}
    with live.client.stream("POST", "/adversarial", files={"image": picture}, data=data) as response:
        received = list(events(response.iter_lines()))
    assert [name for name, _ in received] == ["progress"] * 3 + ["result"]
    assert received[0][1]["preview"].startswith("data:image/png")
    assert received[-1][1]["success"] is True


def test_a_failure_during_the_stream_is_an_event(live: Live, picture: bytes) -> None:
    """Only after the stream has begun does the task find that the picture already is of the target class."""
    present = fool(live, picture, steps=1)["original"]["label"]
    data = {"format": "events", "target": present}
    with live.client.stream("POST", "/adversarial", files={"image": picture}, data=data) as response:
        ((name, result),) = events(response.iter_lines())
    assert (name, result["status"]) == ("problem", 422)
    assert result["request_id"] == response.headers["X-Request-ID"]
