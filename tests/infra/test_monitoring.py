"""Alarms and dashboard look at metrics that exist: a name that nothing publishes would stay silent for years."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from spotlake.telemetry import ANY_FUNCTION, NAMESPACE
from tests.infra.conftest import Synthesised
from tests.infra.templates import Template
from tests.support.published import METRICS, OF_ALL  # held there against what a run writes

PROBLEMS = {"SignInProblems", "NearMemoryLimit", "NearTimeout"}  # tests/unit/test_telemetry.py makes each of them
OF_WHOLE_RUNS = {"RowsDifferencePercent"}  # a day before is needed
MOST_METRICS = 30  # the bill of docs/costs.md
MOST_ALARMS = 8


def is_published(metric: str, dimensions: dict[str, str]) -> bool:
    if set(dimensions) != {"service"}:
        return False
    service = dimensions["service"]
    if service == ANY_FUNCTION:
        return metric in PROBLEMS
    own = METRICS["merge"] | OF_WHOLE_RUNS if service == "merge" else METRICS.get(service, set())
    return metric in OF_ALL | own


def dashboard(template: Template) -> dict[str, Any]:
    text = template.resolve(template.only("AWS::CloudWatch::Dashboard")["DashboardBody"])
    body: dict[str, Any] = json.loads(text)
    return body


def lines(body: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Namespace, metric and dimensions of every line of a graph that is a metric."""
    for widget in body["widgets"]:
        for namespace, metric, *rest in (
            line for line in widget["properties"].get("metrics", []) if isinstance(line[0], str)
        ):
            names = [one for one in rest if isinstance(one, str)]
            yield namespace, metric, dict(zip(names[::2], names[1::2], strict=True))


@pytest.mark.parametrize("stage", ["test", "other"])
def test_every_metric_that_is_looked_at_is_published(synthesised: Synthesised, stage: str) -> None:
    template: Template = getattr(synthesised, stage)
    looked_at = [(metric, named) for namespace, metric, named in lines(dashboard(template)) if namespace == NAMESPACE]
    looked_at += [
        (alarm["MetricName"], {one["Name"]: one["Value"] for one in alarm["Dimensions"]})
        for alarm in template.of_type("AWS::CloudWatch::Alarm").values()
        if alarm["Namespace"] == NAMESPACE
    ]
    assert len(looked_at) > 20
    assert [one for one in looked_at if not is_published(*one)] == []
    assert {name for name, _ in looked_at} >= PROBLEMS | METRICS["plan"]


@pytest.mark.parametrize("stage", ["test", "other"])
def test_metrics_and_alarms_are_few_because_each_costs(synthesised: Synthesised, stage: str) -> None:
    of_functions = 2 * (len(METRICS) + 1)  # the Batch job too
    assert of_functions + len(METRICS["merge"] | OF_WHOLE_RUNS | METRICS["plan"] | PROBLEMS) <= MOST_METRICS
    alarms = getattr(synthesised, stage).of_type("AWS::CloudWatch::Alarm").values()
    assert len(alarms) <= MOST_ALARMS
    watched = {one["MetricName"] for one in alarms if one["Namespace"] == NAMESPACE}
    assert watched - {"CoveragePercent"} == PROBLEMS | {"NewFindings"}  # the former with the schedule alone
    assert all("Metrics" not in one for one in alarms)  # an alarm on an expression is billed for each metric in it


def test_every_function_s_memory_and_duration_are_on_the_dashboard(synthesised: Synthesised) -> None:
    shown = {(metric, named["service"]) for space, metric, named in lines(dashboard(synthesised.test))
             if space == NAMESPACE}  # fmt: skip
    assert shown >= {(metric, name) for metric in OF_ALL for name in (*METRICS, "full_run")}


def test_every_log_line_that_is_asked_for_is_of_a_group_of_the_stack(synthesised: Synthesised) -> None:
    groups = {one["LogGroupName"] for one in synthesised.test.of_type("AWS::Logs::LogGroup").values()}
    queries = [one["properties"]["query"] for one in dashboard(synthesised.test)["widgets"] if one["type"] == "log"]
    asked = {name for query in queries for name in re.findall(r"SOURCE '([^']+)'", query)}
    assert len(queries) == 5
    assert asked <= groups


def test_the_dashboard_begins_with_what_needs_somebody_and_ends_with_where_to_look(synthesised: Synthesised) -> None:
    template = synthesised.test
    widgets = dashboard(template)["widgets"]
    assert widgets[0]["type"] == "alarm"
    assert len(widgets[0]["properties"]["alarms"]) == len(template.of_type("AWS::CloudWatch::Alarm"))
    assert widgets[-1]["type"] == "text"
    assert "Where to look next" in widgets[-1]["properties"]["markdown"]
    assert all(one["properties"].get("title") for one in widgets[:-1])


def test_limits_are_drawn_where_the_alarms_have_them(synthesised: Synthesised) -> None:
    drawn = {
        widget["properties"]["title"].split(",")[0]: annotation["value"]
        for widget in dashboard(synthesised.test)["widgets"]
        for annotation in widget["properties"].get("annotations", {}).get("horizontal", [])
    }
    assert drawn == {"Rows": 30, "Duration": 80, "Peak memory": 85}
