"""Tests the metrics of batches, and the names of the models to which networks belong."""

import gc
import weakref

from prometheus_client import CollectorRegistry

from app.engine.observer import FinishedBatch
from app.web.metrics.batches import BatchMetrics, ModelNames
from models.classifier import Classifier
from tests.app.live_service import Live
from tests.networks import LinearNetwork, unnormalised


def test_a_batch_is_counted_under_the_name_of_its_model(live: Live, linear: Classifier) -> None:
    """Two batches of the served model, and one of a network that is not served: 0.5 s for 3 rows, two not finite."""
    registry = CollectorRegistry()
    metrics, value = BatchMetrics(registry, ModelNames(live.service.registry)), registry.get_sample_value
    served = live.service.registry.get("tiny").classifier
    for network, kind in ((served, "forward"), (served, "gradients"), (linear, "forward")):
        metrics.add(FinishedBatch(network, kind, 3, 10.0, 10.5, 2, ()))  # type: ignore[arg-type]
    for model, kind in (("tiny", "forward"), ("tiny", "gradients"), ("other", "forward")):
        assert value("mirage_batch_duration_seconds_sum", {"model": model, "kind": kind}) == 0.5
    assert value("mirage_batch_rows_bucket", {"kind": "forward", "le": "2.0"}) == 0
    assert value("mirage_batch_rows_bucket", {"kind": "forward", "le": "4.0"}) == 2
    assert value("mirage_nonfinite_outputs_total", {"model": "tiny"}) == 4


def test_a_network_keeps_its_name_and_is_not_kept_in_memory_for_it(live: Live) -> None:
    class Registry:
        """Serves one model until it is replaced."""

        name = "pets"

        def ready(self) -> list[object]:
            return [self]

    registry, names = Registry(), None
    registry.classifier = Classifier(LinearNetwork(3, 16), unnormalised(3, 16))  # type: ignore[attr-defined]
    names = ModelNames(registry)  # type: ignore[arg-type]
    old = registry.classifier  # type: ignore[attr-defined]
    assert names.of(old) == "pets"
    registry.classifier = None  # type: ignore[attr-defined]
    assert names.of(old) == "pets"
    kept = weakref.ref(old)
    del old
    gc.collect()
    assert kept() is None
