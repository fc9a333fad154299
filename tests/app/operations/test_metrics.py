"""Tests GET /metrics."""

from dataclasses import fields

from app.engine.counters import Counters
from app.operations.metrics import HELP
from models.pictures import encode
from tests.app.live_service import Live, drawn


def read_metrics(live: Live) -> dict[str, float]:
    lines = [line for line in live.client.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_a_classification_counts_as_one_row_of_one_batch(live: Live) -> None:
    before = read_metrics(live)
    live.client.post("/classify", files={"image": encode(drawn())})
    after = read_metrics(live)
    changed = {name for name in after if after[name] != before[name] and not name.startswith("mirage_pass_")}
    assert changed == {f"mirage_engine_{name}_total" for name in ("forward_batches", "forward_rows", "done")}
    assert after["mirage_engine_forward_rows_total"] == before["mirage_engine_forward_rows_total"] + 1


def test_every_counter_has_a_help_text() -> None:
    assert set(HELP) == {field.name for field in fields(Counters)}


def test_the_names_of_metrics_do_not_change(live: Live) -> None:
    """Dashboards rely on them; the names of counters end in _total."""
    counters = ("forward_batches", "forward_rows", "gradient_batches", "gradient_rows", "done", "failed", "left",
                "expired", "refused")  # fmt: skip
    names = {f"mirage_engine_{name}_total" for name in counters} | {"mirage_engine_alive", "mirage_engine_max_rows"}
    names |= {"mirage_pass_seconds", "mirage_pass_knee_rows"}
    assert {name.partition("{")[0] for name in read_metrics(live)} == names


def test_the_pass_times_of_each_model_and_kind_are_shown(live: Live) -> None:
    """The sizes are powers of two from 1 on, and a batch takes some time; the knee is one of them, or the next one."""
    shown = read_metrics(live)
    for kind in ("forward", "gradients"):
        labels = f'{{kind="{kind}",model="tiny",rows="'
        sizes = sorted(
            int(name.removeprefix("mirage_pass_seconds" + labels).removesuffix('"}'))
            for name in shown
            if name.startswith("mirage_pass_seconds" + labels)
        )
        assert sizes == [2**power for power in range(len(sizes))]
        assert all(0 < shown[f'mirage_pass_seconds{labels}{rows}"}}'] < 60 for rows in sizes)
        assert shown[f'mirage_pass_knee_rows{{kind="{kind}",model="tiny"}}'] in [*sizes, 2 * sizes[-1]]
