"""Tests the judgement of another network about a picture."""

import pytest
import torch
from torch import Tensor, nn

from models.classifier import Classifier
from models.classify import classify
from models.ideal.judge import judge
from models.preprocessing import preprocess, to_float
from models.run import run
from tests.networks import unnormalised


@pytest.mark.parametrize("index", range(4))
def test_a_judgement_agrees_with_classify(tiny: Classifier, chelsea: Tensor, index: int) -> None:
    """Probability, rank and top class agree, for a picture of any size."""
    judgement = run(judge(chelsea, index, tiny.spec), tiny)
    ranked = run(classify(chelsea, tiny.spec, top=4), tiny)
    assert judgement.top == ranked[0]
    assert ranked[judgement.rank - 1].index == index
    assert judgement.probability == pytest.approx(ranked[judgement.rank - 1].probability, abs=1e-6)


def test_a_judge_uses_its_own_preprocessing(chelsea: Tensor) -> None:
    """The judge resizes to 24 and crops to 20 pixels; its logits are 10 times the mean colour, which is mostly red."""

    class Means(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            assert pixels.shape == (1, 3, 20, 20)
            return 10 * pixels.mean(dim=(2, 3))

    classifier = Classifier(Means(), unnormalised(3, 20, resize=24))
    means = preprocess(to_float(chelsea).unsqueeze(0), classifier.spec).mean(dim=(2, 3))[0]
    assert means[0] > means[1] > means[2]
    expected = (10 * means).exp() / (10 * means).exp().sum()
    for index in range(3):
        judgement = run(judge(chelsea, index, classifier.spec), classifier)
        assert (judgement.top.index, judgement.rank) == (0, index + 1)
        torch.testing.assert_close(torch.tensor(judgement.probability), expected[index])
