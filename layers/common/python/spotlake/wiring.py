"""Builds stores, clocks and clients for the use cases, from the settings. Called inside handlers.

Each object is built at first use, never at import. The process keeps it, so a warm Lambda signs in once. A method
imports what it builds, so that no function's cold start pays for the others.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING

from botocore.config import Config

from spotlake.clock import Clock, Deadline, RunClock, WallClock
from spotlake.costs.counting import count_requests
from spotlake.errors import ConfigurationError
from spotlake.models import Mode, Run
from spotlake.settings import Settings
from spotlake.stores.aws_clients import BOTO, AwsSession
from spotlake.stores.objects import S3Objects
from spotlake.telemetry import LambdaContext

if TYPE_CHECKING:
    from mypy_boto3_dynamodb.client import DynamoDBClient

    from spotlake.azure_access import AzureAccess
    from spotlake.planning.attempt import Work
    from spotlake.planning.score_knowledge import ScoreKnowledge
    from spotlake.stores.claims import DynamoDbClaims
    from spotlake.stores.ledger import DynamoDbLedger
    from spotlake.usecases.collect.eviction_rates import EvictionDeps
    from spotlake.usecases.collect.placement_scores import PlacementDeps
    from spotlake.usecases.collect.prices import PriceDeps
    from spotlake.usecases.keep_history.keep_history import HistoryDeps
    from spotlake.usecases.merge.finish_run import FinishDeps
    from spotlake.usecases.notify.notify import NotifyDeps
    from spotlake.usecases.plan.plan_run import PlanDeps
    from spotlake.usecases.plan.prepare_work import PrepareDeps
    from spotlake.usecases.report.report_run import ReportDeps

SCORE_THREADS = 8  # calls under way at once in one collector
_TO_FINISH_SECONDS = 5.0  # of a Lambda's time, to answer
# Plan has little time, and can start from yesterday's plan. A full run uses the time that the setting allows.
_INCREMENTAL_EFFORT_SECONDS = 1.0


class Services:
    """All objects that can be built, each at its first use."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Read the settings. Raises ConfigurationError that names a wrong setting."""
        self.settings = Settings.from_environment(environment)
        self.wall = WallClock()
        self._session = AwsSession()
        count_requests(self._session.events)

    @functools.cached_property
    def objects(self) -> S3Objects:
        """The write bucket."""
        return S3Objects(self._session.client("s3", config=BOTO), self.settings.write_bucket)

    @functools.cached_property
    def production(self) -> S3Objects:
        """Production's bucket; its roles may only read."""
        return S3Objects(self._session.client("s3", config=BOTO), self.settings.read_bucket)

    @functools.cached_property
    def dynamodb(self) -> DynamoDBClient:
        """DynamoDB where the stack is."""
        made: DynamoDBClient = self._session.client("dynamodb", config=BOTO)
        return made

    @functools.cached_property
    def ledger(self) -> DynamoDbLedger:
        """The quota ledger."""
        from spotlake.stores.ledger import DynamoDbLedger

        return DynamoDbLedger(self.dynamodb, self.settings.control_table)

    @functools.cached_property
    def claims(self) -> DynamoDbClaims:
        """The claim."""
        from spotlake.stores.claims import DynamoDbClaims

        return DynamoDbClaims(self.dynamodb, self.settings.control_table)

    @functools.cached_property
    def azure(self) -> AzureAccess:
        """Signing in, and what the subscriptions say of Azure's geography."""
        from spotlake.azure_access import AzureAccess

        return AzureAccess(self._session, self.settings)

    def clock(self, run: Run) -> Clock:
        """The wall clock; on local runs a clock that is set to the run's slot."""
        if self.settings.clock == "wall":
            return self.wall
        return RunClock(run.slot_at, run.started_at, self.wall)

    def price_deps(self, run: Run, deadline: Deadline) -> PriceDeps:
        """Dependencies of the price collector, which never signs in."""
        from spotlake.azure.http import new_session
        from spotlake.usecases.collect.prices import PriceDeps

        clock = self.clock(run)
        return PriceDeps(
            objects=self.objects, session=new_session(), clock=clock, deadline=deadline, settings=self.settings
        )

    def eviction_deps(self, run: Run, deadline: Deadline) -> EvictionDeps:
        """Dependencies of the eviction-rate collector."""
        from spotlake.azure.http import new_session
        from spotlake.stores.turns import DynamoDbTurns
        from spotlake.usecases.collect.eviction_rates import EvictionDeps

        return EvictionDeps(
            objects=self.objects,
            session=new_session(),
            tokens=self.azure.tokens(run),
            turns=DynamoDbTurns(self.dynamodb, self.settings.control_table),
            clock=self.clock(run),
            deadline=deadline,
            settings=self.settings,
        )

    def placement_deps(self, run: Run, deadline: Deadline, work: Work | None = None) -> PlacementDeps:
        """Dependencies of the placement-score collector; ``work`` names the owed pairs."""
        from spotlake.azure.http import new_session
        from spotlake.planning.score_knowledge import not_refused
        from spotlake.usecases.collect.placement_scores import PlacementDeps

        listed = self.azure.credentials(run).subscriptions
        known = self._known_of_scores(run, work)
        return PlacementDeps(
            objects=self.objects,
            ledger=self.ledger,
            session=new_session(connections=SCORE_THREADS),
            tokens=self.azure.tokens(run),
            subscriptions=not_refused(listed, known.refused),
            zones=known.zone_map(listed),
            restrictions=known.restrictions,
            clock=self.clock(run),
            deadline=deadline,
            settings=self.settings,
            threads=SCORE_THREADS,
            owed=work.owed_sizes() if work is not None else None,
        )

    def _known_of_scores(self, run: Run, work: Work | None) -> ScoreKnowledge:
        if work is not None and work.knowledge is not None:
            return work.knowledge
        from spotlake.state.score_knowledge import read_score_knowledge

        return read_score_knowledge(self.objects, self.clock(run).now())

    def prepare_deps(self, run: Run, deadline: Deadline) -> PrepareDeps:
        """Dependencies of preparing a collection. Signs in if the subscriptions must be asked for locations.

        Without credentials prices are collected all the same, as soon as it is known where.
        """
        from spotlake.planning.score_knowledge import ScoreKnowledge, not_refused
        from spotlake.state.locations import LOCATIONS
        from spotlake.state.refused_subscriptions import refused_lately
        from spotlake.usecases.plan.prepare_work import PrepareDeps

        notes: list[str] = []
        subscriptions: tuple[str, ...] = ()
        refused = refused_lately(self.objects, self.clock(run).now())
        try:
            listed = self.azure.credentials(run).subscriptions
            notes += self.azure.notes(self.wall.now())
            subscriptions = not_refused(listed, refused)
            locations = self.azure.locations(run, self.objects, self.clock(run).now(), deadline, notes.append)
        except ConfigurationError as error:
            known = LOCATIONS.read(self.objects)
            if known is None:
                raise
            locations = known
            notes.append(f"prices alone are collected: {error}")
        full_effort = self.settings.plan_effort_seconds
        return PrepareDeps(
            objects=self.objects,
            production=self.production,
            ledger=self.ledger,
            clock=self.clock(run),
            subscriptions=subscriptions,
            routing=locations.routing,
            knowledge=ScoreKnowledge(zones=locations.zones, reference=locations.reference, refused=refused),
            settings=self.settings,
            effort_seconds=full_effort if run.mode is Mode.FULL else _INCREMENTAL_EFFORT_SECONDS,
            notes=tuple(notes),
            secret_days_left=self.azure.days_left(self.wall.now()),
        )

    def plan_deps(self, deadline: Deadline) -> PlanDeps:
        """Dependencies of Plan."""
        from spotlake.stores.executions import is_running
        from spotlake.usecases.plan.plan_run import PlanDeps

        executions = self._session.client("stepfunctions", config=BOTO)
        return PlanDeps(
            objects=self.objects,
            claims=self.claims,
            wall=self.wall,
            is_running=functools.partial(is_running, executions),
            settings=self.settings,
            prepare=lambda run: self.prepare_deps(run, deadline),
        )

    def finish_deps(self, run: Run, deadline: Deadline) -> FinishDeps:
        """Dependencies of Merge."""
        from spotlake.stores.workloads import DynamoDbWorkloads
        from spotlake.usecases.merge.finish_run import FinishDeps
        from spotlake.usecases.merge.merge_run import MergeDeps

        # Off, because botocore's check of 150,000 statements that we made ourselves takes a fifth of the upsert.
        client = self._session.client("dynamodb", config=BOTO.merge(Config(parameter_validation=False)))
        workloads = DynamoDbWorkloads(client, self.settings.workload_table)
        merge = MergeDeps(
            objects=self.objects, workloads=workloads, clock=self.clock(run), deadline=deadline, settings=self.settings
        )
        return FinishDeps(merge=merge, objects=self.objects)

    def history_deps(self, deadline: Deadline) -> HistoryDeps:
        """Dependencies of KeepHistory."""
        from spotlake.usecases.keep_history.keep_history import HistoryDeps

        return HistoryDeps(objects=self.objects, wall=self.wall, deadline=deadline, settings=self.settings)

    def report_deps(self) -> ReportDeps:
        """Dependencies of Report."""
        from spotlake.usecases.report.report_run import ReportDeps

        return ReportDeps(
            objects=self.objects, claims=self.claims, wall=self.wall, azure=self.settings.azure_source,
            architecture="arm64" if os.uname().machine in ("aarch64", "arm64") else "x86_64",
        )  # fmt: skip

    def notify_deps(self) -> NotifyDeps:
        """Dependencies of Notify."""
        from spotlake.usecases.notify.notify import NotifyDeps

        topic, parameter = self.settings.topic_arn, self.settings.slack_webhook_parameter
        sns, ssm = self._session.client("sns", config=BOTO), self._session.client("ssm", config=BOTO)
        region = self._session.region_name

        def publish(subject: str, text: str) -> None:
            sns.publish(TopicArn=topic, Subject=subject, Message=text)

        def webhook_url() -> str:
            return str(ssm.get_parameter(Name=parameter, WithDecryption=True)["Parameter"]["Value"])

        return NotifyDeps(
            objects=self.objects,
            claims=self.claims,
            wall=self.wall,
            publish=publish if topic else None,
            webhook_url=webhook_url if parameter else None,
            console_url=lambda arn: f"https://{region}.console.aws.amazon.com/states/home#/v2/executions/details/{arn}",
        )


@functools.cache
def services() -> Services:
    """The process's services, from its environment."""
    return Services(os.environ)


def deadline_of(context: LambdaContext) -> Deadline:
    """The Lambda's time-out, minus the time to answer."""
    return Deadline(lambda: context.get_remaining_time_in_millis() / 1000 - _TO_FINISH_SECONDS)
