"""The metrics that the functions publish, and questions to their log lines, as alarms and the dashboard name them."""

from __future__ import annotations

from typing import Final

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch

from spotlake.telemetry import ANY_FUNCTION, NAMESPACE

SLOT: Final = cdk.Duration.minutes(10)


def own_metric(
    metric: str, service: str, statistic: str, *, label: str | None = None, period: cdk.Duration = SLOT
) -> cloudwatch.Metric:
    """A metric of ours: one value per period, for one function ("sps")."""
    return cloudwatch.Metric(
        namespace=NAMESPACE,
        metric_name=metric,
        dimensions_map={"service": service},
        period=period,
        statistic=statistic,
        label=label,
    )


def problem(metric: str) -> cloudwatch.Metric:
    """A problem that any function tells, counted; its log line names the function."""
    return own_metric(metric, ANY_FUNCTION, "Sum")
