"""deploy/observability: every metric in the rules and the dashboard exists, and Prometheus accepts the files."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from models.pictures import encode
from tests.app.live_service import Live, drawn
from tests.integration.project import REPOSITORY

FOLDER = REPOSITORY / "deploy" / "observability"
RULES = yaml.safe_load((FOLDER / "alerts.yml").read_text(encoding="utf-8"))["groups"][0]["rules"]
EXAMPLES = yaml.safe_load((FOLDER / "alerts.test.yml").read_text(encoding="utf-8"))["tests"]
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
PAGE = (REPOSITORY / "docs" / "reference" / "observability.md").read_text(encoding="utf-8")
NAME = re.compile(r"\b(?:mirage|process)_\w+")


def names_in(query: str) -> set[str]:
    """The names of metrics in a query of Prometheus, without what stands in its texts."""
    return set(NAME.findall(re.sub(r'"[^"]*"', "", query)))


@pytest.fixture(scope="module")
def exposed(live: Live) -> str:
    """Return the metrics of a service that has handled requests, among them one that failed."""
    live.client.post("/classify", files={"image": encode(drawn())})
    live.client.post("/adversarial", files={"image": encode(drawn())}, data={"attack": "fgsm"})
    live.client.post("/classify", files={"image": b"no picture"})
    return live.client.get("/metrics").text


@pytest.fixture(scope="module")
def series(exposed: str) -> set[str]:
    """Return the names of all series, also of those metrics that have none yet."""
    names = {re.split(r"[{ ]", line)[0] for line in exposed.splitlines() if not line.startswith("#")}
    return names | set(re.findall(r"^# TYPE (\w+) (?:counter|gauge)$", exposed, re.MULTILINE))


def test_every_metric_of_the_rules_exists(series: set[str]) -> None:
    assert all(names_in(rule["expr"]) <= series for rule in RULES)
    assert {name for rule in RULES for name in names_in(rule["expr"])} > {"mirage_ready", "mirage_models"}


def test_every_metric_of_the_dashboard_exists(series: set[str]) -> None:
    for panel in PANELS:
        for target in panel["targets"]:
            assert names_in(target["expr"]) and names_in(target["expr"]) <= series, panel["title"]
    for variable in DASHBOARD["templating"]["list"]:
        assert names_in(json.dumps(variable.get("definition", "")).strip('"')) <= series


def test_the_values_of_labels_in_the_rules_exist(exposed: str) -> None:
    """Reasons, states and phases; a rule for a reason that does not exist would never fire."""
    queries = [rule["expr"] for rule in RULES] + [t["expr"] for panel in PANELS for t in panel["targets"]]
    for query in queries:
        for label, values in re.findall(r'\b(reason|state|result)=~?"([^"]*)"', query):
            assert all(f'{label}="{value}"' in exposed for value in values.split("|")), query


def test_every_metric_is_explained(exposed: str) -> None:
    for name in re.findall(r"^# TYPE (mirage_\w+) ", exposed, re.MULTILINE):
        short = re.sub("^mirage_engine", "", name)
        assert f"`{name}`" in PAGE or f"`{short}`" in PAGE, name


def test_every_rule_says_what_is_wrong_and_what_to_do() -> None:
    for rule in RULES:
        assert rule["labels"]["severity"] in ("warning", "critical"), rule["alert"]
        assert "{{ $labels.instance }}" in rule["annotations"]["summary"], rule["alert"]
        assert len(rule["annotations"]["description"]) > 20, rule["alert"]


def test_every_rule_has_an_example_in_which_it_fires() -> None:
    (samples,) = (test["promql_expr_test"][0]["exp_samples"] for test in EXAMPLES if "every" in test["name"])
    fired = {re.findall(r'alertname="(\w+)"', sample["labels"])[0] for sample in samples}
    assert fired == {rule["alert"] for rule in RULES}


def test_the_panels_have_units_the_chosen_data_source_and_places_of_their_own() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert not cells & taken and place["x"] + place["w"] <= 24, panel["title"]
        taken |= cells
    for panel in PANELS:
        assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
        assert all(part["datasource"]["uid"] == "${datasource}" for part in (panel, *panel["targets"]))
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    assert DASHBOARD["schemaVersion"] >= 41  # Grafana 12
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource", "instance", "route"]


PROMTOOL = shutil.which("promtool")


@pytest.mark.skipif(PROMTOOL is None, reason="needs promtool, which is part of Prometheus")
@pytest.mark.parametrize(
    "command",
    [("check", "rules", "alerts.yml"), ("test", "rules", "alerts.test.yml"), ("check", "config", "prometheus.yml")],
)
def test_prometheus_accepts_the_files(command: tuple[str, ...]) -> None:
    """The second one runs the examples of the alerts."""
    result = subprocess.run(["promtool", *command], cwd=FOLDER, capture_output=True, text=True)
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.skipif(PROMTOOL is None, reason="needs promtool, which is part of Prometheus")
def test_prometheus_accepts_the_queries_of_the_dashboard_and_the_metrics(tmp_path: Path, exposed: str) -> None:
    """The queries, with values for Grafana's variables, as rules that promtool checks."""
    variables = {"$__rate_interval": "5m", "$instance": ".*", "$route": "/classify"}
    queries = [target["expr"] for panel in PANELS for target in panel["targets"]]
    for name, value in variables.items():
        queries = [query.replace(name, value) for query in queries]
    rules = [{"record": f"query:number_{number}", "expr": query} for number, query in enumerate(queries)]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": rules}]}), encoding="utf-8")
    subprocess.run(["promtool", "check", "rules", str(file)], check=True, capture_output=True)
    result = subprocess.run(["promtool", "check", "metrics"], input=exposed, capture_output=True, text=True)
    assert result.returncode in (0, 3), result.stderr  # 3: matters of style
