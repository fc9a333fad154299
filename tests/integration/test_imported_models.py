"""Models that were trained elsewhere: imported by the command, and then everything that the service does with them."""

import base64
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from models import architectures
from models.pictures import encode
from tests.app.events import events
from tests.app.json_schema import faults
from tests.app.live_service import Live, drawn, serve
from tests.app.picture_requests import classify, fool, pixels, post, post_for_json
from tests.integration.imported import SIDE, export, gated, lively, named, prepared, run_import

CLASSES = ("fern", "moss", "lichen", "algae")
LABELS = ("person", "bicycle", "traffic light", "dog")
PLAIN = ("--mean", "0", "--std", "1", "--resize", str(SIDE))
"""Pixels from 0 to 1, of which the whole shorter side is seen."""
PROGRAMS = ("program", "single")


@dataclass(frozen=True)
class Imported:
    """A service of imported models, the networks that they were, and what the command printed about each."""

    live: Live
    networks: dict[str, nn.Module]
    printed: dict[str, str]


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Imported]:
    """Return a service of programs with any number of rows, of one row, and of a rounding network, and of labels."""
    sources, folder = tmp_path_factory.mktemp("sources"), tmp_path_factory.mktemp("models")
    networks = {"program": gated(4), "single": gated(4), "rounded": gated(4, levels=24), "labels": labelling()}
    for name, rows in (("program", None), ("single", 1), ("rounded", None)):
        export(networks[name], sources / f"{name}.pt2", rows=rows)
    torch.save(networks["labels"].state_dict(), sources / "labels.pth")
    options = {name: (f"{name}.pt2", "--classes", ",".join(CLASSES), *PLAIN) for name in (*PROGRAMS, "rounded")}
    options["labels"] = ("labels.pth", "--architecture", "shufflenet_v2_x0_5", "--classes", ",".join(LABELS),
                         "--multi-label", "--input-size", "60", "--resize", "60", "--licence", "CC0-1.0")  # fmt: skip
    printed = {
        name: run_import(sources / file, folder / f"{name}.safetensors", *given)
        for name, (file, *given) in options.items()
    }
    with serve(checkpoints=folder, models=tuple(networks)) as live:
        assert {live.service.registry.state(name) for name in networks} == {"ready"}
        yield Imported(live, networks, printed)


def labelling() -> nn.Module:
    """Return a network of torchvision with random weights that finds some of LABELS in most pictures."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = architectures.build("shufflenet_v2_x0_5", len(LABELS), published=True)
    head = network.get_submodule("fc")
    assert isinstance(head, nn.Linear)
    return lively(network, head, normalised(torch.stack([drawn(60, 60, seed=seed) for seed in range(50)])))


def normalised(pictures: Tensor) -> Tensor:
    """Return the inputs of a network of torchvision, from pictures of its own size."""
    mean, std = (torch.tensor(values)[:, None, None] for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    return (pictures / 255 - mean) / std


PICTURE = drawn(90, 120, seed=3)
FILE = encode(PICTURE)


def found(imported: Imported, model: str, file: bytes = FILE) -> dict[str, float]:
    """The probabilities that /classify returns, by label."""
    return {entry["label"]: entry["probability"] for entry in classify(imported.live, file, model)}


def returned(result: dict[str, Any]) -> bytes:
    """The very bytes of the changed picture."""
    return base64.b64decode(result["image"].partition(",")[2])


def conforms(live: Live, value: dict[str, Any], schema: str) -> None:
    """Check a response against its schema in the OpenAPI document."""
    components = live.client.get("/openapi.json").json()["components"]["schemas"]
    assert list(faults(value, components[schema], components)) == []


@pytest.mark.parametrize("model", [*PROGRAMS, "rounded"])
def test_a_program_classifies_as_the_network_that_was_exported(imported: Imported, model: str) -> None:
    """The network itself, which no library knows, on pixels that Pillow prepares."""
    inputs = prepared(PICTURE, (48, 64), (SIDE, SIDE), Image.Resampling.BILINEAR)
    expected = named(imported.networks[model](inputs).softmax(dim=1), CLASSES)
    assert found(imported, model) == pytest.approx(expected, abs=0.02)
    batch = imported.live.client.post("/classify/batch", files=[("image", FILE)] * 3, params={"model": model}).json()
    for result in batch["results"]:
        probabilities = {entry["label"]: entry["probability"] for entry in result["predictions"]}
        assert probabilities == pytest.approx(found(imported, model), abs=2e-4)


@pytest.mark.parametrize("model", PROGRAMS)
@pytest.mark.parametrize("options", [{}, {"target": "last"}, {"epsilon": "8/255", "steps": 20}])
def test_a_program_is_fooled_and_the_returned_file_shows_it(
    imported: Imported, model: str, options: dict[str, object]
) -> None:
    """The default attack is not over at once, and the network of PyTorch itself is fooled by the file as well."""
    ranked = [entry["label"] for entry in classify(imported.live, FILE, model)]
    given = {**options, "target": ranked[-1]} if "target" in options else options
    result = fool(imported.live, FILE, model=model, **given)
    conforms(imported.live, result, "AdversarialResult")
    assert result["success"] and result["attack"] == ("pgd" if "epsilon" in options else "auto")
    assert result["passes"]["backward"] >= 10
    top = classify(imported.live, returned(result), model)[0]
    assert top == pytest.approx(result["adversarial"], abs=2e-4)
    assert top["label"] == given["target"] if "target" in given else top["label"] != ranked[0]
    if "epsilon" in options:  # it goes on until the network is sure
        inputs = prepared(pixels(result["image"]), (48, 64), (SIDE, SIDE), Image.Resampling.BILINEAR)
        assert CLASSES[int(imported.networks[model](inputs).argmax())] == top["label"]


@pytest.mark.parametrize("model", PROGRAMS)
def test_curve_targets_and_ideal_of_a_program(imported: Imported, model: str) -> None:
    live = imported.live
    ranked = [entry["label"] for entry in classify(live, FILE, model)]
    curve = post_for_json(live, "/adversarial/curve", FILE, model=model, norms="l2", norm="l2", steps=10)
    conforms(live, curve, "CurveResult")
    assert curve["smallest"]["l2"]["success"] and curve["original"]["label"] == ranked[0]
    nearest = post(live, "/adversarial/targets", FILE, model=model).json()["nearest"]
    assert sorted(near["label"] for near in nearest) == sorted(ranked[1:])
    options = {"model": model, "steps": 100, "crops": 4, "format": "json"}
    ideal = live.client.get(f"/ideal/{ranked[-1]}", params=options).json()
    conforms(live, ideal, "IdealResult")
    drawing = encode(pixels(ideal["image"]))
    assert ideal["score"]["probability"] == pytest.approx(found(imported, model, drawing)[ranked[-1]], abs=2e-4)
    assert ideal["score"]["probability"] > 0.5


@pytest.mark.parametrize("model", PROGRAMS)
def test_a_program_is_explained_and_its_layers_are_shown(imported: Imported, model: str) -> None:
    """The feature maps of the first layer are those of the network's own first convolution."""
    live = imported.live
    layers = {layer["name"]: layer for layer in live.client.get(f"/models/{model}").json()["layers"]}
    assert (layers["stem.0"]["channels"], layers["stem.0"]["height"]) == (12, SIDE // 2)
    explained = post_for_json(live, "/explain", FILE, model=model, method="smooth_grad", samples=2)
    conforms(live, explained, "ExplainResult")
    assert explained["target"] == pytest.approx(classify(live, FILE, model)[0], abs=2e-4)
    assert post_for_json(live, "/explain", FILE, model=model, layer="stem.0")["layer"] == "stem.0"
    features = post_for_json(live, "/features", FILE, model=model, layer="stem.0", channels="3,")
    inputs = prepared(PICTURE, (48, 64), (SIDE, SIDE), Image.Resampling.BILINEAR)
    own = imported.networks[model].get_submodule("stem.0")(inputs)[0, 3]
    (strength,) = [channel for channel in features["channels"] if channel["channel"] == 3]
    assert strength["mean"] == pytest.approx(own.mean().item(), abs=0.02)


def test_a_rounding_program_is_fooled_by_square_alone(imported: Imported) -> None:
    """It is the default. The command has said so, and no pass has gradients."""
    assert "gradients with respect to the pixels do not flow through this network" in imported.printed["rounded"]
    assert not any("gradients" in imported.printed[model] for model in PROGRAMS)
    options = {"model": "rounded", "epsilon": "24/255", "steps": 400, "stop": "first"}
    result = fool(imported.live, FILE, **options)
    assert (result["attack"], result["success"], result["passes"]["backward"]) == ("square", True, 0)
    top = classify(imported.live, returned(result), "rounded")[0]
    assert top == pytest.approx(result["adversarial"], abs=2e-4)
    assert top["label"] != classify(imported.live, FILE, "rounded")[0]["label"]
    assert returned(fool(imported.live, FILE, attack="square", **options)) == returned(result)
    assert fool(imported.live, FILE, model="rounded", steps=5)["attack"] == "square"  # without a budget as well
    *progress, (name, event) = events(
        post(imported.live, "/adversarial", FILE, format="events", **options).iter_lines()
    )
    assert name == "result" and event["success"] and progress
    layer = imported.live.client.get("/models/rounded").json()["layers"][0]["name"]
    assert post(imported.live, "/features", FILE, model="rounded", layer=layer).status_code == 200


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        *(("/adversarial", {"attack": attack}) for attack in ("auto", "pgd", "deepfool", "patch")),
        ("/adversarial/curve", {}),
        ("/adversarial/targets", {}),
        ("/explain", {}),
    ],
)
@pytest.mark.parametrize("format", ["json", "events"])
def test_what_needs_gradients_is_refused_with_what_works(
    imported: Imported, path: str, fields: dict[str, str], format: str
) -> None:
    """As a problem and never as an event, and before anybody has looked at the file, which is no picture."""
    given = {**fields, "model": "rounded", **({} if path.endswith("targets") else {"format": format})}
    response = post(imported.live, path, b"no picture", **given)
    assert (response.status_code, response.headers["Content-Type"]) == (422, "application/problem+json")
    assert "be attacked by `attack=square`, which needs none" in response.json()["detail"]
    drawing = imported.live.client.get("/ideal/moss", params={"model": "rounded", "format": format})
    assert drawing.status_code == 422 and "gradient ascent needs them" in drawing.json()["detail"]


def test_labels_are_found_removed_and_added(imported: Imported) -> None:
    """Each has the sigmoid of torchvision's own logit, and the returned files show what `goal` says.

    The picture has the size of the input: this network of random weights amplifies how a resized one is rounded.
    """
    picture = drawn(60, 60, seed=3)
    expected = named(imported.networks["labels"](normalised(picture[None])).sigmoid(), LABELS)
    before = found(imported, "labels", encode(picture))
    assert before == pytest.approx(expected, abs=1e-3)
    assert not math.isclose(sum(before.values()), 1, abs_tol=0.1)
    most, least = max(before, key=before.__getitem__), min(before, key=before.__getitem__)
    assert before[most] > 0.5 > before[least]
    for target in (None, least):
        result = fool(imported.live, encode(picture), model="labels", **({"target": target} if target else {}))
        after = found(imported, "labels", returned(result))
        assert result["success"] and (after[most] < 0.5 if target is None else after[least] > 0.5)
        assert result["goal"] == f"the probability of {target or most!r} is {'above' if target else 'below'} 0.5"


@pytest.mark.parametrize(("model", "kind"), [("program", "exported"), ("labels", "torchvision")])
def test_the_service_says_where_a_model_comes_from(imported: Imported, model: str, kind: str) -> None:
    """Its source, its preprocessing without the graph of the program, and the card that the import has written."""
    live = imported.live
    body = live.client.get(f"/models/{model}").json()
    conforms(live, body, "ModelDetail")
    suffix = {"exported": "pt2", "torchvision": "pth"}[kind]
    source = body["provenance"]["source"]
    assert (source["kind"], source["file"]) == (kind, f"{model}.{suffix}")
    assert source["licence"] == ("CC0-1.0" if model == "labels" else "unknown")
    assert len(source["sha256"]) == 64 and body["metrics"] == {} and body["accuracy"] is None
    assert "configuration" not in body["preprocessing"]
    expected = {"resize_mode": "crop", "multi_label": model == "labels", "differentiable": True, "outputs": "logits"}
    assert {name: body["preprocessing"][name] for name in expected} == expected
    card = live.client.get(f"/models/{model}/card").text
    assert card.startswith(f"# {model}\n") and "It was not trained here, but imported on" in card
    assert f"`{model}.{suffix}`" in card and source["sha256"] in card
