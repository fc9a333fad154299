"""The response for an ideal picture as it is stored in the cache, and read from it again."""

import base64
import json
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from torch import Tensor

from app.ideal.responses import IdealResult
from app.web.outcomes import Outcome
from app.web.service import Service
from models.ideal.sheet import tile
from models.pictures import decode

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class StoredIdeal:
    """The figures of a response (`result`, in which `pictures` have no images) and each picture as a PNG file.

    `complete` is false where the judge failed, or where memory ran out, so that batches were smaller and sums were
    rounded in another way than the cache key says: such a response is sent, but neither stored nor given an ETag.
    """

    result: IdealResult
    files: tuple[bytes, ...]
    complete: bool = True

    def to_bytes(self) -> bytes:
        """One JSON document."""
        figures = self.result.model_dump(mode="json", exclude={"image"})
        files = [base64.b64encode(file).decode() for file in self.files]
        return json.dumps({"figures": figures, "pictures": files}).encode()

    @staticmethod
    def from_bytes(data: bytes) -> "StoredIdeal":
        """What `to_bytes` wrote; raises an exception of any type where the data are damaged."""
        document = json.loads(data)
        files = tuple(base64.b64decode(file) for file in document["pictures"])
        result = IdealResult.model_validate({**document["figures"], "image": partial(_sheet, files)})
        return StoredIdeal(result, files)

    def outcome(self) -> Outcome:
        """The outcome, in which each of several pictures has an image of its own beside the sheet."""
        score, reason = self.result.score, self.result.reason
        headers = {
            "Model": self.result.model,
            **({} if self.result.version is None else {"Version": self.result.version}),
            "Label": self.result.label,
            **({} if score.probability is None else {"Probability": f"{score.probability:.4f}"}),
            **({} if score.activation is None else {"Activation": f"{score.activation:.4f}"}),
            "Robust": f"{score.robust:.4f}",
            **({} if reason is None else {"Reason": reason}),
        }
        body = self.result
        if len(self.files) > 1:
            pictures = [
                figures.model_copy(update={"image": partial(decode, file)})
                for figures, file in zip(body.pictures, self.files, strict=True)
            ]
            body = body.model_copy(update={"pictures": pictures})
        return Outcome(body, body.image, headers)


def _sheet(files: Sequence[bytes]) -> Tensor:
    """All pictures side by side; a single one as it is."""
    return tile([decode(file) for file in files])


def load_stored(service: Service, key: str) -> StoredIdeal | None:
    """The response that the cache has for this key; None where there is none, or where it cannot be read."""
    data = service.cache.get(key)
    if data is None:
        return None
    try:
        stored = StoredIdeal.from_bytes(data)
        stored.outcome().image()  # raises where a picture is missing or damaged
    except Exception:  # the cache is a file that anything may have damaged
        logger.warning("the cache entry %s cannot be read: the picture is drawn anew", key, exc_info=True)
        return None
    return stored
