"""The metrics that the functions publish, as alarms and the dashboard name them."""

from __future__ import annotations

from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from spotlake.telemetry import NAMESPACE

SLOT: Final = cdk.Duration.minutes(10)
DATASETS: Final = {"sps": "sps", "price": "spot_price", "eviction": "spot_if"}  # service -> data set
MEMORY_PERCENT: Final = 85
DURATION_PERCENT: Final = 80


def own_metric(
    metric: str, service: str, statistic: str, *, label: str | None = None, period: cdk.Duration = SLOT
) -> cloudwatch.Metric:
    """A metric of ours: one value per period, for one service ("sps") and its data set."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=metric,
        dimensions_map={"service": service, "dataset": DATASETS.get(service, "all")},
        period=period,
        statistic=statistic,
        label=label,
    )
