"""The counts that the engine keeps of its batches and tasks, for GET /metrics."""

from dataclasses import dataclass


@dataclass
class Counters:
    """What the engine has done since it started; rows per batch say how well requests share the network."""

    forward_batches: int = 0
    """Batches of queries that want logits alone."""
    forward_rows: int = 0
    gradient_batches: int = 0
    """Batches of queries that want gradients too."""
    gradient_rows: int = 0
    done: int = 0
    """Tasks that returned a result."""
    failed: int = 0
    """Tasks that ended with an error."""
    left: int = 0
    """Tasks whose caller cancelled them."""
    expired: int = 0
    """Tasks whose deadline passed; each is counted under `done` or `failed` too."""
    driver_failures: int = 0
    """Drivers that failed or hung; all but the last one that is allowed are replaced."""
    refused: int = 0
    """Tasks that were not admitted: too many were alive, their pictures would have needed too much memory together, or
    the deadline would have passed before their turn."""
    refused_for_memory: int = 0
    """Those of them for which memory was lacking."""
    refused_too_late: int = 0
    """Those of them whose deadline would have passed."""
