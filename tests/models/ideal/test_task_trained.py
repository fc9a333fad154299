"""Tests ideal pictures of a trained network, and of several architectures with random weights."""

import math
from typing import Any

import pytest
import torch
from torch import nn

from models import architectures
from models.classifier import Classifier
from models.ideal.options import METHODS
from models.ideal.task import ideal
from models.network_ends import Normalize
from models.run import run
from models.spec import Spec
from models.store import Model
from tests.models.ideal.draw import draw_one


def test_a_short_run_draws_a_recognised_zebra(imagenet: Model) -> None:
    """A quick picture, with half the steps of the default and four more, already has the zebra as its top-1 class."""
    result = draw_one(imagenet.classifier, 340, effort="quick")
    assert result.score.rank == 1


@pytest.mark.slow
def test_the_default_options_draw_robust_zebras(imagenet: Model) -> None:
    """MobileNetV2 gives each of four zebras (class 340) a probability of 0.98, and 0.97 in the mean of their views.

    The mean of a single zebra differs by a few hundredths with the number of threads.
    """
    scores = [draw_one(imagenet.classifier, 340, seed=seed).score for seed in range(4)]
    assert all(score.rank == 1 and score.strength >= 0.98 and 0.9 <= score.slope <= 1.5 for score in scores)
    assert sum(score.robust for score in scores) / 4 >= 0.97


@pytest.mark.slow
def test_the_picture_of_the_plain_recipe_is_not_recognised_as_a_file(imagenet: Model) -> None:
    """1000 steps on 10 x cross-entropy + 0.005 x variation give a sure tabby (281) as a tensor, not as a file.

    The pixels lie far outside [0, 1]. A known script with this recipe on MobileNetV2 prints a probability of 1.000 as
    well, and the top-1 class of its picture is another one.
    """
    result = draw_one(imagenet.classifier, 281, method="pixel", crops=0, clamp=False)
    assert result.steps == 1000 and result.score.promised >= 0.99
    assert result.score.strength < 0.4 and result.score.robust < 0.4 and result.score.rank is not None
    assert result.score.rank > 1
    assert result.reason is not None and "which no file holds; set clamp=true" in result.reason


@pytest.mark.slow
@pytest.mark.parametrize(("layer", "channel"), [("features.7.conv.0", 3), ("features.18", 10), ("features.18", 500)])
def test_the_ideal_of_a_channel_of_a_trained_network_activates_it_strongly(
    imagenet: Model, layer: str, channel: int
) -> None:
    """The activation is at least five times that on uniform noise and that on the start, faint noise on grey."""
    classifier = imagenet.classifier
    subject = (classifier.layers.find(layer), channel)
    result, start = draw_one(classifier, subject), draw_one(classifier, subject, steps=1)
    assert result.on_noise is not None
    assert result.score.strength >= 5 * max(result.on_noise, start.score.strength)


ARCHITECTURES = {
    "vgg16": "features.16",
    "resnet50": "layer2.0.conv2",
    "mobilenet_v3_large": "features.7",
    "convnext_tiny": "features.5",
    "vit_b_16": "encoder.layers.encoder_layer_5.mlp.1",
}


def random_classifier(architecture: str, size: int) -> Classifier:
    """Return a network of random weights whose batch norms and head are scaled by a batch of noise of several sizes.

    Without, the head of a ViT is zero, a MobileNetV3 has equal logits, and the logits of a ResNet are in the hundreds.
    """
    torch.manual_seed(0)
    spec = Spec(architecture, tuple("abcdefghij"), input_size=size, resize=size)
    network = architectures.build(architecture, len(spec.classes))
    noise = [torch.rand(4, 3, side, side) for side in (2, 4, 8)]
    pictures = Normalize(spec)(
        torch.cat([nn.functional.interpolate(noise_pixels, size=(size, size)) for noise_pixels in noise])
    )
    norms = [layer for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    for layer in norms:
        layer.momentum = None  # the statistics become those of this one batch
    with torch.no_grad():
        if norms:
            network.train()(pictures)
        features = architectures.features(network.eval(), pictures)
    weight = torch.randn(len(spec.classes), features.shape[1])
    weight *= 2 / ((features - features.mean(dim=0)) @ weight.T).std()
    architectures.set_head(network, weight, -weight @ features.mean(dim=0))
    return Classifier(network, spec).fold()


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_every_method_raises_the_score_on_every_architecture(architecture: str, method: str) -> None:
    """On random weights the score of a class and of a channel rises, and every value of the score is finite.

    Without crops and noise, the steps can be compared. The learning rate is a tenth of the default, since such a
    network reacts to changes of a few levels; a method without this option takes its usual steps.
    """
    classifier = random_classifier(architecture, 224 if architecture == "vit_b_16" else 96)
    for subject in (3, (classifier.layers.find(ARCHITECTURES[architecture]), 5)):
        scores: list[float | None] = []
        options: dict[str, Any] = {"method": method, "steps": 10, "crops": 0, "tv": 0.0, "noise": 0.0}
        options |= {"objective": "cross_entropy", "sure": 1.0} if isinstance(subject, int) else {}
        if "learning_rate" in METHODS[method].own:
            options["learning_rate"] = METHODS[method].defaults()["learning_rate"] / 10
        (result,) = run(
            ideal(subject, classifier.spec, **options),
            classifier,
            lambda report, scores=scores: scores.append(report.score()),
        ).pictures
        known = [score for score in scores if score is not None]
        assert len(known) == len(scores) == 10
        # Steps of a fixed length may go beyond the maximum and back.
        assert (known[-1] if "learning_rate" in options else max(known)) > known[0]
        score = result.score
        figures = (score.strength, score.promised, score.robust, score.held_out, score.slope, score.variation)
        assert all(map(math.isfinite, (*figures, *score.families.values())))
