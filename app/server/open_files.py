"""How many files, and so how many connections, the operating system lets the process have open."""

import logging
import sys

logger = logging.getLogger(__name__)
OTHER_FILES = 256
"""Open files that are no connections: models, databases, pipes, and connections that are being refused."""


def allow_connections(connections: int) -> None:
    """Raise the limit of open files so far that there may be so many connections, or log a warning."""
    if sys.platform == "win32":
        return
    import resource  # no such module on Windows

    needed = connections + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return
    allowed = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    if allowed < needed:
        logger.warning(
            "the operating system allows %d open files, too few for %d connections: raise its limit (ulimit -n), or "
            "lower MIRAGE_MAX_CONNECTIONS",
            allowed,
            connections,
        )
