"""What the tests of POST /features and POST /explain ask with."""

from typing import Any

import httpx

from tests.app.live_service import Live


def post(live: Live, path: str, picture: bytes, **fields: object) -> httpx.Response:
    """The answer about a picture, with the form's other fields."""
    data = {name: str(value) for name, value in fields.items()}
    return live.client.post(path, files={"image": picture}, data=data)


def told(live: Live, path: str, picture: bytes, **fields: object) -> dict[str, Any]:
    """Its JSON."""
    answer = post(live, path, picture, format="json", **fields)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())
