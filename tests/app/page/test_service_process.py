"""The service as a process that a test starts with its own settings, kills and starts again."""

import httpx
import pytest

from tests.app.page.conftest import StartService

pytestmark = pytest.mark.browser


def test_a_killed_service_starts_again_at_its_address(start_service: StartService) -> None:
    """With the same settings: requests without the key are refused before and after."""
    process = start_service(api_keys="secret", max_waiting=1)
    assert process.client.get("/models").status_code == 401
    process.kill()
    with pytest.raises(httpx.ConnectError):
        process.client.get("/models")
    process.start()
    assert process.client.get("/models").status_code == 401
    assert process.client.get("/models", headers={"X-API-Key": "secret"}).status_code == 200
    assert "listening at" in process.log
