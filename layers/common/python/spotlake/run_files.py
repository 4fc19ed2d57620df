"""Types of the JSON files that a run leaves: manifest, execution statistics, record of the Batch job.

Two processes meet in each of them: the one that writes the file, and the one that shows it. The meaning of every
field is in docs/data.md. Times are ISO text in UTC, ages are minutes, durations are seconds.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict

import orjson

from spotlake.checked import checked
from spotlake.costs.counting import Requests
from spotlake.costs.run_cost import RunCost
from spotlake.errors import StoreError
from spotlake.first_manifests import FIRST_SCHEMA, from_first_schema
from spotlake.price_files import Disagreements, Unconfirmed, UnknownKinds, WitnessEntry

MANIFEST_SCHEMA = 2


class AttemptEntry(TypedDict):
    """One attempt at the slot: what it was asked, what it planned, and what stopped it (None: nothing did)."""

    attempt: int
    mode: str
    started_at: NotRequired[str]
    desired_counts: NotRequired[list[int]]
    filtered: NotRequired[bool]
    resumed: bool
    regions: NotRequired[list[str]]
    instance_types: NotRequired[list[str]]
    planned: NotRequired[bool]
    calls_planned: NotRequired[int]
    calls_waiting: NotRequired[int]
    error: str | None
    cause: str | None


class AccountEntry(TypedDict):
    """Pairs of one scored region at one desired count: how many were asked, scored, or left by which reason."""

    region: str
    desired_count: int
    asked: int
    scored: int
    without_score: dict[str, int]
    unanswered: dict[str, int]


class StaleEntry(TypedDict):
    """A region's data set that keeps old values; ``since`` is the slot in which the data set was last whole."""

    dataset: str
    region: str
    error: str | None
    cause: str | None
    missing: NotRequired[int]
    asked: NotRequired[int]
    since: str | None


class RefusedShard(TypedDict):
    """A shard that the merge could not read, and why."""

    key: str
    dataset: str
    region: str
    reason: str


class CollectorEntry(TypedDict):
    """One collector's report in short; ``counts`` are named whole numbers."""

    attempt: NotRequired[int]
    dataset: str
    region: str
    status: str
    rows: int
    seconds: float
    counts: dict[str, int]


class AgesEntry(TypedDict):
    """Ages of one desired count's scores; ``desired_count`` None: all counts together."""

    desired_count: int | None
    scored: int
    never: int
    median_minutes: int | None
    p95_minutes: int | None
    oldest_minutes: int | None


class ValueAgesEntry(TypedDict):
    """Known values of live workloads by the time since a source last confirmed them.

    Each list counts the values up to each limit that are above the limit before; its last number counts all older ones.
    """

    limits_minutes: list[int]
    sps: list[int]
    price: list[int]
    eviction: list[int]


class Collected(TypedDict):
    """The part of a manifest that describes collecting."""

    run_id: str
    status: str
    attempts: list[AttemptEntry]
    mode: str
    desired_counts: list[int]
    filtered: bool
    regions_requested: int
    regions_complete: int
    pairs: int
    coverage: dict[str, float | None]
    coverage_reasons: dict[str, str]
    coverage_percent: float
    accounts: list[AccountEntry]
    sps_calls: int
    calls_planned: int
    calls_waiting: int
    calls_unsent: int
    throttled_calls: int
    quota_left: int | None
    oldest_waiting_minutes: float | None
    stale: list[StaleEntry]
    stale_regions: int
    refused_shards: list[RefusedShard]
    collectors: list[CollectorEntry]


class Written(TypedDict):
    """The part of a manifest that describes the table, over all merges of the slot."""

    changed_rows: int
    written_items: int
    overtaken_items: int
    invalid_items: NotRequired[int]  # manifests before 2026-11-26 have none
    items_left: int
    consumed_write_units: float
    write_throttles: int


class Manifest(Collected, Written):
    """``runs/azure/.../{run_id}.json``: what a run has stored."""

    schema: int
    complete: bool
    coverage_sufficient: bool
    rows: dict[str, int]
    rows_difference_percent: float | None
    score_ages: list[AgesEntry]
    score_age_median_minutes: int | None
    score_age_p95_minutes: int | None
    oldest_score_age_minutes: int | None
    seconds: dict[str, float]
    merged_at: str
    outputs: list[str]
    unknown_kinds: NotRequired[UnknownKinds]  # since 0.2.0, as the next six
    price_disagreements: NotRequired[Disagreements]
    unconfirmed: NotRequired[Unconfirmed]
    unconfirmed_percent: NotRequired[float | None]
    price_witness: NotRequired[list[WitnessEntry]]
    value_ages: NotRequired[ValueAgesEntry]
    unknown_zone_rows: NotRequired[int]


class MemorySample(TypedDict):
    """A row of ``memory.csv.gz``: resident memory of one process, in MB (2**20 bytes)."""

    Timestamp: str
    Service: str
    PID: int | str
    Memory_MB: float
    Kind: str
    Region: str


class ExecutionEntry(TypedDict):
    """One invocation of a function, or one collector inside the Batch job; None where a figure is not known."""

    service: str
    region: str | None
    status: str | None
    rows: int | None
    began_at: str | None
    seconds: float | None
    peak_memory_mb: float | None
    memory_limit_mb: NotRequired[float | None]
    init_seconds: NotRequired[float | None]  # of a new process; since 0.3.0, as the next two
    aws_requests: NotRequired[Requests | None]
    counts: NotRequired[dict[str, int]]
    error: str | None


class FunctionUse(TypedDict):
    """What all invocations of one function used together; ``counts`` are sums of the invocations' own."""

    invocations: int
    began_at: str | None
    seconds: float
    longest_seconds: float
    peak_memory_mb: float | None
    memory_limit_mb: float | None
    cold_starts: NotRequired[int]  # since 0.3.0, as the next four
    init_seconds: NotRequired[float]
    gb_seconds: NotRequired[float]
    aws_requests: NotRequired[Requests]
    counts: NotRequired[dict[str, int]]


class Execution(TypedDict):
    """``execution.json``: how long a run took, and how much memory."""

    schema: int
    run_id: str
    attempt: int
    mode: str
    azure: str
    status: str | None
    started_at: str
    finished_at: str
    collection_seconds: float
    merge_seconds: float | None
    total_seconds: float
    instance_type: str | None
    functions: dict[str, FunctionUse]
    collectors: list[ExecutionEntry]
    findings: NotRequired[list[str]]  # since 0.3.0, as the next five
    changed_rows: NotRequired[int]
    merged_rows: NotRequired[int]
    secret_days_left: NotRequired[int | None]
    architecture: NotRequired[str]
    cost: NotRequired[RunCost]


class JobRecord(TypedDict):
    """What the Batch job of an attempt did, over all its starts; ``attempts`` counts the starts."""

    attempts: int
    seconds: float
    instance_type: str | None
    collectors: list[ExecutionEntry]
    memory: list[MemorySample]
    error: NotRequired[str | None]
    cause: NotRequired[str | None]
    aws_requests: NotRequired[Requests]


def parse_manifest(body: bytes, key: str) -> Manifest:
    """A stored manifest of any schema, in the form of the newest one.

    Args:
        body: The stored bytes.
        key: The object's key, for messages.

    Raises:
        StoreError: The object is no manifest; the message names the key, the field and the value.
    """
    try:
        content = orjson.loads(body)
        schema = content["schema"]
        if schema == FIRST_SCHEMA:
            content = from_first_schema(content)
    except KeyError as error:
        raise StoreError(f"{key} is damaged: {error.args[0]} is missing") from error
    except (ValueError, TypeError, AttributeError) as error:
        raise StoreError(f"{key} is damaged: {type(error).__name__}: {error}") from error
    if schema not in (FIRST_SCHEMA, MANIFEST_SCHEMA):
        raise StoreError(f"{key}: schema {schema!r}, this code reads {FIRST_SCHEMA} and {MANIFEST_SCHEMA}")
    return checked(content, Manifest, key=key)


def parse_execution(body: bytes, key: str) -> Execution:
    """Stored execution statistics. Raises StoreError as ``parse_manifest``."""
    try:
        content = orjson.loads(body)
    except ValueError as error:
        raise StoreError(f"{key} is damaged: {error}") from error
    return checked(content, Execution, key=key)
