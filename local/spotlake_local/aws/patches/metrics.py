"""CloudWatch: metrics in EMF log lines become metrics."""

from __future__ import annotations

import json
from typing import Any

from ministack.services import cloudwatch, cloudwatch_logs

from spotlake_local.aws.patches import need


def install() -> None:
    """Without it EMF records stay text in the log, and no alarm sees them."""
    append = need(cloudwatch_logs, "_append_log_events", "EMF to metrics")
    put = need(cloudwatch, "_put_metric_data", "EMF to metrics")

    def append_and_measure(stream: Any, events: list[dict[str, Any]]) -> Any:
        result = append(stream, events)
        for event in events:
            for namespace, data in _metric_data(event.get("message", "")):
                put({}, {"Namespace": namespace, "MetricData": data}, is_cbor=False, is_json=True)
        return result

    cloudwatch_logs._append_log_events = append_and_measure


def _metric_data(message: str) -> list[tuple[str, list[dict[str, Any]]]]:
    """Namespace and data of one EMF record; nothing for any other line."""
    if '"CloudWatchMetrics"' not in message:
        return []
    try:
        record = json.loads(message)
        return [
            (directive["Namespace"], _data_of(directive, record)) for directive in record["_aws"]["CloudWatchMetrics"]
        ]
    except (ValueError, KeyError, TypeError):
        return []


def _data_of(directive: dict[str, Any], record: dict[str, Any]) -> list[dict[str, Any]]:
    data: list[dict[str, Any]] = []
    for names in directive["Dimensions"]:
        dimensions = [{"Name": name, "Value": record[name]} for name in names]
        for metric in directive["Metrics"]:
            value = record[metric["Name"]]
            values = value if isinstance(value, list) else [value]
            data.extend(
                {"MetricName": metric["Name"], "Unit": metric["Unit"], "Value": one, "Dimensions": dimensions}
                for one in values
            )
    return data
