"""API keys, where the operator wants them."""

import hmac
from typing import Annotated

from fastapi import Depends
from fastapi.security import APIKeyHeader
from starlette.exceptions import HTTPException

from app.web.service import ServiceDependency

header = APIKeyHeader(name="X-API-Key", auto_error=False, description="needed where MIRAGE_API_KEYS is set")


def require_key(service: ServiceDependency, key: Annotated[str | None, Depends(header)] = None) -> None:
    """Let pass who carries one of the keys, or everybody where there are none; raises HTTPException 401."""
    keys = service.settings.api_keys
    given = (key or "").encode()
    # Every key is compared in constant time, so that the time taken tells nothing of them.
    if keys and not any([hmac.compare_digest(given, each.encode()) for each in keys]):
        raise HTTPException(401, "send a valid key in the header X-API-Key", {"WWW-Authenticate": "ApiKey"})
