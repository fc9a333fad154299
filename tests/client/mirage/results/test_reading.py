"""From JSON to results."""

import base64
from io import BytesIO

import pytest
from PIL import Image

from mirage.errors import UnexpectedResponse
from mirage.results.classification import Classification, ClassifiedBatch, FailedPicture
from mirage.results.inside import FeatureMap
from mirage.results.reading import read
from mirage.results.served import ModelSummary
from mirage.results.shared import Prediction, ProgressEvent
from tests.client.answers import CLASSIFICATION, problem

DOG = {"label": "dog", "index": 1, "probability": 1}


def data_url(format: str = "PNG") -> tuple[str, bytes]:
    buffer = BytesIO()
    Image.new("RGB", (5, 4), (255, 0, 0)).save(buffer, format)
    return f"data:image/{format.lower()};base64,{base64.b64encode(buffer.getvalue()).decode()}", buffer.getvalue()


def test_fields_become_what_their_types_say() -> None:
    result = read(Classification, CLASSIFICATION)
    assert result.predictions == (Prediction("dog", 1, 0.75), Prediction("cat", 0, 0.25))
    assert (result.model, result.width, result.height) == ("tiny", 8, 6)


def test_a_whole_number_is_a_number() -> None:
    """JSON does not tell 1 from 1.0."""
    assert read(Prediction, DOG).probability == 1.0


def test_a_field_of_a_newer_service_is_left_out() -> None:
    assert read(Prediction, DOG | {"new": [1, 2]}) == Prediction("dog", 1, 1.0)


def test_fields_that_may_be_missing_have_their_defaults() -> None:
    event = read(ProgressEvent, {"step": 1, "steps": 5, "score": None, "success": None, "eta_s": 0.5})
    assert (event.probabilities, event.preview, event.eta_s) == ((), None, 0.5)


@pytest.mark.parametrize(
    "data",
    [
        None, [], "dog", {"label": "dog", "index": 1}, DOG | {"index": "1"}, DOG | {"index": 1.5},
        DOG | {"index": True},
        DOG | {"label": 7}, DOG | {"probability": "1"}, DOG | {"probability": None}, DOG | {"probability": False},
    ],
)  # fmt: skip
def test_other_types_are_no_result(data: object) -> None:
    with pytest.raises(UnexpectedResponse):
        read(Prediction, data)


def test_each_item_of_a_batch_is_a_result_or_a_problem() -> None:
    data = {"model": "tiny", "version": "v", "results": [CLASSIFICATION, {"problem": problem(422)}]}
    first, second = read(ClassifiedBatch, data).results
    assert isinstance(first, Classification) and isinstance(second, FailedPicture)
    assert second.problem.status == 422


@pytest.mark.parametrize(("size", "expected"), [(224, 224), ([192, 256], (192, 256)), (None, None)])
def test_a_field_of_several_types(size: object, expected: object) -> None:
    data = {"name": "tiny", "state": "ready", "problem": None, "version": None, "architecture": None, "classes": 2}
    data |= {"input_size": size, "accuracy": None, "balanced_accuracy": 1}
    assert read(ModelSummary, data).input_size == expected
    with pytest.raises(UnexpectedResponse):
        read(ModelSummary, data | {"state": "asleep"})


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP"])
def test_pictures_are_there_as_pictures_and_as_files(format: str) -> None:
    url, content = data_url(format)
    result = read(FeatureMap, {"channel": 3, "image": url})
    assert result.image.size == (5, 4) and result.files == {"image": content}


@pytest.mark.parametrize(
    "url",
    [
        "", "data:image/png;base64,", "data:image/png;base64,%%%%", "data:text/html;base64,aGk=", 7,
        "data:image/png;base64,aGFsbG8=", "http://example.com/cat.png", data_url("GIF")[0], data_url("TIFF")[0],
    ],
)  # fmt: skip
def test_what_is_no_picture_of_the_service_is_refused(url: object) -> None:
    """Also formats that the service never sends, whose decoders nobody needs."""
    with pytest.raises(UnexpectedResponse):
        read(FeatureMap, {"channel": 3, "image": url})
