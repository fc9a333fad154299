"""Tests a service of models of several labels, with rectangular inputs, and without gradients, at every endpoint."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest
import torch

from models import architectures, checkpoint
from models.pictures import decode, encode
from models.spec import NO_GRADIENTS
from tests.app.events import events
from tests.app.json_schema import faults
from tests.app.live_service import TINY, Live, drawn, lively_network, serve
from tests.app.picture_requests import classify, fool, pixels, post, post_for_json

WIDE = replace(TINY, input_size=(48, 80), resize=(54, 90), interpolation="bicubic")
PADDED = replace(
    TINY, input_size=(80, 48), resize=(80, 48), resize_mode="pad", padding=(0.2, 0.5, 0.9), colours="BGR",
    interpolation="lanczos", antialias=False,
)  # fmt: skip
LABELS = replace(TINY, multi_label=True)
ONLY = replace(TINY, classes=("cat",), multi_label=True)
STEPS = replace(TINY, differentiable=False)
WHAT_TO_DO = NO_GRADIENTS.partition("it can")[2]
"""The end of what is said about a model without gradients: what it can do."""


@pytest.fixture(scope="module")
def kinds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Return a service of all of them, with the weights of `tiny`; the first one is the default."""
    folder = tmp_path_factory.mktemp("kinds")
    network = lively_network()
    specs = {"labels": LABELS, "wide": WIDE, "padded": PADDED, "steps": STEPS}
    for name, spec in specs.items():
        checkpoint.save(folder / f"{name}.safetensors", network, spec, {})
    head = architectures.head(network)
    single = architectures.build(ONLY.architecture, 1)
    single.load_state_dict({**network.state_dict(), "classifier.3.weight": head.weight[:1],
                            "classifier.3.bias": head.bias[:1]})  # fmt: skip
    checkpoint.save(folder / "only.safetensors", single, ONLY, {})
    with serve(checkpoints=folder, models=(*specs, "only")) as running:
        assert {running.service.registry.state(name) for name in running.service.registry.names} == {"ready"}
        yield running


def refusal(response: httpx.Response, status: int = 422) -> str:
    """Return the detail of a problem with this status."""
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/problem+json")
    return str(response.json()["detail"])


def labels_of(live: Live, picture: bytes, model: str = "labels") -> dict[str, float]:
    """Return the probability of each label by /classify."""
    return {prediction["label"]: prediction["probability"] for prediction in classify(live, picture, model)}


@pytest.fixture(scope="module")
def found(kinds: Live) -> tuple[bytes, str, str]:
    """Return a picture, its most probable label, and one that is not found."""
    for seed in range(20):
        picture = encode(drawn(seed=seed))
        ranked = sorted(labels_of(kinds, picture).items(), key=lambda label: -label[1])
        if ranked[0][1] > 0.6 and ranked[-1][1] < 0.4:
            return picture, ranked[0][0], ranked[-1][0]
    raise AssertionError("one of the pictures has a label, and not all")


def conforms(live: Live, value: dict[str, Any], schema: str) -> None:
    """Check a response against its schema in the OpenAPI document."""
    components = live.client.get("/openapi.json").json()["components"]["schemas"]
    assert list(faults(value, components[schema], components)) == []


def test_models_are_described_with_their_preprocessing(kinds: Live) -> None:
    body = kinds.client.get("/models").json()
    conforms(kinds, body, "ModelList")
    sizes = {model["name"]: model["input_size"] for model in body["models"]}
    assert sizes == {"labels": 64, "wide": [48, 80], "padded": [80, 48], "steps": 64, "only": 64}
    wide, padded, labels, steps = (
        kinds.client.get(f"/models/{name}").json() for name in ("wide", "padded", "labels", "steps")
    )
    for model in (wide, padded, labels, steps):
        conforms(kinds, model, "ModelDetail")
    assert (wide["preprocessing"]["input_size"], wide["preprocessing"]["resize"]) == ([48, 80], [54, 90])
    expected = {"resize_mode": "pad", "padding": [0.2, 0.5, 0.9], "colours": "BGR", "antialias": False}
    assert {name: padded["preprocessing"][name] for name in expected} == expected
    assert labels["preprocessing"]["multi_label"] and not wide["preprocessing"]["multi_label"]
    assert not steps["preprocessing"]["differentiable"] and all(layer["decides"] for layer in steps["layers"])
    layer = next(layer for layer in wide["layers"] if layer["name"] == "features.3")
    assert (layer["height"], layer["width"]) == (6, 10)


@pytest.mark.parametrize("model", ["labels", "wide", "padded", "steps", "only"])
def test_every_model_classifies(kinds: Live, picture: bytes, model: str) -> None:
    """With the probabilities of its classifier, alone and in a batch; those of labels do not add up to 1."""
    classifier = kinds.service.registry.get(model).classifier
    expected = classifier.probabilities(decode(picture).unsqueeze(0) / 255)[0].tolist()
    predictions = classify(kinds, picture, model)
    assert [prediction["probability"] for prediction in predictions] == pytest.approx(
        sorted(expected, reverse=True), abs=2e-4
    )
    assert all(expected[entry["index"]] == pytest.approx(entry["probability"], abs=2e-4) for entry in predictions)
    response = kinds.client.post("/classify/batch", files=[("image", picture)] * 2, params={"model": model})
    assert response.status_code == 200
    for result in response.json()["results"]:
        assert [entry["index"] for entry in result["predictions"]] == [entry["index"] for entry in predictions]
    if model not in ("labels", "only"):
        assert sum(expected) == pytest.approx(1, abs=1e-4)


def test_a_large_jpeg_is_classified_by_a_model_of_one_label(kinds: Live) -> None:
    """It is decoded at a smaller scale, and there is no second class to compare with."""
    (prediction,) = classify(kinds, encode(drawn(1000, 1200), format="jpeg"), "only")
    assert prediction["label"] == "cat" and 0 < prediction["probability"] < 1


def test_a_label_is_removed_and_another_added(kinds: Live, found: tuple[bytes, str, str]) -> None:
    """The returned PNG, classified again, has lost the most probable label, or has the target; `goal` says so."""
    picture, most_probable, absent = found
    for target, label in ((None, most_probable), (absent, absent)):
        result = fool(kinds, picture, **({} if target is None else {"target": target}))
        conforms(kinds, result, "AdversarialResult")
        assert result["success"] and result["goal"] == (
            f"the probability of {label!r} is {'below' if target is None else 'above'} 0.5"
        )
        assert result["original"]["label"] == result["adversarial"]["label"] == label
        assert (result["target"] or {"label": None})["label"] == target
        before, after = (labels_of(kinds, file)[label] for file in (picture, encode(pixels(result["image"]))))
        assert result["original"]["probability"] == pytest.approx(before, abs=2e-4)
        assert result["adversarial"]["probability"] == pytest.approx(after, abs=2e-4)
        assert (after < 0.5) == (target is None)
        assert {verdict["model"] for verdict in result["transfer"]} >= {"wide", "padded", "steps"}


def test_the_goal_of_classes(kinds: Live, picture: bytes) -> None:
    label = classify(kinds, picture, "wide")[0]["label"]
    target = classify(kinds, picture, "wide")[1]["label"]
    assert fool(kinds, picture, model="wide")["goal"] == f"the class is not {label!r}"
    assert fool(kinds, picture, model="wide", target=target)["goal"] == f"the class is {target!r}"


def test_progress_names_the_label(kinds: Live, found: tuple[bytes, str, str]) -> None:
    picture, _, absent = found
    response = post(kinds, "/adversarial", picture, target=absent, attack="pgd", steps=3, format="events")
    *progress, (name, result) = events(response.iter_lines())
    assert name == "result" and len(progress) == 3
    for _, event in progress:
        (entry,) = event["probabilities"]
        assert (entry["label"], entry["index"]) == (absent, TINY.names.find(absent))
    assert result["target"]["label"] == absent


def test_no_label_and_a_label_that_is_there_are_refused(kinds: Live, found: tuple[bytes, str, str]) -> None:
    """A picture in which the model of one label finds nothing; both messages say what to do."""
    picture, most_probable, _ = found
    for path in ("/adversarial", "/adversarial/curve"):
        detail = refusal(post(kinds, path, picture, target=most_probable))
        assert f"{most_probable!r}: choose another target" in detail
    nothing = next(file for file in (encode(drawn(seed=seed)) for seed in range(99))
                   if labels_of(kinds, file, "only")["cat"] < 0.5)  # fmt: skip
    for path in ("/adversarial", "/adversarial/curve"):
        response = post(kinds, path, nothing, model="only")
        assert "finds no label in this picture" in refusal(response) and "name a target" in refusal(response)
        assert response.json()["type"] == "urn:mirage:problem:no-label"
    assert fool(kinds, nothing, model="only", target="cat")["success"]


@pytest.mark.parametrize("model", ["labels", "wide", "padded"])
def test_curve_and_targets(kinds: Live, found: tuple[bytes, str, str], model: str) -> None:
    picture, most_probable, _ = found
    result = post_for_json(kinds, "/adversarial/curve", picture, model=model, norms="l2", norm="l2", steps=10)
    conforms(kinds, result, "CurveResult")
    first = classify(kinds, picture, model)[0]
    assert result["original"] == pytest.approx(first, abs=2e-4) and result["smallest"]["l2"]["success"]
    near = post(kinds, "/adversarial/targets", picture, model=model).json()
    conforms(kinds, near, "NearestClasses")
    predictions = classify(kinds, picture, model)
    others = [entry["label"] for entry in predictions if model == "labels" or entry["label"] != first["label"]]
    if model == "labels":
        others = [entry["label"] for entry in predictions if entry["probability"] < 0.5]
        assert most_probable not in others
    assert sorted(entry["label"] for entry in near["nearest"]) == sorted(others)


@pytest.mark.parametrize("model", ["labels", "wide", "padded"])
@pytest.mark.parametrize("method", ["grad_cam", "smooth_grad"])
def test_explanations_are_drawn_over_the_photo(kinds: Live, picture: bytes, model: str, method: str) -> None:
    options = {"samples": 2} if method == "smooth_grad" else {}
    result = post_for_json(kinds, "/explain", picture, model=model, method=method, **options)
    conforms(kinds, result, "ExplainResult")
    assert pixels(result["image"]).shape == (3, 96, 128)
    assert result["target"] == pytest.approx(classify(kinds, picture, model)[0], abs=2e-4)


@pytest.mark.parametrize(("model", "shape"), [("wide", (6, 10)), ("padded", (10, 6)), ("steps", (8, 8))])
def test_feature_maps_have_the_proportions_of_the_input(
    kinds: Live, picture: bytes, model: str, shape: tuple[int, int]
) -> None:
    options = {"model": model, "layer": "features.3", "channels": 2, "separate": "true"}
    result = post_for_json(kinds, "/features", picture, **options)
    conforms(kinds, result, "FeaturesResult")
    assert (result["layer"]["height"], result["layer"]["width"]) == shape
    assert all(pixels(entry["image"]).shape == (3, *shape) for entry in result["maps"])
    assert post(kinds, "/features", picture, model=model, layer="features.3").headers["Content-Type"] == "image/png"


@pytest.mark.parametrize(("model", "side"), [("labels", 64), ("wide", 80), ("padded", 80), ("only", 64)])
def test_ideal_pictures_are_squares_of_the_longer_side(kinds: Live, model: str, side: int) -> None:
    """Their probability is that of /classify, and other models judge them."""
    response = kinds.client.get("/ideal/cat", params={"model": model, "steps": 4, "crops": 2, "format": "json"})
    assert response.status_code == 200, response.text
    result = response.json()
    conforms(kinds, result, "IdealResult")
    picture = pixels(result["image"])
    assert picture.shape == (3, side, side)
    assert result["score"]["probability"] == pytest.approx(labels_of(kinds, encode(picture), model)["cat"], abs=2e-4)


def test_a_model_without_gradients_is_attacked_by_square(kinds: Live, picture: bytes) -> None:
    """It is the default; the file is classified as reported, and no pass has gradients."""
    options = {"epsilon": "24/255", "steps": 300, "stop": "first"}
    result = fool(kinds, picture, model="steps", **options)
    assert result["attack"] == "square" and result["success"] and result["passes"]["backward"] == 0
    again = classify(kinds, encode(pixels(result["image"])), "steps")[0]
    assert again == pytest.approx(result["adversarial"], abs=2e-4)
    assert again["label"] != classify(kinds, picture, "steps")[0]["label"]
    assert torch.equal(pixels(fool(kinds, picture, model="steps", attack="square", **options)["image"]),
                       pixels(result["image"]))  # fmt: skip


@pytest.mark.parametrize(
    ("path", "fields", "what"),
    [
        ("/adversarial", {"attack": "auto"}, "auto needs them"),
        ("/adversarial", {"attack": "pgd", "epsilon": "8/255"}, "pgd needs them"),
        ("/adversarial", {"attack": "patch"}, "patch needs them"),
        ("/adversarial/curve", {}, "the curve needs them"),
        ("/adversarial/targets", {}, "DeepFool needs them"),
        ("/explain", {}, "every explanation needs them"),
        ("/explain", {"method": "smooth_grad"}, "every explanation needs them"),
    ],
)
def test_what_needs_gradients_is_refused(
    kinds: Live, picture: bytes, path: str, fields: dict[str, str], what: str
) -> None:
    detail = refusal(post(kinds, path, picture, model="steps", **fields))
    assert what in detail and WHAT_TO_DO in detail


@pytest.mark.parametrize("path", ["/ideal/cat", "/ideal?layer=features.3&channel=1", "/ideal/cat?format=film"])
def test_an_ideal_picture_needs_gradients(kinds: Live, path: str) -> None:
    response = kinds.client.get(f"{path}{'&' if '?' in path else '?'}model=steps")
    assert "gradient ascent needs them" in refusal(response) and WHAT_TO_DO in refusal(response)


@pytest.mark.parametrize("path", ["/adversarial", "/adversarial/curve", "/adversarial/targets", "/explain"])
@pytest.mark.parametrize("format", ["json", "events"])
def test_a_refusal_comes_before_the_picture_is_decoded_and_before_a_stream_begins(
    kinds: Live, path: str, format: str
) -> None:
    """The file is no picture, which is not even noticed."""
    fields = {"attack": "pgd"} if path == "/adversarial" else {}
    fields |= {} if path == "/adversarial/targets" else {"format": format}
    detail = refusal(post(kinds, path, b"no picture", model="steps", **fields))
    assert WHAT_TO_DO in detail


def test_a_drawing_is_refused_before_its_stream_begins(kinds: Live) -> None:
    """Both to GET, and to HEAD."""
    request = "/ideal/cat?model=steps&format=events"
    assert WHAT_TO_DO in refusal(kinds.client.get(request))
    assert kinds.client.head(request).status_code == 422


def test_a_judge_of_another_kind(kinds: Live) -> None:
    """A drawing of the rectangular model is judged by the model of labels, whose probability is a sigmoid."""
    parameters = {"model": "wide", "judge": "labels", "steps": 4, "crops": 2, "format": "json"}
    result = kinds.client.get("/ideal/dog", params=parameters).json()
    verdict = result["score"]["transfer"]
    probability = labels_of(kinds, encode(pixels(result["image"])))["dog"]
    assert verdict["model"] == "labels" and verdict["probability"] == pytest.approx(probability, abs=2e-4)
