"""API keys."""

from pathlib import Path

from tests.app.live_service import serve


class Named(dict[str, str]):
    """Any parameter of an address, filled in."""

    def __missing__(self, key: str) -> str:
        return "cat"


def test_keys(checkpoints: Path) -> None:
    """With keys set, every operation wants one, but the probes do not."""
    with serve(checkpoints=checkpoints, api_keys=("one", "two")) as live:
        get = live.client.get
        assert get("/health/ready").status_code == 200
        for path, operations in get("/openapi.json").json()["paths"].items():
            for method in operations:
                expected = {"/health/live": 200, "/health/ready": 200}.get(path, 401)
                assert live.client.request(method, path.format_map(Named())).status_code == expected, path
        refused = get("/models")
        assert (refused.status_code, refused.json()["title"]) == (401, "Unauthorized")
        assert get("/models", headers={"X-API-Key": "wrong"}).status_code == 401
        for key in ("one", "two"):
            assert get("/models", headers={"X-API-Key": key}).status_code == 200
