"""Alarms and dashboard look at metrics that exist: a name that nothing publishes would stay silent for years."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from spotlake.telemetry import NAMESPACE
from tests.end_to_end.test_make_run import METRICS, OF_ALL, OF_JOB  # held there against what a run writes
from tests.infra.conftest import Synthesised
from tests.infra.templates import Template

SIGN_IN = {"SignInFailures"}
OF_WHOLE_RUNS = {"RowsDifferencePercent", "UnconfirmedPercent", "WitnessDisagreementPercent"}
SOMETIMES = {
    "plan": SIGN_IN | {"SecretDaysLeft"},
    "sps": SIGN_IN,
    "price": SIGN_IN,
    "eviction": SIGN_IN,
    "merge": OF_WHOLE_RUNS,
}
DATASETS = {"sps": "sps", "price": "spot_price", "eviction": "spot_if"}


def is_published(metric: str, dimensions: dict[str, str]) -> bool:
    service = dimensions["service"]
    if dimensions != {"service": service, "dataset": DATASETS.get(service, "all")}:
        return False
    if service == "full_run":
        return metric in OF_JOB
    return metric in METRICS[service] | OF_ALL | SOMETIMES.get(service, set())


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
    assert len(looked_at) > 50
    assert [one for one in looked_at if not is_published(*one)] == []


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
