"""The topic for failures, and the alarms."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from aws_cdk import aws_stepfunctions as sfn
from constructs import Construct

from cdk.constructs.dashboard import HealthDashboard
from cdk.constructs.functions import Functions
from cdk.constructs.metrics import SLOT, own_metric, problem
from cdk.settings import StackSettings
from spotlake.telemetry import DURATION_PERCENT, MEMORY_PERCENT, NEAR_MEMORY_LIMIT, NEAR_TIMEOUT, SIGN_IN


class Monitoring(Construct):
    """The topic, the alarms and the dashboard."""

    def __init__(self, scope: Construct, name: str, *, settings: StackSettings) -> None:
        super().__init__(scope, name)
        self._settings = settings
        self._alarms: list[cloudwatch.Alarm] = []
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
        # This policy replaces the topic's default policy, which allowed the account's alarms to publish
        # (repost.aws/knowledge-center/cloudwatch-receive-sns-for-alarm-trigger, read 2026-11).
        stack = cdk.Stack.of(self)
        alarms = stack.format_arn(
            service="cloudwatch",
            resource="alarm",
            resource_name=f"{settings.stack_name}-*",
            arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
        )
        self.topic.add_to_resource_policy(
            iam.PolicyStatement(
                sid="AlarmsMayPublish",
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                actions=["sns:Publish"],
                resources=[self.topic.topic_arn],
                conditions={
                    "StringEquals": {"aws:SourceAccount": stack.account},
                    "ArnLike": {"aws:SourceArn": alarms},
                },
            )
        )
        if settings.alert_email:
            self.topic.add_subscription(subscriptions.EmailSubscription(settings.alert_email))

    def watch(self, machine: sfn.StateMachine, functions: Functions, dead_letters: sqs.IQueue) -> None:
        """Make the alarms and the dashboard. docs/deploying.md has a table of what each alarm stands for."""
        self._watch_runs(machine, dead_letters)
        self._watch_data()
        self._watch_functions(functions.by_name["history"])
        if self._settings.schedule_enabled:
            self._watch_schedule()
        HealthDashboard(
            self,
            "Health",
            settings=self._settings,
            machine=machine,
            functions=functions,
            alarms=self._alarms,
        )

    def _watch_runs(self, machine: sfn.StateMachine, dead_letters: sqs.IQueue) -> None:
        failed = machine.metric_failed(period=SLOT, statistic="Sum")
        self._alarm("Failed", failed, "A run failed: open the execution and read its last state's error.")
        letters = dead_letters.metric_approximate_number_of_messages_visible(period=SLOT)
        self._alarm("DeadLetters", letters, "A start was lost: read the queue; the schedule's role may lack rights.")

    def _watch_data(self) -> None:
        # New ones, not those that are there: an alarm that is on already would hide the next one.
        self._alarm(
            "DataFindings",
            own_metric("NewFindings", "merge", "Maximum"),
            "Something in the data needs eyes: `findings` in the newest line of function merge, and in the run's "
            "execution.json, names it. docs/deploying.md (Findings) says what to do about each.",
        )

    def _watch_functions(self, history: lambda_.Function) -> None:
        group = f"the newest line with it in the log groups /aws/lambda/{self._settings.stack_name}-*"
        self._alarm(
            "SignIn",
            problem(SIGN_IN),
            "Azure refuses the sign-in, or AzureAuth cannot be read, or the secret ends soon "
            f"(`secret_days_left`): {group} says which function, and which error. Put a new secret with `spotlake ops "
            "replace-secret`, or renew the principal's roles, or put the item of AzureAuth again.",
        )
        self._alarm(
            "Memory",
            problem(NEAR_MEMORY_LIMIT),
            f"A function used {MEMORY_PERCENT} percent of its memory: `function` in {group} names it. Give it more by "
            "the setting `functions`.",
        )
        self._alarm(
            "Duration",
            problem(NEAR_TIMEOUT),
            f"A function used {DURATION_PERCENT} percent of its time-out, and may have been stopped there: `function` "
            f"and `region` in {group} name it. Is Azure slow, or is the time-out too short (setting `functions`)?",
        )
        # No run fails with its history, so nothing else tells it. Lambda counts the failures, those of imports too.
        self._alarm(
            "History",
            history.metric_errors(period=cdk.Duration.minutes(30), statistic="Minimum"),
            "The change history could not be kept for half an hour: read the log of function history. The chain has "
            "the states of a day; what fails longer is told at a later slot than it happened.",
        )

    def _watch_schedule(self) -> None:
        # A skipped start ends as a success, so only a finished merge counts.
        merged = own_metric("CoveragePercent", "merge", "SampleCount", period=cdk.Duration.minutes(30))
        self._alarm(
            "NoCompleteRun",
            merged,
            "No run has been merged for 30 minutes: is the schedule on, is a run hanging?",
            operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )

    def _alarm(
        self,
        name: str,
        metric: cloudwatch.IMetric,
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
            threshold=1,
            evaluation_periods=1,
            comparison_operator=operator,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        self._alarms.append(alarm)
