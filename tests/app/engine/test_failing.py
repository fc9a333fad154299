"""Tests that a model whose outputs are no numbers is named in the log, and after some batches no longer served."""

from pathlib import Path

import pytest
import torch

from app.engine.catalogue import LoadingFailed
from app.engine.failing import MOST_IN_A_ROW, FailingModels
from app.engine.registry import Registry
from models.pictures import encode
from tests.app.doubling import Doubling
from tests.app.live_service import Live, drawn, serve


@pytest.fixture
def registry(checkpoints: Path) -> Registry:
    registry = Registry(["tiny"], folder=checkpoints, device=torch.device("cpu"))
    registry.load_all()
    return registry


def test_each_time_is_logged_and_the_last_one_marks_the_model(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    model, report = registry.get(), FailingModels(registry)
    for in_a_row in range(1, MOST_IN_A_ROW):
        report(model.classifier, in_a_row)
    assert registry.get() is model
    assert caplog.text.count("tiny (version") == MOST_IN_A_ROW - 1
    report(model.classifier, MOST_IN_A_ROW)
    with pytest.raises(LoadingFailed, match="not numbers"):
        registry.get()
    report(model.classifier, MOST_IN_A_ROW + 1)


def test_a_network_that_is_no_longer_served_changes_nothing(registry: Registry) -> None:
    FailingModels(registry)(Doubling(), MOST_IN_A_ROW)
    assert registry.state("tiny") == "ready"


def test_over_http_it_is_an_error_and_then_a_failed_model(checkpoints: Path) -> None:
    """The weights of its only model are overwritten with NaN while the service runs."""
    with serve(checkpoints=checkpoints) as live:
        spoil(live)
        answers = [classify(live) for _ in range(MOST_IN_A_ROW)]
        for status, problem in answers:
            assert (status, problem["type"]) == (500, "urn:mirage:problem:not-finite")
            assert "ask another model" in problem["detail"]
        status, problem = classify(live)
        assert (status, problem["type"]) == (503, "urn:mirage:problem:loading-failed")
        (model,) = live.client.get("/models").json()["models"]
        assert model["state"] == "failed" and "not numbers" in model["problem"]
        assert live.client.get("/health/ready").status_code == 503


def spoil(live: Live) -> None:
    with torch.no_grad():
        for tensor in live.service.registry.get().classifier.tensors():
            if tensor.is_floating_point() and not tensor.is_mkldnn:
                tensor.fill_(float("nan"))


def classify(live: Live) -> tuple[int, dict[str, str]]:
    response = live.client.post("/classify", files={"image": encode(drawn())})
    return response.status_code, response.json()
