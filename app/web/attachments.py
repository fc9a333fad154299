"""The header that makes a browser save a response as a file."""

import re
from urllib.parse import quote


def attachment(filename: str) -> str:
    """The value of Content-Disposition for a file of this name (RFC 6266).

    The name stands in it twice: in `filename`, for old clients, with `_` in place of everything but ASCII letters,
    digits, dots, hyphens and underscores; and in `filename*` in UTF-8 (RFC 8187). A slash becomes `_` in both, since a
    client must not read a folder in it.
    """
    filename = filename.replace("/", "_")
    plain = re.sub(r"[^A-Za-z0-9._-]", "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
