"""Files of API keys for tests."""

import hashlib


def entry(name: str, key: str, role: str = "all", per_minute: int | None = None) -> str:
    """The table of one key, as an operator could write it by hand."""
    digest = hashlib.sha256(key.encode()).hexdigest()
    quota = "" if per_minute is None else f"per_minute = {per_minute}\n"
    return f'[[keys]]\nname = "{name}"\nsha256 = "{digest}"\nrole = "{role}"\n{quota}'
