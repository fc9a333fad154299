"""Requests, encoded once: those of all operations that work on pictures, in about the proportions of a busy service."""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlencode

from soak.service import REPOSITORY

PICTURES = REPOSITORY / "docs" / "pictures"
BOUNDARY = "0f1e2d3c4b5a"
MOST_SEED = 2**31


@dataclass(frozen=True)
class Request:
    """A request as bytes; `deadline_s` is that of the request itself, if it has one."""

    operation: str
    head: bytes
    body: bytes = b""
    deadline_s: float | None = None


Draw = Callable[[random.Random], Request]
"""Makes one of many similar requests."""


@dataclass(frozen=True)
class Mix:
    """Kinds of requests with their weights; `draw` gives one of them at random."""

    kinds: Mapping[str, tuple[float, Draw]] = field(default_factory=dict)

    def draw(self, random: random.Random) -> Request:
        """The next request."""
        (weighted,) = random.choices(list(self.kinds.values()), [weight for weight, _ in self.kinds.values()])
        return weighted[1](random)


def get(operation: str, /, **options: object) -> Request:
    """A GET of the path."""
    head = f"GET {_target(operation, options)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    return Request(operation, head.encode())


def post(operation: str, body: bytes, content_type: str = "image/png", /, **options: object) -> Request:
    """A POST of the body; options stand in the query."""
    head = (
        f"POST {_target(operation, options)} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    deadline_s = options.get("deadline_s")
    return Request(operation, head.encode(), body, deadline_s if isinstance(deadline_s, float) else None)


def picture(name: str) -> bytes:
    """The file of a picture of the documentation."""
    return (PICTURES / name).read_bytes()


def form(pictures: list[bytes]) -> tuple[bytes, str]:
    """A form with several pictures, and its media type."""
    start = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="image"; filename="a.png"\r\n\r\n'.encode()
    parts = b"".join(start + data + b"\r\n" for data in pictures)
    return parts + f"--{BOUNDARY}--\r\n".encode(), f"multipart/form-data; boundary={BOUNDARY}"


def quick() -> Mix:
    """Classifications: five of one picture for each of several pictures."""
    chelsea, dog, cat = picture("chelsea.png"), picture("ideal-dog.png"), picture("ideal-cat.png")
    singles = [post("/classify", chelsea), post("/classify", chelsea, top=1), post("/classify", dog)]
    batch = post("/classify/batch", *form([chelsea, dog, cat]))
    return Mix({"one": (5, lambda random: random.choice(singles)), "several": (1, lambda _: batch)})


ATTACKS: tuple[Mapping[str, object], ...] = (
    {"attack": "fgsm"},
    {"attack": "pgd", "steps": 8},
    {"attack": "pgd", "steps": 5, "norm": "l2", "format": "json"},
    {"attack": "bim", "steps": 5, "format": "events", "previews": "true"},
    {"attack": "mi_fgsm", "steps": 8},
    {"attack": "ddn", "steps": 10, "format": "events"},
    {"attack": "deepfool", "steps": 5},
    {"attack": "fmn", "steps": 10, "norm": "linf"},
    {"attack": "pgd", "steps": 1000, "epsilon": "1/255", "deadline_s": 8.0},
)
"""Attacks of a few steps, and one whose own deadline ends it."""


def slow() -> Mix:
    """Attacks of a few steps by several methods, explanations, and ideal pictures, each of a new seed."""
    chelsea, dog = picture("chelsea.png"), picture("ideal-dog.png")
    attacks = [post("/adversarial", data, **options) for options in ATTACKS for data in (chelsea, dog)]
    explanations = [
        post("/explain", chelsea),
        post("/explain", dog, format="json"),
        post("/explain", dog, method="integrated_gradients", steps=8),
    ]
    return Mix(
        {
            "attack": (8, lambda random: random.choice(attacks)),
            "explanation": (2, lambda random: random.choice(explanations)),
            "ideal": (1, _ideal),
        }
    )


def _ideal(random: random.Random) -> Request:
    name, method = random.choice(("cat", "dog")), random.choice(("pixel", "fourier", "maco"))
    target = get(f"/ideal/{name}", method=method, steps=4, crops=2, seed=random.randrange(MOST_SEED))
    return Request("/ideal/{class}", target.head)


def _target(path: str, options: Mapping[str, object]) -> str:
    return f"{path}?{urlencode(options)}" if options else path
