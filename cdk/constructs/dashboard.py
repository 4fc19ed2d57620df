"""The dashboard: alarms, age of the data, distance from limits, cost."""

from __future__ import annotations

from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.constructs.functions import Functions
from cdk.constructs.metrics import SLOT, own_metric
from cdk.settings import COLLECTORS, FUNCTION_SIZES, StackSettings
from spotlake.telemetry import DURATION_PERCENT, MEMORY_PERCENT

_WIDTH = 24
_RED = "#d13212"
_GROUPS = {"full_run": "batch"}  # the folder of its log group; the others are functions


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
            "Ended well, last hour": self._machine.metric_succeeded(period=hour, statistic="Sum"),
            "Failed, last hour": self._machine.metric_failed(period=hour, statistic="Sum"),
            "Findings in the data": own_metric("DataFindings", "merge", "Maximum"),
            "Coverage, percent of the plan": own_metric("CoveragePercent", "merge", "Minimum"),
            "Oldest score, minutes": own_metric("OldestScoreAgeMinutes", "merge", "Maximum"),
            "Regions with old data": own_metric("StaleRegions", "merge", "Maximum"),
            "Items the table lacks": own_metric("ItemsLeft", "merge", "Maximum"),
            "Score calls left": own_metric("QuotaLeft", "plan", "Minimum"),
        }
        return [
            cloudwatch.SingleValueWidget(title=title, metrics=[metric], width=_WIDTH // len(values), height=4)
            for title, metric in values.items()
        ]

    def _data(self) -> list[cloudwatch.IWidget]:
        rows = ("result.rows.sps", "result.rows.price", "result.rows.eviction")
        return [
            self._lines("Rows of each data set, of a run", ["merge"], "max", rows),
            _graph(
                "Rows, percent away from the day before",
                [own_metric("RowsDifferencePercent", "merge", "Maximum", label="of the data set that differs most")],
                limit=self._settings.running.rows_alarm_percent,
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
        refused = ("result.counts.throttles", "result.counts.retries", "result.counts.invalid_rows")
        return [
            _graph(
                "Duration, percent of each function's time-out",
                [self._duration_percent(name) for name in FUNCTION_SIZES],
                limit=DURATION_PERCENT,
            ),
            _graph(
                "Peak memory, percent of what each function has",
                [self._memory_percent(name) for name in FUNCTION_SIZES],
                limit=MEMORY_PERCENT,
            ),
            self._lines("Refusals: throttles, retries, rows that cannot be", COLLECTORS, "sum", refused),
        ]

    def _duration_percent(self, name: str) -> cloudwatch.IMetric:
        # Lambda's own metric costs nothing, and knows invocations that were stopped at their time-out.
        duration = self._functions.by_name[name].metric_duration(period=SLOT, statistic="Maximum")
        milliseconds = self._settings.functions[name].timeout_seconds * 1000
        return _percent(name, duration, milliseconds)

    def _memory_percent(self, name: str) -> cloudwatch.IMetric:
        peak = own_metric("PeakMemoryMb", name, "Maximum")
        return _percent(name, peak, self._settings.functions[name].memory_mb)

    def _full_run(self) -> list[cloudwatch.IWidget]:
        metrics = {"Full run: seconds": "DurationSeconds", "Full run: peak memory, MB": "PeakMemoryMb"}
        attempts = "Full run: attempts (a machine was taken away at each but the last)"
        return [
            *(_graph(title, [own_metric(metric, "full_run", "Maximum")]) for title, metric in metrics.items()),
            self._lines(attempts, ["full_run"], "max", ["result.attempts"], every="1h"),
        ]

    def _cost(self) -> list[cloudwatch.IWidget]:
        asked = ("result.counts.calls_sent", "result.counts.requests")
        written = ("result.changed_rows", "result.consumed_write_units")
        return [
            self._lines("Cost: score calls, and requests for prices and rates", COLLECTORS, "sum", asked),
            self._lines("Cost: items changed and write units of the table", ["merge"], "max", written),
            _graph(
                "Cost: seconds of all invocations of a function",
                [own_metric("DurationSeconds", name, "Sum", label=name) for name in FUNCTION_SIZES],
            ),
        ]

    def _lines(
        self, title: str, services: Sequence[str], statistic: str, fields: Sequence[str], *, every: str = "10m"
    ) -> cloudwatch.IWidget:
        """A graph of fields of the log lines. A query costs by what it reads: a day's lines are a few MB."""
        stack = self._settings.stack_name
        shown = ", ".join(f"{statistic}({field}) as {field.rpartition('.')[2]}" for field in fields)
        return cloudwatch.LogQueryWidget(
            title=title,
            log_group_names=[f"/aws/{_GROUPS.get(one, 'lambda')}/{stack}-{one.replace('_', '-')}" for one in services],
            query_lines=[f"filter ispresent({fields[0]})", f"stats {shown} by bin({every})"],
            view=cloudwatch.LogQueryVisualizationType.LINE,
            width=_WIDTH // 3,
        )

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


def _percent(name: str, metric: cloudwatch.IMetric, most: float) -> cloudwatch.IMetric:
    return cloudwatch.MathExpression(
        expression=f"100 * {name} / {most}", using_metrics={name: metric}, label=name, period=SLOT
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
