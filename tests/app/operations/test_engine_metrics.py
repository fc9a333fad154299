"""The counters for Prometheus."""

from dataclasses import fields

from app.engine.engine import Counters
from app.operations.engine_metrics import MEANING
from models.pictures import encode
from tests.app.conftest import Live, drawn


def counted(live: Live) -> dict[str, float]:
    lines = [line for line in live.client.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_a_classification_is_one_row_of_one_batch(live: Live) -> None:
    before = counted(live)
    live.client.post("/classify", files={"image": encode(drawn())})
    after = counted(live)
    changed = {name for name in after if after[name] != before[name]}
    assert changed == {f"mirage_engine_{name}_total" for name in ("forward_batches", "forward_rows", "done")}
    assert after["mirage_engine_forward_rows_total"] == before["mirage_engine_forward_rows_total"] + 1


def test_every_counter_is_explained() -> None:
    assert set(MEANING) == {field.name for field in fields(Counters)}
