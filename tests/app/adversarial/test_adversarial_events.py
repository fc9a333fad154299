"""Tests POST /adversarial as a stream of events."""

import pytest

from tests.app.events import events
from tests.app.live_service import Live
from tests.app.picture_requests import classify, fool, pixels


def test_progress_events_are_followed_by_the_result(live: Live, picture: bytes) -> None:
    data = {"format": "events", "attack": "pgd", "steps": "3", "previews": "true"}
    with live.client.stream("POST", "/adversarial", files={"image": picture}, data=data) as response:
        received = list(events(response.iter_lines()))
    assert [name for name, _ in received] == ["progress"] * 3 + ["result"]
    assert received[0][1]["preview"].startswith("data:image/jpeg")
    assert received[-1][1]["success"] is True


def test_progress_shows_the_classes_and_the_change(live: Live, picture: bytes) -> None:
    """All four classes of the model, with probabilities of 1 together; the score is that of all but the original.

    The picture is smaller than a preview, so the change has its size, and PGD within a box leaves the rest grey.
    The box consists of whole blocks of a JPEG.
    """
    original = classify(live, picture)[0]["index"]
    data = {"format": "events", "attack": "pgd", "steps": "3", "previews": "true", "box": "32,16,64,32"}
    with live.client.stream("POST", "/adversarial", files={"image": picture}, data=data) as response:
        *progress, _ = [event for _, event in events(response.iter_lines())]
    assert len(progress) == 3
    for event in progress:
        probabilities = {entry["label"]: entry["probability"] for entry in event["probabilities"]}
        assert set(probabilities) == {"cat", "dog", "Siamese cat", "sea_lion"}
        assert list(probabilities.values()) == sorted(probabilities.values(), reverse=True)
        assert sum(probabilities.values()) == pytest.approx(1, abs=1e-4)
        others = [entry["probability"] for entry in event["probabilities"] if entry["index"] != original]
        assert event["score"] == pytest.approx(sum(others), abs=1e-4)
    for event in (progress[0], progress[-1]):  # a preview comes at most every tenth of a second, and at the last step
        change = pixels(event["change"])
        assert change.shape == pixels(event["preview"]).shape == (3, 96, 128)
        inside = change[:, 16:48, 32:96]
        assert inside.min() < 8 or inside.max() > 247
        outside = change.clone()
        outside[:, 14:50, 30:98] = 128  # a JPEG's colours reach two pixels beyond the edge of its blocks
        assert (outside == 128).all()


def test_without_previews_there_is_no_change(live: Live, picture: bytes) -> None:
    data = {"format": "events", "attack": "pgd", "steps": "1"}
    with live.client.stream("POST", "/adversarial", files={"image": picture}, data=data) as response:
        (_, progress), _ = events(response.iter_lines())
    assert "probabilities" in progress and not {"preview", "change"} & set(progress)


def test_a_failure_during_the_stream_is_an_event(live: Live, picture: bytes) -> None:
    """Only after the stream has begun does the task find that the picture already is of the target class."""
    present = fool(live, picture, steps=1)["original"]["label"]
    data = {"format": "events", "target": present}
    with live.client.stream("POST", "/adversarial", files={"image": picture}, data=data) as response:
        ((name, result),) = events(response.iter_lines())
    assert (name, result["status"]) == ("problem", 422)
    assert result["request_id"] == response.headers["X-Request-ID"]
