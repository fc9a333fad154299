"""What is sent for each operation: method, path, options as text, pictures, and the kind of the result."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, cast
from urllib.parse import quote

from mirage.errors import BadOption
from mirage.options import ClassName
from mirage.pictures import PictureLike, to_file
from mirage.results.adversarial import AdversarialResult
from mirage.results.classification import Classification, ClassifiedBatch
from mirage.results.curves import CurveResult, NearestClasses
from mirage.results.ideal import IdealResult
from mirage.results.inside import ExplainResult, FeaturesResult
from mirage.results.reading import read
from mirage.results.served import Health, ModelDetail, ModelList

Result = TypeVar("Result")
Options = Mapping[str, Any]


@dataclass(frozen=True)
class Call(Generic[Result]):
    """One request, without the address of the service.

    `repeatable` says whether the request may be sent again when a connection ended before the response: it costs the
    service next to nothing. Attacks and drawings may have cost it minutes, and are not sent twice.
    """

    method: str
    path: str
    kind: type[Result]
    options: Mapping[str, str] = field(default_factory=dict[str, str])
    pictures: Sequence[tuple[str, bytes]] = ()
    repeatable: bool = False
    deadline_s: float = 0
    """Seconds that the request allows the service for its result, where it says so."""

    def result(self, data: object) -> Result:
        """The result that the JSON of the response describes."""
        result = read(self.kind, data)
        if isinstance(result, AdversarialResult):  # beside what came back, what was sent: a comparison needs both
            uploaded = dict(self.pictures)["image"]
            return dataclasses.replace(result, files={**result.files, "uploaded": uploaded})
        return result


def classify(picture: PictureLike, options: Options) -> Call[Classification]:
    """POST /classify."""
    return _post("/classify", Classification, picture, options, repeatable=True)


def classify_batch(pictures: Iterable[PictureLike], options: Options) -> Call[ClassifiedBatch]:
    """POST /classify/batch."""
    files = [("image", to_file(picture)) for picture in pictures]
    return Call("POST", "/classify/batch", ClassifiedBatch, _as_text(options), files, repeatable=True)


def fool(picture: PictureLike, options: Options) -> Call[AdversarialResult]:
    """POST /adversarial."""
    return _post("/adversarial", AdversarialResult, picture, options)


def curve(picture: PictureLike, options: Options) -> Call[CurveResult]:
    """POST /adversarial/curve."""
    return _post("/adversarial/curve", CurveResult, picture, options)


def targets(picture: PictureLike, options: Options) -> Call[NearestClasses]:
    """POST /adversarial/targets."""
    return _post("/adversarial/targets", NearestClasses, picture, options)


def explain(picture: PictureLike, options: Options) -> Call[ExplainResult]:
    """POST /explain."""
    return _post("/explain", ExplainResult, picture, options)


def features(picture: PictureLike, layer: str, options: Options) -> Call[FeaturesResult]:
    """POST /features."""
    return _post("/features", FeaturesResult, picture, {"layer": layer, **options})


def ideal(target: ClassName | None, layer: str | None, channel: int | None, options: Options) -> Call[IdealResult]:
    """GET /ideal/{class}, or GET /ideal with a layer and a channel."""
    if target is not None and layer is None and channel is None:
        return Call("GET", f"/ideal/{_segment(str(target))}", IdealResult, _as_text(options))
    if target is None and layer is not None and channel is not None:
        return Call("GET", "/ideal", IdealResult, _as_text({"layer": layer, "channel": channel, **options}))
    raise BadOption("what to draw is either a class, or a channel: give `target`, or `layer` and `channel`")


def models() -> Call[ModelList]:
    """GET /models."""
    return Call("GET", "/models", ModelList, repeatable=True)


def model(name: str) -> Call[ModelDetail]:
    """GET /models/{name}."""
    return Call("GET", f"/models/{_path(name)}", ModelDetail, repeatable=True)


def model_card(name: str) -> Call[str]:
    """GET /models/{name}/card, a text and no JSON."""
    return Call("GET", f"/models/{_path(name)}/card", str, repeatable=True)


def health() -> Call[Health]:
    """GET /health/ready."""
    return Call("GET", "/health/ready", Health)


def _post(
    path: str, kind: type[Result], picture: PictureLike, options: Options, *, repeatable: bool = False
) -> Call[Result]:
    files = [("image", to_file(picture))]
    if (mask := options.get("mask")) is not None:
        files.append(("mask", to_file(mask)))
    text = _as_text({name: value for name, value in options.items() if name != "mask"})
    return Call("POST", path, kind, text, files, repeatable, _seconds(options.get("deadline_s")))


def _as_text(options: Options) -> dict[str, str]:
    """The options as the service reads them in a form or a query; those that are None are left out.

    Raises BadOption for one that is empty, which the service would count as left out, or that is no text.
    """
    texts = {name: _text(name, value) for name, value in options.items() if value is not None}
    for name, text in texts.items():
        if not text.strip():
            raise BadOption(f"{name} is empty: leave it out, or give it a value")
        _check_unicode(name, text)
    return texts


def _text(name: str, value: object) -> str:
    if hasattr(value, "tolist"):  # an array or a tensor
        value = cast(Any, value).tolist()
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Iterable) and not isinstance(value, str):
        items = list(cast(Iterable[object], value))
        if not items:
            raise BadOption(f"{name} is an empty sequence: leave it out, or give it an item")
        text = ",".join(map(str, items))
        # A single index, where a bare number would be a number of channels.
        return f"{text}," if len(items) == 1 and hasattr(items[0], "__index__") else text
    return str(value)


def _seconds(value: object) -> float:
    """The deadline of a request in seconds, 0 for none. Raises BadOption if it is no number."""
    try:
        return float(cast(float, value) or 0)
    except (TypeError, ValueError) as error:
        raise BadOption(f"deadline_s is {value!r}: give a number of seconds") from error


def _segment(text: str) -> str:
    """The text as one segment of a path; `.` and `..` would mean other paths."""
    _check_unicode("the name", text)
    return text.replace(".", "%2E") if text in (".", "..") else quote(text, safe="")


def _check_unicode(name: str, text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadOption(f"{name} is {text!r}, which is not valid Unicode: check how it was typed or read") from error


def _path(name: str) -> str:
    """The name of a model, in which a slash is part of the path: imagenet/resnet50."""
    return "/".join(map(_segment, name.split("/")))
