"""Tests API keys."""

from pathlib import Path

from tests.app.live_service import serve


class AnyName(dict[str, str]):
    """Fills in every parameter of a path with the same text."""

    def __missing__(self, key: str) -> str:
        return "cat"


def test_every_operation_but_the_probes_requires_a_key(checkpoints: Path) -> None:
    """With two keys set, both are accepted, and a wrong or missing key gives 401."""
    with serve(checkpoints=checkpoints, api_keys=("one", "two")) as live:
        get = live.client.get
        assert get("/health/ready").status_code == 200
        for path, operations in get("/openapi.json").json()["paths"].items():
            for method in operations:
                expected = {"/health/live": 200, "/health/ready": 200}.get(path, 401)
                assert live.client.request(method, path.format_map(AnyName())).status_code == expected, path
        response = get("/models")
        assert (response.status_code, response.json()["title"]) == (401, "Unauthorized")
        assert get("/models", headers={"X-API-Key": "wrong"}).status_code == 401
        for key in ("one", "two"):
            assert get("/models", headers={"X-API-Key": key}).status_code == 200
