"""Tests GET /metrics."""

import re

from models.pictures import encode
from tests.app.live_service import Live, drawn, eventually


def read_metrics(live: Live) -> dict[str, float]:
    lines = [line for line in live.client.get("/metrics").text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_a_classification_counts_as_one_row_of_one_batch(live: Live) -> None:
    before = read_metrics(live)
    live.client.post("/classify", files={"image": encode(drawn())})
    after = read_metrics(live)
    changed = {name for name in after if name.startswith("mirage_engine_") and after[name] != before[name]}
    assert changed == {f"mirage_engine_{name}_total" for name in ("forward_batches", "forward_rows", "done")}
    assert after["mirage_engine_forward_rows_total"] == before["mirage_engine_forward_rows_total"] + 1


def test_the_names_of_metrics_do_not_change(live: Live) -> None:
    """Dashboards rely on them; the names of counters end in _total."""
    counters = ("forward_batches", "forward_rows", "gradient_batches", "gradient_rows", "done", "failed", "left",
                "expired", "driver_failures", "refused", "refused_for_memory", "refused_too_late")  # fmt: skip
    names = {f"mirage_engine_{name}" for name in (*counters, "alive", "max_tasks", "max_rows", "works")}
    names |= {f"mirage_{name}" for name in ("ready", "tasks", "build_info", "models", "model_ready", "keys_refused")}
    names |= {f"mirage_memory_{name}_bytes" for name in ("reserved", "budget", "limit")}
    names |= {"mirage_decoder_processes", "mirage_decoder_ended", "mirage_nonfinite_outputs", "mirage_cache_requests"}
    names |= {"mirage_pass_seconds", "mirage_pass_knee_rows", "mirage_batch_rows", "mirage_batch_duration_seconds"}
    names |= {f"mirage_http_{name}" for name in ("requests", "problems", "request_duration_seconds")}
    names |= {"mirage_http_request_phase_seconds"}
    text = live.client.get("/metrics").text
    declared = re.findall(r"^# TYPE (mirage_\w+) (\w+)$", text, re.MULTILINE)
    assert {name.removesuffix("_total") for name, _ in declared} == names
    assert all(name.endswith("_total") == (kind == "counter") for name, kind in declared)
    assert all(f"# HELP {name} " in text for name, _ in declared)
    assert "_created" not in text


def test_requests_are_counted_by_route_model_and_status(live: Live) -> None:
    """Names that the service does not serve are all counted as one, so that no client can make up labels."""

    def count(model: str, route: str, status: int) -> float:
        labels = f'{{model="{model}",route="{route}",status="{status}"}}'
        return read_metrics(live).get(f"mirage_http_requests_total{labels}", 0.0)

    cases = [("tiny", "/classify", 200), ("other", "/classify", 404), ("", "other", 404), ("", "/classify", 422)]
    before = {case: count(*case) for case in cases}
    live.client.post("/classify", files={"image": encode(drawn())})
    for made_up in ("no", "such", "model"):
        live.client.post("/classify", files={"image": encode(drawn())}, data={"model": made_up})
        live.client.get(f"/{made_up}")
    live.client.post("/classify", files={"image": encode(drawn())}, data={"top": "0"})
    expected = dict(zip(cases, (1, 3, 3, 1), strict=True))
    eventually(lambda: {case: count(*case) - before[case] for case in cases} == expected, timeout_s=30)


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
