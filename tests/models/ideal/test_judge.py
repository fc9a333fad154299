"""What another network sees."""

import pytest
from torch import Tensor

from models.classifier import Classifier
from models.classify import classify
from models.ideal.judge import judge
from models.query import run


@pytest.mark.parametrize("index", range(4))
def test_it_is_what_classify_says(tiny: Classifier, chelsea: Tensor, index: int) -> None:
    """Probability, rank and top class, of a picture of any size."""
    found = run(judge(chelsea, index, tiny.spec), tiny)
    ranked = run(classify(chelsea, tiny.spec, top=4), tiny)
    assert found.top == ranked[0]
    assert ranked[found.rank - 1].index == index
    assert found.probability == pytest.approx(ranked[found.rank - 1].probability, abs=1e-6)
