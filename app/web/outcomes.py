"""The outcome of a task, and how it is written as a picture file or as JSON."""

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import Response
from torch import Tensor

from app.web.formats import MEDIA_TYPES, Format
from app.web.schemas import PictureResult
from models.pictures import JPEG_QUALITY, encode

HEADERS = {
    "Model": "Name of the model.",
    "Version": "Version of the model's weights, which changes when its file is replaced.",
    "Label": "Name of the class that the picture shows, or of the channel.",
    "Probability": "Probability of that class, from 0 to 1.",
    "Success": "Whether the attack reached its goal: true or false.",
    "Original-Label": "Name of the model's top class on the uploaded picture.",
    "Linf": "Linf norm of the perturbation, with pixel values from 0 to 1.",
    "L2": "L2 norm of the perturbation, with pixel values from 0 to 1.",
    "Layer": "Name of the layer.",
    "Activation": "Mean activation of the channel.",
    "Robust": "How much of the probability or activation is left when the picture is changed.",
    "Reason": "Why the picture shows its class or channel badly; missing if it is good.",
}
"""The headers with figures, by their names without the prefix `X-Mirage-`, and what each says, percent-encoded; a
response has those that apply to it. Web pages may read no others (CORS)."""


@dataclass(frozen=True)
class Outcome:
    """The result of a task, ready to be written in any format.

    `body` is the JSON response; `image` draws the picture of a picture response, uint8 [3, h, w]; `headers` are the
    figures that go into the `X-Mirage-...` headers; `jpeg_quality` is from 1 to 100.
    """

    body: PictureResult
    image: Callable[[], Tensor]
    headers: dict[str, str]
    jpeg_quality: int = JPEG_QUALITY

    def json(self) -> str:
        """The JSON response; draws and encodes every picture in it."""
        return self.body.model_dump_json()


def respond(outcome: Outcome, format: Format) -> Response:
    """The response as JSON or as a picture file in one of the picture formats; encodes the pictures."""
    headers = picture_headers(outcome)
    headers["Vary"] = "Accept"
    if format is Format.json:
        return Response(outcome.json(), media_type=MEDIA_TYPES[format], headers=headers)
    text = {"Software": "Mirage", "mirage": outcome.body.text()}
    picture = encode(outcome.image(), format=format.value, text=text, quality=outcome.jpeg_quality)
    return Response(picture, media_type=MEDIA_TYPES[format], headers=headers)


def picture_headers(outcome: Outcome) -> dict[str, str]:
    """The `X-Mirage-...` headers with their values percent-encoded."""
    unlisted = set(outcome.headers) - set(HEADERS)
    assert not unlisted, f"add {unlisted} to HEADERS in {__name__}: web pages may read only the headers listed there"
    return {f"X-Mirage-{key}": quote(value, safe=" ,./") for key, value in outcome.headers.items()}
