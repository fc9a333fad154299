"""Tests attributions: against hand-computed values on small networks and against Captum on MobileNetV2."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from models.classifier import Classifier
from models.explain import METHODS, BadExplanation, Explanation, explain, heat
from models.preprocessing import preprocess, to_float
from models.run import run
from models.store import Model
from tests.conftest import Draw
from tests.networks import Counting, TwoChannelNetwork, unnormalised


@pytest.fixture
def pool() -> Classifier:
    """Return a network of a two-channel convolution (mean colour, red - 0.5), a ReLU and logits 2 x and 3 x."""
    return Classifier(TwoChannelNetwork(), unnormalised(2, 16))


def explained(classifier: Classifier, picture: Tensor, layer: str | None = None, **options: object) -> Explanation:
    by_default = classifier.layers.last_map if options.get("method", "grad_cam") == "grad_cam" else None
    resolved_layer = by_default if layer is None else classifier.layers.find(layer)
    return run(explain(picture, classifier.spec, layer=resolved_layer, **options), classifier)


def halves() -> Tensor:
    """Return a picture of 16 x 16 pixels whose left half is red and whose right half is blue."""
    picture = torch.zeros(3, 16, 16, dtype=torch.uint8)
    picture[0, :, :8], picture[2, :, 8:] = 255, 255
    return picture


def test_grad_cam_by_hand(pool: Classifier) -> None:
    """Class 1 depends on red alone: its map is 0.5 on the left and 0 on the right, times the weight 3 / 256."""
    explanation = explained(pool, halves(), "relu", target=1)
    expected = torch.zeros(1, 16, 16)
    expected[..., :8] = 0.5 * 3 / 256
    torch.testing.assert_close(explanation.attributions, expected)
    assert explanation.heat[:, 1:7].min() > 0.99 and explanation.heat[:, 10:].max() < 0.01
    assert (explanation.target.label, explanation.top.label) == ("class 1", "class 1")


@pytest.mark.parametrize("method", ["smooth_grad", "integrated_gradients"])
def test_attributions_of_a_linear_network_follow_from_its_weight(
    linear: Classifier, weights_of_linear: Tensor, draw: Draw, method: str
) -> None:
    """The gradient is the weight everywhere; integrated gradients multiply it by the pixel."""
    picture = draw(16, 16)
    explanation = explained(linear, picture, target=2, method=method)
    expected = weights_of_linear[2] * (to_float(picture) if method == "integrated_gradients" else 1)
    torch.testing.assert_close(explanation.attributions, expected, rtol=1e-4, atol=1e-6)
    if explanation.missing is not None:
        assert explanation.missing < 1e-4


@pytest.mark.parametrize(("method", "option"), [("smooth_grad", "samples"), ("integrated_gradients", "steps")])
def test_samples_and_steps_are_asked_in_batches_of_at_most_eight(
    tiny: Classifier, draw: Draw, method: str, option: str
) -> None:
    """21 samples or steps are sent as queries of 8, 8 and 5 rows."""
    rows = []
    task = explain(draw(40, 40), tiny.spec, method=method, **{option: 21})
    with pytest.raises(StopIteration) as stop:
        query = next(task)
        while True:
            rows += [len(query.pixels)] if query.objective else []
            (answer,) = tiny.answer([query])
            query = task.send(answer)
    assert rows == [8, 8, 5]
    assert stop.value.value.passes.backward == 21


def test_integrated_gradients_sum_to_the_rise_of_the_logit(tiny: Classifier, draw: Draw) -> None:
    """By completeness the attributions sum to the rise; `missing` is the part they lack; more steps reduce it."""
    picture = draw(40, 40, seed=3)
    pixels = preprocess(to_float(picture).unsqueeze(0), tiny.spec)
    rise = (tiny.logits(pixels) - tiny.logits(torch.zeros_like(pixels)))[0, 1].item()
    for steps, most in ((4, 0.5), (200, 0.02)):
        explanation = explained(tiny, picture, method="integrated_gradients", target=1, steps=steps)
        assert explanation.missing == pytest.approx(
            abs(rise - explanation.attributions.sum().item()) / abs(rise), abs=1e-4
        )
        assert explanation.missing < most


def test_attributions_agree_with_captum(imagenet: Model, chelsea: Tensor) -> None:
    """Compares with LayerGradCam, IntegratedGradients and averaged Saliency on MobileNetV2, to float tolerance.

    SmoothGrad is the mean of Captum's saliency over the noisy copies that the same seed makes here.
    """
    attr = pytest.importorskip("captum.attr", reason="make oracles installs Captum")
    classifier, spec = imagenet.classifier, imagenet.spec
    pixels = preprocess(
        to_float(chelsea).unsqueeze(0), spec
    ).requires_grad_()  # Captum warns about pixels that do not require gradients

    def assert_close(actual: Tensor, expected: Tensor) -> None:
        assert (actual - expected).norm() <= 1e-3 * expected.norm()

    for name in ("features.18", "features.13"):
        layer = classifier.network[1].get_submodule(name)
        cam = attr.LayerGradCam(classifier.logits, layer).attribute(pixels, 285, relu_attributions=True)
        assert_close(explained(classifier, chelsea, name, target=285).attributions, cam[0])

    ours = explained(classifier, chelsea, method="integrated_gradients", target=285, steps=20)
    path = attr.IntegratedGradients(classifier.logits)
    assert_close(ours.attributions, path.attribute(pixels, target=285, n_steps=20, internal_batch_size=8)[0])

    smooth = explained(classifier, chelsea, method="smooth_grad", target=285, samples=6, noise=0.1, seed=4)
    normal = torch.randn(6, *pixels.shape[1:], generator=torch.Generator().manual_seed(4))
    copies = (pixels + 0.1 * (pixels.max() - pixels.min()) * normal).detach().requires_grad_()
    saliency = attr.Saliency(classifier.logits).attribute(copies, target=285, abs=False)
    assert_close(smooth.attributions, saliency.mean(dim=0))


def test_the_default_target_is_the_most_probable_class(tiny: Classifier, draw: Draw) -> None:
    explanation = explained(tiny, draw(50, 70, seed=1))
    logits = tiny.logits(preprocess(to_float(draw(50, 70, seed=1)).unsqueeze(0), tiny.spec))
    assert explanation.target == explanation.top and explanation.top.index == logits.argmax().item()
    assert explanation.top.probability == pytest.approx(logits.softmax(dim=1).max().item(), abs=1e-6)


@pytest.mark.parametrize(
    ("method", "options", "passes"),
    [
        ("grad_cam", {}, (2, 1)),
        ("smooth_grad", {"samples": 11}, (12, 11)),
        ("integrated_gradients", {"steps": 9}, (11, 9)),
    ],
)
def test_reported_passes_are_those_that_the_network_counted(
    tiny: Classifier, draw: Draw, method: str, options: dict[str, int], passes: tuple[int, int]
) -> None:
    network = Counting(tiny)
    layer = tiny.layers.last_map if method == "grad_cam" else None
    explanation = run(explain(draw(40, 40), tiny.spec, method=method, layer=layer, **options), network)
    assert (explanation.passes.forward, explanation.passes.backward) == (network.forward, network.backward) == passes
    assert explanation.options == {**METHODS[method].defaults, **options}


def test_the_noise_depends_on_the_seed_alone(tiny: Classifier, draw: Draw) -> None:
    one, again, other = (
        explained(tiny, draw(40, 40), method="smooth_grad", seed=seed).attributions for seed in (1, 1, 2)
    )
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_positive_and_negative_attributions_are_both_hot() -> None:
    """Two spots of equal strength and opposite sign are near 1, and between them the heat is near 0."""
    attributions = torch.zeros(3, 40, 40)
    attributions[0, 8:14, 8:14], attributions[1, 25:31, 25:31] = 1.0, -1.0
    heat_map = heat(attributions, (40, 40))
    assert heat_map[9:13, 9:13].min() > 0.95 and heat_map[26:30, 26:30].min() > 0.95
    assert heat_map[17:22, 17:22].max() < 0.01 and heat_map.max() <= 1 and heat_map.min() >= 0


def test_attributions_of_zero_give_no_heat() -> None:
    assert not heat(torch.zeros(1, 4, 4), (32, 32)).any()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "magic"}, "choose one of grad_cam"),
        ({"method": "smooth_grad", "samples": 0}, "samples must be a whole number from 1 to 500, not 0"),
        ({"method": "smooth_grad", "noise": float("nan")}, "noise must be a number from 0 to 2, not nan"),
        ({"method": "integrated_gradients", "steps": 1}, "steps must be a whole number from 2 to 500, not 1"),
        (
            {"method": "grad_cam", "steps": 5},
            "grad_cam takes no steps: .*; steps is an option of integrated_gradients",
        ),
        ({"method": "grad_cam", "layer": "7"}, "feature maps of 7 are one pixel"),
    ],
)
def test_options_out_of_range_are_refused(
    tiny: Classifier, draw: Draw, options: dict[str, object], message: str
) -> None:
    with pytest.raises(BadExplanation, match=message):
        explained(tiny, draw(40, 40), **options)


def test_a_layer_that_does_not_fit_the_method_is_refused(tiny: Classifier, draw: Draw) -> None:
    """Grad-CAM refuses a layer that the scores do not depend on, and SmoothGrad refuses any layer."""
    layer = tiny.layers.last_map
    assert layer is not None
    idle = replace(layer, name="5", decides=False)
    with pytest.raises(BadExplanation, match="scores do not depend on the feature maps of 5: name another layer"):
        next(explain(draw(40, 40), tiny.spec, layer=idle))
    with pytest.raises(
        BadExplanation, match="smooth_grad takes no layer, since it looks at pixels: its options are samples"
    ):
        next(explain(draw(40, 40), tiny.spec, method="smooth_grad", layer=layer))


def test_grad_cam_refuses_a_network_without_feature_maps(linear: Classifier, draw: Draw) -> None:
    assert linear.layers.last_map is None
    with pytest.raises(BadExplanation, match="no layer with feature maps: name another layer, or take smooth_grad"):
        explained(linear, draw(16, 16))
