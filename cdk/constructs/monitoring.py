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
from cdk.constructs.metrics import DURATION_PERCENT, MEMORY_PERCENT, SLOT, own_metric
from cdk.settings import StackSettings

_SIGNING_IN = ("plan", "sps", "eviction")


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
        """Make the alarms and the dashboard."""
        self._watch_runs(machine, dead_letters)
        self._watch_data()
        self._watch_prices()
        self._watch_sign_in()
        if self._settings.schedule_enabled:
            self._watch_schedule()
        self._watch_history(functions.by_name["history"])
        self._watch_functions(functions)
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
        self._alarm("Failed", failed, 1, "A run failed: open the execution and read its last state's error.")
        letters = dead_letters.metric_approximate_number_of_messages_visible(period=SLOT)
        self._alarm("DeadLetters", letters, 1, "A start was lost: read the queue; the schedule's role may lack rights.")

    def _watch_data(self) -> None:
        coverage = own_metric("CoveragePercent", "merge", "Minimum")
        self._alarm(
            "Coverage",
            coverage,
            self._settings.running.minimum_coverage_percent,
            "Too little was collected: `spotlake show RUN` names the stale regions and why.",
            operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        )
        self._alarm(
            "Rows",
            own_metric("RowsDifferencePercent", "merge", "Maximum"),
            self._settings.running.rows_alarm_percent,
            "A data set has far more or fewer rows than a day before: compare both runs with `spotlake show RUN`.",
        )
        self._alarm(
            "Age",
            own_metric("OldestScoreAgeMinutes", "merge", "Maximum"),
            self._settings.running.score_age_alarm_hours * 60,
            "The oldest score is too old: is Azure refusing calls (`spotlake show RUN`), or are there too few "
            "subscriptions for the regions and sizes collected?",
        )
        self._alarm(
            "Overtaken",
            own_metric("OvertakenItems", "merge", "Minimum", period=cdk.Duration.minutes(30)),
            1,
            "The table refuses items, because it has newer ones that this archive did not write: does another archive "
            "write the same table? `overtaken_items` of the manifest counts them.",
        )
        self._alarm(
            "InvalidItems",
            own_metric("InvalidItems", "merge", "Maximum"),
            1,
            "The table cannot hold an item, and the merge left it out. Its log names one; `invalid_items` of the "
            "manifest counts them.",
        )
        self._alarm(
            "Quota",
            own_metric("QuotaLeft", "plan", "Maximum", period=cdk.Duration.hours(2)),
            1,
            "No placement-score call could be reserved for two hours: is somebody else using up the quota?",
            operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
        )

    def _watch_history(self, history: lambda_.Function) -> None:
        # No run fails with its history, so nothing else tells it. Lambda counts the failures, those of imports too.
        self._alarm(
            "History",
            history.metric_errors(period=cdk.Duration.minutes(30), statistic="Minimum"),
            1,
            "The change history could not be kept for half an hour: read the log of function history. The chain has "
            "the states of a day; what fails longer is told at a later slot than it happened.",
        )

    def _watch_sign_in(self) -> None:
        for name in _SIGNING_IN:
            self._alarm(
                f"SignIn-{name}",
                own_metric("SignInFailures", name, "Sum"),
                1,
                "Azure refuses the sign-in, or AzureAuth cannot be read: renew the client secret in AzureAuth, or the "
                "principal's roles, or put the item again.",
            )

        if self._settings.running.azure_sign_in != "federation":  # nothing of it ends
            self._alarm(
                "SecretExpiry",
                own_metric("SecretDaysLeft", "plan", "Minimum"),
                self._settings.running.secret_expiry_alarm_days,
                "The client secret or certificate for Azure ends soon: make a new one, and put it with `spotlake ops "
                "replace-secret`. `secret_expires_at` says when.",
                operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            )

    def _watch_schedule(self) -> None:
        # A skipped start ends as a success, so only a finished merge counts.
        merged = own_metric("CoveragePercent", "merge", "SampleCount", period=cdk.Duration.minutes(30))
        self._alarm(
            "NoCompleteRun",
            merged,
            1,
            "No run has been merged for 30 minutes: is the schedule on, is a run hanging?",
            operator=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )

    def _watch_functions(self, functions: Functions) -> None:
        for name, size in self._settings.functions.items():
            text = f"Function {name} nears its memory: raise it in cdk/settings.py."
            self._alarm(f"Memory-{name}", own_metric("PeakMemoryPercent", name, "Maximum"), MEMORY_PERCENT, text)
            slow = functions.by_name[name].metric_duration(period=SLOT, statistic="Maximum")
            text = f"Function {name} nears its time-out: is Azure slow, or is the time-out too short?"
            self._alarm(f"Duration-{name}", slow, size.timeout_seconds * 10 * DURATION_PERCENT, text)

    def _watch_prices(self) -> None:
        """A new finding in the price lists is reported once; contradictions and missing prices, while they last."""
        running = self._settings.running
        self._alarm(
            "UnknownKinds",
            own_metric("NewUnknownKinds", "merge", "Maximum"),
            1,
            "The price list has rows of a kind that no rule knows, and they are left out: `unknown_kinds` of the "
            "manifest shows some. Is a rule of docs/prices.md to be added?",
        )
        self._alarm(
            "PriceDisagreements",
            own_metric("NewPriceDisagreements", "merge", "Maximum"),
            1,
            "Two meters say different prices of one size, and the plainer product's was taken: "
            "`price_disagreements` of the manifest names the sizes.",
        )
        self._alarm(
            "Unconfirmed",
            own_metric("UnconfirmedPercent", "merge", "Maximum"),
            running.unconfirmed_alarm_percent,
            "Too many pairs keep an old price because the price list lacks them: `unconfirmed` of the manifest "
            "names them. Is a region or a family of sizes missing from the list?",
        )
        self._alarm(
            "PriceWitness",
            own_metric("WitnessDisagreementPercent", "merge", "Maximum"),
            running.witness_alarm_percent,
            "Resource Graph says other spot prices of a region than the price list: `price_witness` of the manifests "
            "of the last day names the region and sizes.",
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
        self._alarms.append(alarm)
