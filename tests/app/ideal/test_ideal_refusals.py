"""Tests which requests GET /ideal refuses, and the messages."""

import pytest

from tests.app.live_service import Live


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/ideal/dig", 404, "similar names: dog"),
        ("/ideal/4", 404, "the indices are 0 to 3"),
        ("/ideal/cat?model=other", 404, "similar names: tiny"),
        ("/ideal/cat?steps=0", 422, "steps: "),
        ("/ideal/cat?count=16&size=1024", 422, "ask for 4, or for smaller ones"),
        ("/ideal/cat?count=16&size=1024&format=events", 422, "ask for 4, or for smaller ones"),
        ("/ideal?layer=features.3&channel=0&objective=margin", 422, "objective is only for classes"),
        ("/ideal/cat?steps=1000000000", 422, "steps: "),
        ("/ideal/cat?crops=x", 422, "crops: "),
        ("/ideal/cat?tv=nan", 422, "tv: "),
        ("/ideal/cat?learning_rate=inf", 422, "learning_rate: "),
        ("/ideal/cat?noise=2", 422, "noise: "),
        ("/ideal/cat?count=0", 422, "count: "),
        ("/ideal/cat?count=17", 422, "count: "),
        ("/ideal/cat?seed=-1", 422, "seed: "),
        ("/ideal/cat?size=99999", 422, "size: "),
        ("/ideal/cat?method=magic", 422, "choose one of fourier"),
        ("/ideal/cat?effort=lazy", 422, "choose one of quick, standard, thorough"),
        ("/ideal/cat?clamp=false", 422, "clamp is an option of pixel"),
        ("/ideal/cat?method=pixel&decay=1", 422, "pixel takes no decay"),
        ("/ideal/cat?objective=x", 422, "choose one of logit"),
        ("/ideal/cat?stepz=3", 422, "stepz: "),
        ("/ideal/cat?format=bmp", 422, "format: "),
        ("/ideals/cat", 404, "GET /docs"),
        ("/ideal", 422, "layer: "),
        ("/ideal?layer=features.3", 422, "channel: "),
        ("/ideal?layer=features.33&channel=0", 404, "similar names: features.3"),
        ("/ideal?layer=features.3&channel=24", 404, "0 to 23"),
        ("/ideal?layer=features.3&channel=-1", 422, "channel: "),
    ],
)
def test_bad_requests_are_refused(live: Live, path: str, status: int, detail: str) -> None:
    response = live.client.get(path)
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/problem+json")
    assert detail in response.json()["detail"]


def test_an_accept_header_without_a_supported_format_is_refused(live: Live) -> None:
    response = live.client.get("/ideal/cat", headers={"Accept": "video/mp4"})
    assert response.status_code == 406 and "image/png" in response.json()["detail"]
