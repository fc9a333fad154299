"""An ideal picture's answer as it lies in the cache, and as it is shown."""

import base64
import json
import logging
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from jaxtyping import UInt8
from torch import Tensor

from app.ideal.responses import IdealResult
from app.web.service import Service
from app.web.streaming import Outcome, data_url
from models.ideal.sheet import tile
from models.pictures import decode

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kept:
    """An answer as it lies in the cache: every figure, and each picture as a PNG.

    `whole` is false where the judge could not be asked, or where memory ran out, so that it was rounded as fewer rows
    have it and not as its key says: such an answer is given, and neither kept nor tagged.
    """

    figures: dict[str, Any]
    pictures: tuple[bytes, ...]
    whole: bool = True

    def to_bytes(self) -> bytes:
        """One JSON document."""
        pictures = [base64.b64encode(picture).decode() for picture in self.pictures]
        return json.dumps({"figures": self.figures, "pictures": pictures}).encode()

    @staticmethod
    def from_bytes(data: bytes) -> "Kept":
        """What `to_bytes` wrote."""
        found = json.loads(data)
        return Kept(found["figures"], tuple(base64.b64decode(picture) for picture in found["pictures"]))

    @cached_property
    def decoded(self) -> list[UInt8[Tensor, "3 s s"]]:
        """The pictures themselves."""
        return [decode(picture) for picture in self.pictures]

    def outcome(self) -> "IdealOutcome":
        """As the representations are made from it; decodes the pictures, the first time."""
        score = self.figures["score"]
        headers = {
            "Model": self.figures["model"],
            "Label": self.figures["label"],
            **({} if score["probability"] is None else {"Probability": f"{score['probability']:.4f}"}),
            **({} if score["activation"] is None else {"Activation": f"{score['activation']:.4f}"}),
            "Robust": f"{score['robust']:.4f}",
            **({} if self.figures["reason"] is None else {"Reason": self.figures["reason"]}),
        }
        return IdealOutcome(IdealResult, self.figures, tile(self.decoded), headers, pictures=self.decoded)


@dataclass(frozen=True)
class IdealOutcome(Outcome):
    """Also the single pictures, where there are several."""

    pictures: Any = ()

    def json(self) -> str:
        """The body; encodes every picture."""
        several = len(self.pictures) > 1
        each = [
            {**figures, "image": data_url(picture) if several else None}
            for figures, picture in zip(self.figures["pictures"], self.pictures, strict=True)
        ]
        return IdealResult(**{**self.figures, "pictures": each}, image=data_url(self.image)).model_dump_json()

    def text(self) -> dict[str, Any]:
        """What stands in a PNG: not the seconds, which differ where all else is the same."""
        return {name: value for name, value in self.figures.items() if name != "seconds"}


def look_up(service: Service, key: str) -> Kept | None:
    """What the cache has of this key; what cannot be read counts as absent."""
    found = service.cache.get(key)
    if found is None:
        return None
    try:
        kept = Kept.from_bytes(found)
        IdealResult(**kept.figures, image="")
        kept.outcome()
    except Exception:  # anything may lie there
        logger.warning("what is kept under %s cannot be read: it is drawn anew", key, exc_info=True)
        return None
    return kept
