"""API keys: the check that every operation except the health probes makes if any keys are set."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Annotated, Literal, get_args

from fastapi import Depends, Request
from fastapi.security import APIKeyHeader
from starlette.exceptions import HTTPException

from app.keys.key_ring import Key, KeyRing
from app.keys.quota import QuotaUsedUp
from app.keys.wrong_keys import TooManyWrongKeys, WrongKeys

NAME = "X-API-Key"
header = APIKeyHeader(
    name=NAME,
    auto_error=False,
    description="An API key that you got from the operator of the service. It is needed only if the operator has set "
    "any. A key with the role `classify` is good for POST /classify, POST /classify/batch and GET /models only.",
)
Reason = Literal["missing", "wrong", "too_many_wrong", "role", "quota"]
"""Why a request was refused: it had no key; a wrong one; a wrong one after too many others; one whose role does not
allow the operation; one whose quota is used up."""


@dataclass(frozen=True)
class KeyCheck:
    """The valid keys, the delay of wrong ones, and how many requests were refused for which reason."""

    ring: KeyRing = field(default_factory=KeyRing)
    wrong: WrongKeys = field(default_factory=WrongKeys)
    refused: Counter[Reason] = field(default_factory=lambda: Counter(dict.fromkeys(get_args(Reason), 0)))


async def the_key_check(request: Request) -> KeyCheck:
    """The dependency through which the checks get the keys; async, since FastAPI runs others on threads."""
    return request.app.state.key_check  # type: ignore[no-any-return]


KeyCheckDependency = Annotated[KeyCheck, Depends(the_key_check)]


async def require_key(
    request: Request, check: KeyCheckDependency, _: Annotated[str | None, Depends(header)] = None
) -> Key | None:
    """The key of the request, whose name is then in `request.state.key_name`; None and "" if no keys are set.

    Nothing of the body has been read by then. Raises HTTPException 401, TooManyWrongKeys and QuotaUsedUp.
    """
    request.state.key_name = ""
    if not check.ring.required:
        return None
    # Bytes, not the text that the framework makes of them: the letters of a key may be in UTF-8 or in Latin-1.
    sent = [value.strip() for name, value in request.scope["headers"] if name == NAME.lower().encode()]
    if not any(sent):
        check.refused["missing"] += 1  # and answered at once: nobody finds a key in this way
        raise _unauthorized("the request has no API key")
    key = check.ring.find(sent[0]) if len(sent) == 1 else None
    if key is None:
        await _delay(request, check)
        raise _unauthorized(f"the key in the header {NAME} is not valid")
    request.state.key_name = key.name
    if key.quota is not None:
        try:
            key.quota.take()
        except QuotaUsedUp:
            check.refused["quota"] += 1
            raise
    return key


async def require_full_key(check: KeyCheckDependency, key: Annotated[Key | None, Depends(require_key)]) -> None:
    """Accept the request if its key is for all operations, or no keys are set; raises HTTPException 403 as well."""
    if key is not None and key.role != "all":
        check.refused["role"] += 1
        raise HTTPException(
            403,
            f"this API key has the role {key.role}, which allows POST /classify, POST /classify/batch and GET /models "
            "only: ask the operator of this service for a key with the role all",
        )


async def _delay(request: Request, check: KeyCheck) -> None:
    try:
        await check.wrong.delay(request.client.host if request.client else "")
    except TooManyWrongKeys:
        check.refused["too_many_wrong"] += 1
        raise
    check.refused["wrong"] += 1


def _unauthorized(fault: str) -> HTTPException:
    return HTTPException(
        401,
        f"{fault}: send a key that you got from the operator of this service in the header {NAME}",
        {"WWW-Authenticate": "ApiKey"},
    )
