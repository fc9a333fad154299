"""Networks of timm through Mirage: the logits of timm's own model and transforms, and everything else that works."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from models.classifier import Classifier
from models.preprocessing import preprocess, to_float
from tests.foreign_networks import QUICK_TIMM, TIMM, photos, timm_network, twenty
from tests.training.importing.everything import ask_everything
from tests.training.importing.weight_files import WRAPPERS, write
from training.importing.agreement import LOGITS_AGREE, compare
from training.importing.contents import BadWeightsFile
from training.importing.gradients import gradients_flow
from training.importing.sources import state_dicts

pytest.importorskip("timm")
NAMES = [*QUICK_TIMM, *(pytest.param(name, marks=pytest.mark.slow) for name in TIMM)]


@pytest.mark.parametrize("name", NAMES)
def test_a_network_of_timm_gives_timms_logits(name: str, tmp_path: Path, draw: Callable[..., Tensor]) -> None:
    """Those of its own model, after its own transforms with Pillow, on twenty pictures; each has the same first class.

    The network is read from a file with the name of its architecture. Then everything that can be asked of a model is.
    """
    from timm.data import create_transform, resolve_model_data_config

    network = timm_network(name)
    wrapper = list(WRAPPERS)[[*QUICK_TIMM, *TIMM].index(name) % len(WRAPPERS)]
    file = write(tmp_path / "weights.pth", WRAPPERS[wrapper](network.state_dict()))
    model = state_dicts.read(file, f"timm/{name}", tuple("abcdefg"))
    classifier = Classifier(model.network, model.spec)
    transform = create_transform(**resolve_model_data_config(network), is_training=False)
    for picture in twenty(draw):
        image = Image.fromarray(np.asarray(picture.permute(1, 2, 0)))
        with torch.no_grad():
            expected = network(transform(image).unsqueeze(0))[0]
            logits = classifier.logits(preprocess(to_float(picture)[None], model.spec))[0]
        assert (logits - expected).abs().max() <= LOGITS_AGREE * (1 + expected.abs().max())
        assert logits.argmax() == expected.argmax()
    assert model.preprocessing is not None
    agreement = compare(model, classifier, model.preprocessing, twenty(draw))
    assert agreement.holds and agreement.same_top == 20
    assert gradients_flow(classifier)
    ask_everything(classifier, photos()[0])


def test_a_wrong_name_says_what_does_not_fit(tmp_path: Path) -> None:
    from models.architectures import BadWeights, UnknownArchitecture

    file = write(tmp_path / "weights.pth", timm_network("test_resnet").state_dict())
    with pytest.raises(BadWeights, match=r"these weights are not of this architecture \(\d+ missing: .*unknown: "):
        state_dicts.read(file, "timm/test_vit", None)
    with pytest.raises(UnknownArchitecture, match=r"timm has no network called 'test_resnets'; similar names: "):
        state_dicts.read(file, "timm/test_resnets", None)
    with pytest.raises(BadWeightsFile, match="there is no file"):
        state_dicts.read(tmp_path / "missing.pth", "timm/test_resnet", None)
