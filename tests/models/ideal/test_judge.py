"""What another network sees."""

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
def test_it_is_what_classify_says(tiny: Classifier, chelsea: Tensor, index: int) -> None:
    """Probability, rank and top class, of a picture of any size."""
    found = run(judge(chelsea, index, tiny.spec), tiny)
    ranked = run(classify(chelsea, tiny.spec, top=4), tiny)
    assert found.top == ranked[0]
    assert ranked[found.rank - 1].index == index
    assert found.probability == pytest.approx(ranked[found.rank - 1].probability, abs=1e-6)


def test_it_looks_by_its_own_preprocessing(chelsea: Tensor) -> None:
    """A judge of 20 pixels out of 24 that sees how red, green and blue a picture is: the cat is reddest."""

    class Means(nn.Module):
        def forward(self, pixels: Tensor) -> Tensor:
            assert pixels.shape == (1, 3, 20, 20)
            return 10 * pixels.mean(dim=(2, 3))

    classifier = Classifier(Means(), unnormalised(3, 20, resize=24))
    means = preprocess(to_float(chelsea).unsqueeze(0), classifier.spec).mean(dim=(2, 3))[0]
    assert means[0] > means[1] > means[2]
    expected = (10 * means).exp() / (10 * means).exp().sum()
    for index in range(3):
        found = run(judge(chelsea, index, classifier.spec), classifier)
        assert (found.top.index, found.rank) == (0, index + 1)
        torch.testing.assert_close(torch.tensor(found.probability), expected[index])
