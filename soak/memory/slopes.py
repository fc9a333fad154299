"""How many bytes each operation takes for each pixel of a picture, beside what is reserved for them. On Linux."""

import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from app.memory.costs import ATTACKED, CURVED, DECODING, EXPLAINED, PICTURE, SHOWN
from soak.memory.photos import photo
from soak.outcome import Outcome
from soak.service import RunningService, running_service

SIDES = (800, 2000)
"""Sides in pixels of the two square photos whose peaks are compared, smaller one first."""
SETTLING_S = 60
"""Seconds for which an operation waits until the service has given back what the one before has left."""
SMALL_SIDE = 200
"""Side in pixels of the photo that each operation works on first."""
STILL = 1.1
"""How many times as much memory as at the start counts as given back."""


class NotMeasured(RuntimeError):
    """The service has refused a request, as the message says."""


@dataclass(frozen=True)
class Operation:
    """A request and its options; `held` is how many pixels it holds for each of the picture's, as attack_cost counts.

    `each` are the bytes that are reserved for each of them.
    """

    path: str
    options: Mapping[str, str] = field(default_factory=dict)
    held: int = 1
    each: int = ATTACKED

    @property
    def reserved(self) -> int:
        """Bytes that are reserved in the service for each pixel of the picture, the decoded picture included."""
        return PICTURE + self.each * self.held


OPERATIONS = {
    "attack": Operation("/adversarial", {"deadline_s": "8"}),
    "pgd": Operation("/adversarial", {"attack": "pgd", "steps": "2"}),
    "ddn": Operation("/adversarial", {"attack": "ddn", "steps": "2", "format": "json"}),
    "l1": Operation("/adversarial", {"attack": "apgd", "norm": "l1", "steps": "3"}),
    "square": Operation("/adversarial", {"attack": "square", "steps": "3"}),
    "jpeg": Operation("/adversarial", {"attack": "pgd", "steps": "2", "format": "jpeg"}, held=2),
    "patch": Operation("/adversarial", {"attack": "patch", "steps": "2"}, held=4),
    "curve": Operation("/adversarial/curve", {"steps": "2", "format": "json"}, each=CURVED),
    "targets": Operation("/adversarial/targets", each=EXPLAINED),
    "grad_cam": Operation("/explain", {"method": "grad_cam"}, each=EXPLAINED),
    "smooth_grad": Operation("/explain", {"method": "smooth_grad"}, each=EXPLAINED),
    "integrated_gradients": Operation("/explain", {"method": "integrated_gradients"}, each=EXPLAINED),
    "features": Operation("/features", {"layer": "features", "channels": "8"}, each=SHOWN),
}
"""What is measured, by name. Steps are few: the memory of an attack does not grow with them."""


def measure_slopes(operations: Mapping[str, Operation] = OPERATIONS, sides: tuple[int, int] = SIDES) -> Outcome:
    """Measure each operation at two sizes; promised is that none takes more for each pixel than is reserved for it.

    What an operation takes is (peak 2 - peak 1) / (pixels 2 - pixels 1), by the peak of the resident set of the
    service's own process from the request to its response. So what does not grow with the picture cancels out: the
    service itself, and its passes through the network.
    """
    slopes: dict[str, float] = {}
    pictures = [photo(side) for side in sides]
    with tempfile.TemporaryDirectory() as folder, running_service(Path(folder)) as service:
        for operation in operations.values():  # what is imported at the first request of each kind stays
            _peak(service, operation, photo(SMALL_SIDE))
        at_start = _resident(service)
        for name, operation in operations.items():
            _settle(service, STILL * at_start)
            smaller, larger = (_peak(service, operation, picture) for picture in pictures)
            slopes[name] = (larger - smaller) / (sides[1] ** 2 - sides[0] ** 2)
    return judged(slopes, operations)


def judged(slopes: Mapping[str, float], operations: Mapping[str, Operation]) -> Outcome:
    """The slopes in bytes per pixel, and those that are higher than what is reserved."""
    outcome = Outcome({f"{name}_bytes_per_pixel": round(slope) for name, slope in slopes.items()})
    for name, slope in slopes.items():
        # Until it works on a picture, a request holds what decoding takes; 25 of these bytes are in another process.
        reserved = max(operations[name].reserved, DECODING)
        outcome.expect(
            f"{name} takes {slope:.0f} bytes for each pixel, and {reserved} are reserved", kept=slope <= reserved
        )
    return outcome


def _peak(service: RunningService, operation: Operation, picture: bytes) -> int:
    """Send the request, and return the largest resident set of the service's process since then, in bytes."""
    process = Path(f"/proc/{service.process.pid}")
    (process / "clear_refs").write_text("5", encoding="ascii")  # the peak is counted anew
    files = {"image": ("photo.jpg", picture, "image/jpeg")}
    response = httpx.post(
        service.url + operation.path, files=files, data=dict(operation.options), timeout=600, trust_env=False
    )
    if response.status_code != 200:
        raise NotMeasured(f"{operation.path} with {dict(operation.options)} was answered with {response.text}")
    return _bytes(process, "VmHWM:")


def _settle(service: RunningService, at_most: float) -> None:
    until = time.monotonic() + SETTLING_S
    while _resident(service) > at_most and time.monotonic() < until:
        time.sleep(1)


def _resident(service: RunningService) -> int:
    return _bytes(Path(f"/proc/{service.process.pid}"), "VmRSS:")


def _bytes(process: Path, field: str) -> int:
    lines = (process / "status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))
