"""What is seen of a service from outside: its metrics, and whether its processes are alive. On Linux."""

from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

Metrics = dict[str, dict[tuple[tuple[str, str], ...], float]]
"""Samples by name, and then by their labels."""


def read_metrics(url: str) -> Metrics:
    """The samples of GET /metrics; raises httpx.HTTPError."""
    text = httpx.get(f"{url}/metrics", timeout=60, trust_env=False).raise_for_status().text
    metrics: Metrics = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            metrics.setdefault(sample.name, {})[tuple(sorted(sample.labels.items()))] = sample.value
    return metrics


def computed_seconds(metrics: Metrics) -> dict[str, float]:
    """The seconds of the network's work that the requests of each route have had."""
    samples = metrics.get("mirage_http_request_phase_seconds_sum", {})
    labelled = [(dict(labels), value) for labels, value in samples.items()]
    return {labels["route"]: value for labels, value in labelled if labels["phase"] == "computed"}


def under_way(metrics: Metrics) -> dict[str, float]:
    """Whatever of requests is still there: tasks that are alive, pieces of work, and bytes that are reserved."""
    names = ("mirage_engine_alive", "mirage_tasks", "mirage_memory_reserved_bytes")
    return {name: sum(metrics[name].values()) for name in names}


def is_alive(pid: int) -> bool:
    """Whether the process is there and has not ended; one that nobody has waited for yet has ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False
