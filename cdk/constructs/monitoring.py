"""The topic, the alarms and a dashboard for tired eyes."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.constructs.functions import Functions
from cdk.settings import FUNCTION_SIZES, StackSettings
from spotlake.telemetry import NAMESPACE

_MEMORY_PERCENT = 85
_DURATION_SHARE = 0.8
_SLOT = cdk.Duration.minutes(10)
_SIGNING_IN = ("plan", "sps", "eviction")


class Monitoring(Construct):
    """Where failures are told, and what is looked at."""

    def __init__(self, scope: Construct, name: str, *, settings: StackSettings) -> None:
        super().__init__(scope, name)
        self._settings = settings
        self.topic = sns.Topic(self, "Topic", display_name="SpotLake Azure collector")
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="OnlyOverTls",
                effect=iam.Effect.DENY,
                principals=[iam.AnyPrincipal()],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={"Bool": {"aws:SecureTransport": "false"}},
            )
        )
        if settings.alert_email:
            self.topic.add_subscription(subscriptions.EmailSubscription(settings.alert_email))

    def watch(self, machine: sfn.StateMachine, functions: Functions, dead_letters: sqs.IQueue) -> None:
        """Make the alarms and the dashboard."""
        failed = machine.metric_failed(period=_SLOT, statistic="Sum")
        self._alarm("Failed", failed, 1, "A run failed: open the execution and read its last state's error.")
        letters = dead_letters.metric_approximate_number_of_messages_visible(period=_SLOT)
        self._alarm("DeadLetters", letters, 1, "A start was lost: read the queue; the schedule's role may lack rights.")
        coverage = self._metric("CoveragePercent", "merge", "Minimum")
        self._alarm(
            "Coverage",
            coverage,
            self._settings.running.minimum_coverage_percent,
            "Too little was collected: `spotlake show RUN` names the stale regions and why.",
            operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        )
        self._alarm(
            "Rows",
            self._metric("RowsDifferencePercent", "merge", "Maximum"),
            self._settings.running.rows_alarm_percent,
            "A data set has far more or fewer rows than a day before: compare both runs with `spotlake show RUN`.",
        )
        for name in _SIGNING_IN:
            self._alarm(
                f"SignIn-{name}",
                self._metric("SignInFailures", name, "Sum"),
                1,
                "Azure refuses the sign-in: renew the client secret in AzureAuth, or the principal's roles.",
            )
        if self._settings.schedule_enabled:
            complete = machine.metric_succeeded(period=cdk.Duration.minutes(30), statistic="Sum")
            self._alarm(
                "NoCompleteRun",
                complete,
                1,
                "No run has completed for 30 minutes: is the schedule on, is a run hanging?",
                operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
                missing=cloudwatch.TreatMissingData.BREACHING,
            )
        for name, size in self._settings.functions.items():
            text = f"Function {name} nears its memory: raise it in cdk/settings.py."
            self._alarm(f"Memory-{name}", self._metric("PeakMemoryPercent", name, "Maximum"), _MEMORY_PERCENT, text)
            slow = functions.by_name[name].metric_duration(period=_SLOT, statistic="Maximum")
            text = f"Function {name} nears its time-out: is Azure slow, or is the time-out too short?"
            self._alarm(f"Duration-{name}", slow, size.timeout_seconds * 1000 * _DURATION_SHARE, text)
        self._build_dashboard(failed, coverage)

    def _metric(self, metric: str, service: str, statistic: str) -> cloudwatch.Metric:
        datasets = {"sps": "sps", "price": "spot_price", "eviction": "spot_if"}
        return cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name=metric,
            dimensions_map={"service": service, "dataset": datasets.get(service, "all")},
            period=_SLOT,
            statistic=statistic,
        )

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        what_to_do: str,
        *,
        operator: cloudwatch.ComparisonOperator = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"{self._settings.stack_name}-{name.lower()}",
            alarm_description=what_to_do,
            metric=metric,
            threshold=threshold,
            evaluation_periods=1,
            comparison_operator=operator,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))

    def _build_dashboard(self, failed: cloudwatch.IMetric, coverage: cloudwatch.IMetric) -> None:
        dashboard = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=self._settings.stack_name)
        dashboard.add_widgets(
            cloudwatch.SingleValueWidget(title="Coverage, percent", metrics=[coverage], width=8),
            cloudwatch.SingleValueWidget(title="Failed runs", metrics=[failed], width=8),
            cloudwatch.SingleValueWidget(
                title="Oldest score, minutes",
                metrics=[self._metric("OldestScoreAgeMinutes", "merge", "Maximum")],
                width=8,
            ),
        )
        dashboard.add_widgets(
            cloudwatch.GraphWidget(
                title="Seconds by function",
                left=[self._metric("DurationSeconds", name, "Maximum") for name in FUNCTION_SIZES],
                width=12,
            ),
            cloudwatch.GraphWidget(
                title="Peak memory, percent of the limit",
                left=[self._metric("PeakMemoryPercent", name, "Maximum") for name in FUNCTION_SIZES],
                width=12,
            ),
        )
        cost = [("Calls", "sps"), ("Requests", "price"), ("Requests", "eviction"), ("WriteUnits", "merge")]
        dashboard.add_widgets(
            cloudwatch.GraphWidget(
                title="What it costs: calls, requests, write units",
                left=[self._metric(metric, service, "Sum") for metric, service in cost],
                width=24,
            )
        )
