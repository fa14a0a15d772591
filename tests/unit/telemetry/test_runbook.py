"""The runbook and the dashboard: they name only existing metrics, log lines, commands and settings."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from service.settings import Settings
from service.settings.options import options_of
from service.telemetry.metrics import METRICS, Metric
from service.telemetry.prometheus import PREFIX

ROOT = Path(__file__).parents[3]
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text()
BOARD: dict[str, Any] = json.loads((ROOT / "infra" / "grafana" / "streamdex.json").read_text())
BY_NAME = {metric.name: metric for metric in METRICS}
ENDS = ("_total", "_bucket", "_sum", "_count")

SECTIONS = re.split(r"^## ", RUNBOOK, flags=re.MULTILINE)[1:]
ALARMS = {section.partition("\n")[0]: section for section in SECTIONS}
PROMQL = re.findall(r"^    PromQL +(.*)$", RUNBOOK, re.MULTILINE)
INSIGHTS = re.findall(r"^    CloudWatch +(SELECT .*)$", RUNBOOK, re.MULTILINE)
TARGETS = [target for panel in BOARD["panels"] for target in panel.get("targets", ())]


def exposed(metric: Metric) -> set[str]:
    """Return the names of a metric in Prometheus."""
    if metric.bounds:
        return {f"{PREFIX}{metric.name}{end}" for end in ENDS[1:]}
    return {PREFIX + metric.name + ("" if metric.gauge else "_total")}


def metrics_in(expression: str) -> list[Metric]:
    """Return the metrics in an expression, after a check that Prometheus has each name."""
    found = []
    for name in re.findall(rf"{PREFIX}\w+", expression):
        metric = next((metric for metric in METRICS if name in exposed(metric)), None)
        assert metric is not None, f"{name} is no metric"
        found.append(metric)
    return found


def labels_in(expression: str) -> set[str]:
    by = [name.strip() for names in re.findall(r"by \(([^)]*)\)", expression) for name in names.split(",")]
    return {*by, *re.findall(r"(\w+)=~?\"", expression)} - {"le"}


@pytest.mark.parametrize("expression", [*PROMQL, *(target["expr"] for target in TARGETS)])
def test_each_expression_is_of_metrics_and_labels_that_are_there(expression):
    metrics = metrics_in(expression)
    assert metrics
    for metric in metrics:
        assert labels_in(expression) <= set(metric.labels)
    assert ("histogram_quantile" in expression) == any(metric.bounds for metric in metrics)
    assert expression.count("(") == expression.count(")")
    for metric in metrics:
        counted = not metric.gauge
        assert counted == any(f"{name}[" in re.sub(r"\{[^}]*\}", "", expression) for name in exposed(metric))


@pytest.mark.parametrize("query", INSIGHTS)
def test_each_query_of_cloudwatch_is_of_metrics_and_dimensions_that_are_there(query):
    found = re.match(r"SELECT (MIN|MAX|SUM)\((\w+)\) FROM SCHEMA\((\w+), ([\w, ]+)\)", query)
    assert found, query
    metric = BY_NAME[found[2]]
    assert found[3] == Settings().metrics_namespace
    dimensions = found[4].split(", ")
    assert dimensions == ["FunctionName", *metric.labels]
    assert set(re.findall(r"(?:GROUP BY|WHERE) (\w+)", query)) <= set(dimensions)


def test_every_metric_has_an_alarm_or_helps_to_understand_one():
    alarming = {metric.name for expression in PROMQL for metric in metrics_in(expression)}
    helping = {metric.name for name in BY_NAME for metric in [BY_NAME[name]] if f"`{PREFIX}{name}" in RUNBOOK}
    assert alarming | helping == set(BY_NAME)
    assert helping - alarming == {
        "records",
        "batch_seconds",
        "gap_seconds",
        "redelivered_messages",
        "reindexed_documents",
        "request_bytes",
    }


def test_each_alarm_says_what_it_means_what_to_do_first_and_what_next():
    assert len(ALARMS) >= 10
    for name, section in ALARMS.items():
        steps = [section.find(f"\n**{step}:** ") for step in ("Means", "First", "Next")]
        assert -1 < steps[0] < steps[1] < steps[2], name
        assert re.search(r"^    \S", section, re.MULTILINE), f"{name} has no expression"


def test_every_link_leads_to_an_alarm_and_the_table_has_all_of_them():
    anchors = {name.lower().replace(" ", "-").replace(",", "") for name in ALARMS}
    links = re.findall(r"\]\(#([\w-]+)\)", RUNBOOK)
    assert set(links) == anchors
    table = RUNBOOK.partition("\n## ")[0]
    assert set(re.findall(r"\]\(#([\w-]+)\)", table)) == anchors


def test_the_log_lines_settings_and_commands_that_are_named_are_there():
    source = "\n".join(path.read_text() for path in (ROOT / "service").rglob("*.py"))
    for event in ("halted", "retrying", "will be redelivered", "records lost", "record moved to dead letters"):
        assert f"`{event}`" in RUNBOOK or event in re.findall(r"^    log +(\w+)", RUNBOOK, re.MULTILINE)
        assert f'"{event}' in source
    for event in ("checkpoint not written", "stopped reading", "standing by"):
        assert f"`{event}`" in RUNBOOK
        assert f'"{event}' in source
    names = {option.name for option in options_of(Settings)}
    named = {"stream_workers", "queue_workers", "retry_for", "search_timeout", "bulk_actions", "bulk_bytes"}
    assert named <= names
    assert named | {"poll_interval", "poll_wait"} <= set(re.findall(r"`(\w+)`", RUNBOOK))
    for command in re.findall(r"python -m service (dead-letters \w+)", RUNBOOK):
        assert command.split()[1] in ("list", "show", "redrive", "purge")


def test_the_dashboard_has_what_grafana_imports():
    assert {"title", "uid", "schemaVersion", "panels", "templating", "time"} <= set(BOARD)
    assert BOARD.get("id") is None
    variables = {variable["name"] for variable in BOARD["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)\}?", json.dumps(BOARD))) - {"__rate_interval", "__all"}
    assert used == variables
    ids = [panel["id"] for panel in BOARD["panels"]]
    assert len(set(ids)) == len(ids)
    for panel in BOARD["panels"]:
        if panel["type"] != "row":
            assert panel["title"]
            assert panel["description"]
            assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
            references = [target["refId"] for target in panel["targets"]]
            assert len(set(references)) == len(references) > 0


def test_the_panels_of_the_dashboard_do_not_overlap():
    places = [panel["gridPos"] for panel in BOARD["panels"]]
    for place in places:
        assert place["x"] + place["w"] <= 24
    for one, other in combinations(places, 2):
        beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
        above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert beside or above


def test_the_dashboard_shows_every_metric():
    assert {metric.name for target in TARGETS for metric in metrics_in(target["expr"])} == set(BY_NAME)
