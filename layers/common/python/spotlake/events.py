"""Events and results of the workflow's steps, as Lambdas and the state machine exchange them.

The shapes are those of the state machine's JSON (statemachine/README.md). Events never hold rows; rows are in S3.
"""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict

from spotlake.costs.counting import Requests
from spotlake.models import RunJson


class PlanEvent(TypedDict):
    """Event of Plan: the execution's input, its ARN, and when it started (ISO)."""

    input: Any
    execution_id: str
    execution_started_at: str


class PlanResult(TypedDict):
    """Result of Plan; see ``usecases.plan.plan_run``."""

    status: str
    run: RunJson | None
    groups: list[list[str]]
    reason: NotRequired[str]
    notes: NotRequired[list[str]]
    start_full_run: NotRequired[bool]
    collect_instead: NotRequired[bool]
    calls_planned: NotRequired[int]
    calls_waiting: NotRequired[int]
    quota_left: NotRequired[int]
    secret_days_left: NotRequired[int]
    secret_ends_soon: NotRequired[bool]
    oldest_waiting_minutes: NotRequired[float | None]


class CollectEvent(TypedDict):
    """Event of a collector: the attempt, the region, and when the collector has to have ended (ISO, wall clock)."""

    run: RunJson
    region: str
    ends_at: NotRequired[str]


class CollectorResult(TypedDict):
    """Result of a collector; for a failed collector the state machine makes it. Counts are named whole numbers."""

    dataset: str
    region: str
    status: str
    rows: int
    counts: NotRequired[dict[str, int]]
    error: str | None
    cause: str | None


class FailureJson(TypedDict):
    """A failure that the state machine caught. Data set and region are missing when a whole step failed."""

    dataset: NotRequired[str]
    region: NotRequired[str]
    error: str | None
    cause: str | None


class NoFailure(TypedDict):
    """The empty object: no step failed."""


class Measured(TypedDict, total=False):
    """What ``telemetry.observed`` adds to every result; absent from the entry of a step that failed."""

    began_at: str
    seconds: float
    peak_memory_mb: float
    memory_limit_mb: int
    init_seconds: float
    aws_requests: Requests


class StepResult(Measured, total=False):
    """A step's result as Report reads it."""

    status: str | None
    rows: int | dict[str, int]
    error: str | None
    counts: dict[str, int]


class PlanStep(StepResult, total=False):
    """Plan's result as Report reads it."""

    groups: list[list[str]]
    secret_days_left: int


class MergeStep(StepResult, total=False):
    """Merge's result as Report reads it."""

    consumed_write_units: float
    changed_rows: int
    findings: list[str]


class CollectorStep(StepResult):
    """A collector's result as Report reads it."""

    dataset: str
    region: str


class MergeEvent(TypedDict):
    """Event of Merge: the attempt, the collectors that failed, and the step that did ({} when none)."""

    run: RunJson
    failures: list[FailureJson]
    failure: FailureJson | NoFailure


class PricesResult(TypedDict):
    """Part of the result of Merge: findings in the price lists that are not reported yet."""

    new_unknown_kinds: int
    new_price_disagreements: int
    witness_disagreement_percent: float | None


class FindingsResult(TypedDict):
    """Part of the result of Merge: names of what needs eyes, their number, and how many of them are new."""

    findings: list[str]
    data_findings: int
    new_findings: int


class MergeResult(TypedDict):
    """Result of Merge: numbers of the slot's manifest, for the state machine and the metrics."""

    status: str
    coverage_percent: float
    coverage_sufficient: bool
    rows: dict[str, int]
    changed_rows: int
    written_items: int
    overtaken_items: int
    invalid_items: NotRequired[int]
    items_left: int
    consumed_write_units: float
    sps_calls: int
    throttled_calls: int
    stale_regions: int
    score_age_median_minutes: int | None
    score_age_p95_minutes: int | None
    oldest_score_age_minutes: int | None
    rows_difference_percent: float | None
    unconfirmed_percent: float | None
    new_unknown_kinds: NotRequired[int]
    new_price_disagreements: NotRequired[int]
    witness_disagreement_percent: NotRequired[float | None]
    filtered: NotRequired[bool]
    quota_left: NotRequired[int | None]
    refused_shards: NotRequired[int]
    findings: NotRequired[list[str]]
    data_findings: NotRequired[int]
    new_findings: NotRequired[int]
    manifest_key: str


class HistoryEvent(TypedDict):
    """Event of KeepHistory: the attempt that was merged, for the logs."""

    run: RunJson


class HistoryResult(TypedDict):
    """Result of KeepHistory: slots written and their rows, days compacted, and what was left for want of time."""

    slots: int
    history_rows: int
    compacted_days: int
    slots_left: int
    days_left: int


class ReportEvent(TypedDict):
    """Event of Report: the attempt, and the results of the steps before."""

    run: RunJson
    plan: PlanStep
    collectors: list[CollectorStep]
    merge: MergeStep


class ReportResult(TypedDict):
    """Result of Report: what was written, and whether the claim was given back."""

    status: str
    total_seconds: float
    cost_usd: float
    released: bool
    outputs: list[str]


class NamedRun(TypedDict, total=False):
    """The parts of a run that a message names."""

    run_id: str
    mode: str


class NotifyEvent(TypedDict):
    """Event of Notify: the step that failed, with error and cause; all None when the run ended well."""

    execution_id: str
    state: str | None
    error: str | None
    cause: str | None
    run: RunJson | NamedRun | None


class NotifyResult(TypedDict):
    """Result of Notify: "sent", "known" or "failed", and the errors of sending."""

    status: str
    problems: list[str]
