"""Which pixels a decision rests on: by hand on linear networks, by Captum on a real one."""

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
    """A convolution of two channels, the mean of colours and red minus a half, a ReLU, and logits 2 x and 3 x."""
    return Classifier(TwoChannelNetwork(), unnormalised(2, 16))


def explained(classifier: Classifier, picture: Tensor, layer: str | None = None, **options: object) -> Explanation:
    by_default = classifier.layers.last_map if options.get("method", "grad_cam") == "grad_cam" else None
    found = by_default if layer is None else classifier.layers.find(layer)
    return run(explain(picture, classifier.spec, layer=found, **options), classifier)


def halves() -> Tensor:
    """Red on the left, blue on the right, 16 x 16."""
    picture = torch.zeros(3, 16, 16, dtype=torch.uint8)
    picture[0, :, :8], picture[2, :, 8:] = 255, 255
    return picture


def test_grad_cam_by_hand(pool: Classifier) -> None:
    """Class 1 reads red alone: its map is 0.5 on the left, 0 on the right, times the weight 3 / 256."""
    found = explained(pool, halves(), "relu", target=1)
    expected = torch.zeros(1, 16, 16)
    expected[..., :8] = 0.5 * 3 / 256
    torch.testing.assert_close(found.attributions, expected)
    assert found.heat[:, 1:7].min() > 0.99 and found.heat[:, 10:].max() < 0.01
    assert (found.target.label, found.top.label) == ("class 1", "class 1")


@pytest.mark.parametrize("method", ["smooth_grad", "integrated_gradients"])
def test_a_linear_network_by_its_weight(linear: Classifier, weights_of_linear: Tensor, draw: Draw, method: str) -> None:
    """Whatever the noise and the path: the gradient is the weight, and the attribution the weight times the pixel."""
    picture = draw(16, 16)
    found = explained(linear, picture, target=2, method=method)
    expected = weights_of_linear[2] * (to_float(picture) if method == "integrated_gradients" else 1)
    torch.testing.assert_close(found.attributions, expected, rtol=1e-4, atol=1e-6)
    if found.missing is not None:
        assert found.missing < 1e-4


@pytest.mark.parametrize(("method", "option"), [("smooth_grad", "samples"), ("integrated_gradients", "steps")])
def test_no_query_has_more_rows_than_eight(tiny: Classifier, draw: Draw, method: str, option: str) -> None:
    """However many are asked for, and none is left out: 8, 8 and 5."""
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


def test_integrated_gradients_account_for_the_whole_rise(tiny: Classifier, draw: Draw) -> None:
    """Completeness: what is missing grows less with more steps, and is told right."""
    picture = draw(40, 40, seed=3)
    pixels = preprocess(to_float(picture).unsqueeze(0), tiny.spec)
    rise = (tiny.logits(pixels) - tiny.logits(torch.zeros_like(pixels)))[0, 1].item()
    for steps, most in ((4, 0.5), (200, 0.02)):
        found = explained(tiny, picture, method="integrated_gradients", target=1, steps=steps)
        assert found.missing == pytest.approx(abs(rise - found.attributions.sum().item()) / abs(rise), abs=1e-4)
        assert found.missing < most


def test_they_are_captums(imagenet: Model, chelsea: Tensor) -> None:
    """LayerGradCam, IntegratedGradients and NoiseTunnel over Saliency on MobileNetV2, to float tolerance.

    The noise is ours: Captum's SmoothGrad of the noisy copies that the seed makes is their mean saliency.
    """
    attr = pytest.importorskip("captum.attr", reason="make oracles installs Captum")
    classifier, spec = imagenet.classifier, imagenet.spec
    pixels = preprocess(to_float(chelsea).unsqueeze(0), spec).requires_grad_()  # Captum warns where it is not

    def assert_alike(found: Tensor, expected: Tensor) -> None:
        assert (found - expected).norm() <= 1e-3 * expected.norm()

    for name in ("features.18", "features.13"):
        layer = classifier.network[1].get_submodule(name)
        cam = attr.LayerGradCam(classifier.logits, layer).attribute(pixels, 285, relu_attributions=True)
        assert_alike(explained(classifier, chelsea, name, target=285).attributions, cam[0])

    ours = explained(classifier, chelsea, method="integrated_gradients", target=285, steps=20)
    path = attr.IntegratedGradients(classifier.logits)
    assert_alike(ours.attributions, path.attribute(pixels, target=285, n_steps=20, internal_batch_size=8)[0])

    smooth = explained(classifier, chelsea, method="smooth_grad", target=285, samples=6, noise=0.1, seed=4)
    normal = torch.randn(6, *pixels.shape[1:], generator=torch.Generator().manual_seed(4))
    copies = (pixels + 0.1 * (pixels.max() - pixels.min()) * normal).detach().requires_grad_()
    saliency = attr.Saliency(classifier.logits).attribute(copies, target=285, abs=False)
    assert_alike(smooth.attributions, saliency.mean(dim=0))


def test_without_a_target_it_is_what_the_network_sees(tiny: Classifier, draw: Draw) -> None:
    found = explained(tiny, draw(50, 70, seed=1))
    logits = tiny.logits(preprocess(to_float(draw(50, 70, seed=1)).unsqueeze(0), tiny.spec))
    assert found.target == found.top and found.top.index == logits.argmax().item()
    assert found.top.probability == pytest.approx(logits.softmax(dim=1).max().item(), abs=1e-6)


@pytest.mark.parametrize(
    ("method", "options", "passes"),
    [
        ("grad_cam", {}, (2, 1)),
        ("smooth_grad", {"samples": 11}, (12, 11)),
        ("integrated_gradients", {"steps": 9}, (11, 9)),
    ],
)
def test_passes_are_what_the_network_counted(
    tiny: Classifier, draw: Draw, method: str, options: dict[str, int], passes: tuple[int, int]
) -> None:
    network = Counting(tiny)
    layer = tiny.layers.last_map if method == "grad_cam" else None
    found = run(explain(draw(40, 40), tiny.spec, method=method, layer=layer, **options), network)
    assert (found.passes.forward, found.passes.backward) == (network.forward, network.backward) == passes
    assert found.options == {**METHODS[method].defaults, **options}


def test_the_seed_is_all_that_is_random(tiny: Classifier, draw: Draw) -> None:
    one, again, other = (
        explained(tiny, draw(40, 40), method="smooth_grad", seed=seed).attributions for seed in (1, 1, 2)
    )
    assert torch.equal(one, again) and not torch.equal(one, other)


def test_heat_is_where_attributions_of_either_sign_are() -> None:
    """Two spots of one strength and opposite sign in 40 x 40 pixels: both hot, the rest cold."""
    attributions = torch.zeros(3, 40, 40)
    attributions[0, 8:14, 8:14], attributions[1, 25:31, 25:31] = 1.0, -1.0
    found = heat(attributions, 40)
    assert found[9:13, 9:13].min() > 0.95 and found[26:30, 26:30].min() > 0.95
    assert found[17:22, 17:22].max() < 0.01 and found.max() <= 1 and found.min() >= 0


def test_nothing_is_cold() -> None:
    assert not heat(torch.zeros(1, 4, 4), 32).any()


@pytest.mark.parametrize(
    ("options", "told"),
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
def test_options_out_of_range(tiny: Classifier, draw: Draw, options: dict[str, object], told: str) -> None:
    with pytest.raises(BadExplanation, match=told):
        explained(tiny, draw(40, 40), **options)


def test_a_layer_that_grad_cam_cannot_look_at(tiny: Classifier, draw: Draw) -> None:
    """And one that another method has no use for."""
    layer = tiny.layers.last_map
    assert layer is not None
    idle = replace(layer, name="5", decides=False)
    with pytest.raises(BadExplanation, match="scores do not depend on the feature maps of 5: name another layer"):
        next(explain(draw(40, 40), tiny.spec, layer=idle))
    with pytest.raises(
        BadExplanation, match="smooth_grad takes no layer, since it looks at pixels: its options are samples"
    ):
        next(explain(draw(40, 40), tiny.spec, method="smooth_grad", layer=layer))


def test_a_network_without_maps(linear: Classifier, draw: Draw) -> None:
    assert linear.layers.last_map is None
    with pytest.raises(BadExplanation, match="no layer with feature maps: name another layer, or take smooth_grad"):
        explained(linear, draw(16, 16))
