"""Every kind of question that can be asked of a model, with few steps: whether a network allows all of them."""

import torch
from torch import Tensor

from models.attacks import fool
from models.classifier import Classifier
from models.classify import classify
from models.explain import explain
from models.features import features
from models.ideal import imagine
from models.run import run


def ask_everything(classifier: Classifier, picture: Tensor) -> None:
    """Attack, draw, show and explain with the network as it is served, and check each result against its answers."""
    served = classifier.fold()
    spec = served.spec
    (first, *_) = run(classify(picture, spec), served)
    assert first.label == run(classify(picture, spec), classifier)[0].label, "folding changes nothing"
    result = fool(served, picture, attack="pgd", epsilon=8 / 255, steps=3)
    assert result.original.label == first.label and result.norms["linf"] <= 8 / 255 + 1e-6
    (now, *_) = run(classify(result.picture, spec), served)
    assert (now.label, result.success) == (result.adversarial.label, now.label != first.label)
    drawn = imagine(served, 0, steps=2, patience=0)
    assert drawn.sheet.dtype == torch.uint8 and len(drawn.pictures) == 1
    layer = served.layers.last_map
    assert layer is not None and layer.decides
    shown = run(features(picture, spec, layer, channels=2), served)
    assert shown.prediction.label == first.label and shown.maps.shape == (2, layer.height, layer.width)
    assert shown.maps.isfinite().all() and shown.maps.abs().max() > 0
    explained = run(explain(picture, spec, layer=layer), served)
    assert explained.top.label == first.label and explained.heat.shape == spec.size
    pixels = run(explain(picture, spec, method="integrated_gradients", steps=4), served)
    assert pixels.attributions.isfinite().all() and pixels.attributions.abs().max() > 0
