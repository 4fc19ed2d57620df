"""The dashboard: alarms, age of the data, distance from limits, cost."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.constructs.functions import Functions
from cdk.constructs.metrics import DATASETS, DURATION_PERCENT, MEMORY_PERCENT, SLOT, own_metric
from cdk.settings import FUNCTION_SIZES, StackSettings

_WIDTH = 24
_RED = "#d13212"


class HealthDashboard(Construct):
    """The dashboard, from "is an alarm red" at the top to costs at the bottom."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        settings: StackSettings,
        machine: sfn.IStateMachine,
        functions: Functions,
        alarms: Sequence[cloudwatch.IAlarm],
    ) -> None:
        super().__init__(scope, name)
        self._settings, self._machine, self._functions = settings, machine, functions
        dashboard = cloudwatch.Dashboard(
            self,
            "Dashboard",
            dashboard_name=settings.stack_name,
            default_interval=cdk.Duration.days(1),
        )
        dashboard.add_widgets(
            cloudwatch.AlarmStatusWidget(
                title="Alarms: red needs somebody; the alarm's text says what to do",
                alarms=list(alarms),
                width=_WIDTH,
                height=5,
            )
        )
        dashboard.add_widgets(*self._now())
        dashboard.add_widgets(*self._data())
        dashboard.add_widgets(*self._limits())
        dashboard.add_widgets(*self._full_run())
        dashboard.add_widgets(*self._cost())
        dashboard.add_widgets(cloudwatch.TextWidget(markdown=self._where_next(), width=_WIDTH, height=4))

    def _now(self) -> list[cloudwatch.IWidget]:
        hour = cdk.Duration.hours(1)
        values = {
            "Runs that ended well, last hour": self._machine.metric_succeeded(period=hour, statistic="Sum"),
            "Runs that failed, last hour": self._machine.metric_failed(period=hour, statistic="Sum"),
            "Coverage, percent of the plan": own_metric("CoveragePercent", "merge", "Minimum"),
            "Oldest score, minutes": own_metric("OldestScoreAgeMinutes", "merge", "Maximum"),
            "Regions with old data": own_metric("StaleRegions", "merge", "Maximum"),
            "Score calls left in the quota": own_metric("QuotaLeft", "plan", "Minimum"),
        }
        return [
            cloudwatch.SingleValueWidget(title=title, metrics=[metric], width=_WIDTH // len(values), height=4)
            for title, metric in values.items()
        ]

    def _data(self) -> list[cloudwatch.IWidget]:
        running = self._settings.running
        return [
            _graph(
                "Rows of each data set, of a run (a full run's all together)",
                [
                    *(own_metric("Rows", service, "Sum", label=dataset) for service, dataset in DATASETS.items()),
                    own_metric("Rows", "full_run", "Sum", label="full run"),
                ],
            ),
            _graph(
                "Rows, percent away from the day before",
                [own_metric("RowsDifferencePercent", "merge", "Maximum", label="of the data set that differs most")],
                limit=running.rows_alarm_percent,
            ),
            _graph(
                "How old: oldest score in minutes, regions with old data",
                [
                    own_metric("OldestScoreAgeMinutes", "merge", "Maximum", label="oldest score"),
                    own_metric("StaleRegions", "merge", "Maximum", label="regions with old data"),
                ],
            ),
        ]

    def _limits(self) -> list[cloudwatch.IWidget]:
        return [
            _graph(
                "Duration, percent of each function's time-out",
                [self._duration_percent(name) for name in FUNCTION_SIZES],
                limit=DURATION_PERCENT,
            ),
            _graph(
                "Peak memory, percent of what each function has",
                [own_metric("PeakMemoryPercent", name, "Maximum", label=name) for name in FUNCTION_SIZES],
                limit=MEMORY_PERCENT,
            ),
            _graph(
                "Refusals: throttles, retries, refused sign-ins, rows that cannot be",
                [
                    own_metric(metric, service, "Sum", label=f"{service}: {metric}")
                    for metric in ("Throttles", "Retries", "SignInFailures", "InvalidRows")
                    for service in DATASETS
                ],
            ),
        ]

    def _duration_percent(self, name: str) -> cloudwatch.IMetric:
        duration = self._functions.by_name[name].metric_duration(period=SLOT, statistic="Maximum")
        milliseconds = self._settings.functions[name].timeout_seconds * 1000
        return cloudwatch.MathExpression(
            expression=f"100 * {name} / {milliseconds}", using_metrics={name: duration}, label=name, period=SLOT
        )

    def _full_run(self) -> list[cloudwatch.IWidget]:
        metrics = {
            "Full run: seconds": ("DurationSeconds", "Maximum"),
            "Full run: peak memory, MB": ("PeakMemoryMb", "Maximum"),
            "Full run: attempts (a machine was taken away at each but the last)": ("Attempts", "Maximum"),
        }
        return [
            _graph(title, [own_metric(metric, "full_run", statistic)]) for title, (metric, statistic) in metrics.items()
        ]

    def _cost(self) -> list[cloudwatch.IWidget]:
        return [
            _graph(
                "Cost: requests to Azure",
                [
                    own_metric("Calls", "sps", "Sum", label="score calls"),
                    own_metric("Requests", "price", "Sum", label="price requests"),
                    own_metric("Requests", "eviction", "Sum", label="eviction queries"),
                ],
            ),
            _graph(
                "Cost: items changed and write units of the table",
                [
                    own_metric("ChangedRows", "merge", "Sum", label="changed rows"),
                    own_metric("WriteUnits", "merge", "Sum", label="write units"),
                ],
            ),
            _graph(
                "Cost: seconds of all invocations of a function",
                [own_metric("DurationSeconds", name, "Sum", label=name) for name in FUNCTION_SIZES],
            ),
        ]

    def _where_next(self) -> str:
        stack, console = self._settings.stack_name, f"https://{cdk.Aws.REGION}.console.aws.amazon.com"
        machine = f"{console}/states/home#/statemachines/view/{self._machine.state_machine_arn}"
        groups = f"{console}/cloudwatch/home#logsV2:log-groups$3FlogGroupNameFilter$3D{stack}"
        manifests = f"s3://{self._settings.running.write_bucket}/runs/azure/"
        return (
            f"**Where to look next.** What a run did, and its last state's error: [executions]({machine}). "
            f"A function's own words: [log groups]({groups}). What was collected, what kept old values and why: the "
            f"manifest and the page of each run below `{manifests}YYYY/MM/DD/`. A point of these graphs is one "
            f"ten-minute slot."
        )


def _graph(title: str, metrics: Sequence[cloudwatch.IMetric], *, limit: float | None = None) -> cloudwatch.GraphWidget:
    lines = [] if limit is None else [cloudwatch.HorizontalAnnotation(value=limit, label="alarm", color=_RED)]
    return cloudwatch.GraphWidget(
        title=title,
        left=list(metrics),
        left_annotations=lines,
        left_y_axis=cloudwatch.YAxisProps(min=0, show_units=False),
        width=_WIDTH // 3,
    )
