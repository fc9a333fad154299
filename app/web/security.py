"""API keys: the check that every operation except the health probes makes if MIRAGE_API_KEYS is set."""

import hmac
from typing import Annotated

from fastapi import Depends
from fastapi.security import APIKeyHeader
from starlette.exceptions import HTTPException

from app.web.service import ServiceDependency

header = APIKeyHeader(
    name="X-API-Key",
    auto_error=False,
    description="One of the API keys in MIRAGE_API_KEYS. It is needed only if the operator has set any.",
)


async def require_key(service: ServiceDependency, key: Annotated[str | None, Depends(header)] = None) -> None:
    """Accept the request if its key is valid or no keys are set; raises HTTPException 401."""
    valid_keys = service.settings.api_keys
    client_key = (key or "").encode()
    # Comparing with every key, in constant time each, keeps the duration from revealing anything about the keys.
    if valid_keys and not any([hmac.compare_digest(client_key, valid_key.encode()) for valid_key in valid_keys]):
        fault = "the key in the header X-API-Key is not valid" if key else "the request has no API key"
        raise HTTPException(
            401,
            f"{fault}: send a key that you got from the operator of this service in the header X-API-Key",
            {"WWW-Authenticate": "ApiKey"},
        )
