"""Image classifiers of transformers through Mirage: the logits and labels of transformers' own pipeline."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from models import checkpoint
from models.classifier import Classifier
from models.preprocessing import preprocess, to_float
from tests.foreign_networks import CLASSES, photos, save, transformers_cases, transformers_network, twenty
from tests.training.importing.everything import ask_everything
from training.importing.agreement import LOGITS_AGREE, compare
from training.importing.gradients import gradients_flow
from training.importing.sources import hugging_face

transformers = pytest.importorskip("transformers")
QUICK = ("vit", "resnet")
SLOW = ("beit", "swin", "deit", "convnext", "mobilenet_v2", "mobilevit", "efficientnet", "levit", "dinov2", "regnet")
KINDS = [*QUICK, *(pytest.param(name, marks=pytest.mark.slow) for name in SLOW)]


@pytest.fixture(scope="module", autouse=True)
def without_progress_bars() -> Iterator[None]:
    transformers.utils.logging.disable_progress_bar()
    yield
    transformers.utils.logging.enable_progress_bar()


@pytest.fixture(scope="module")
def cases() -> dict[str, tuple[Any, Any]]:
    return transformers_cases()


def test_every_case_is_tested(cases: dict[str, tuple[Any, Any]]) -> None:
    assert set(cases) == {*QUICK, *SLOW}


@pytest.mark.parametrize("kind", KINDS)
def test_a_folder_gives_the_answers_of_transformers(
    kind: str, cases: dict[str, tuple[Any, Any]], tmp_path: Path, draw: Callable[..., Tensor]
) -> None:
    """On twenty pictures: the logits of its model after its processor, and the first label of its pipeline.

    After the checkpoint was written and loaded the logits are still the same. Then everything that can be asked of a
    model is asked.
    """
    config, processor = cases[kind]
    network = transformers_network(config, 384 if kind == "convnext" else 224)
    folder = save(tmp_path / "model", network, processor)
    model = hugging_face.read(folder, None)
    assert model.spec.classes == CLASSES and model.warnings == () and model.preprocessing is not None
    checkpoint.save(tmp_path / "imported.safetensors", model.network, model.spec, {}, dtype=None)
    classifier, _ = checkpoint.load(tmp_path / "imported.safetensors")
    pipeline = transformers.pipeline("image-classification", model=str(folder))
    for picture in twenty(draw):
        image = Image.fromarray(np.asarray(picture.permute(1, 2, 0)))
        with torch.no_grad():
            expected = network(**processor(images=image, return_tensors="pt")).logits[0]
        logits = classifier.logits(preprocess(to_float(picture)[None], model.spec))[0]
        assert (logits - expected).abs().max() <= LOGITS_AGREE * (1 + expected.abs().max())
        best = pipeline(image)[0]
        assert best["label"] == CLASSES[logits.argmax()] == CLASSES[expected.argmax()]
        assert best["score"] == pytest.approx(logits.softmax(dim=0).max().item(), abs=0.1)
    agreement = compare(model, Classifier(model.network, model.spec), model.preprocessing, twenty(draw))
    assert agreement.holds and agreement.same_top == 20
    assert gradients_flow(classifier)
    ask_everything(classifier, photos()[0])
