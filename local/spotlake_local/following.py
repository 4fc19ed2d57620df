"""Follows an execution: its state, the number of stored shards, the seconds of each state."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from spotlake import keys
from spotlake.models import Dataset
from spotlake.state.attempts import attempts_of, read_work
from spotlake.stores.objects import ReadOnlyObjects

if TYPE_CHECKING:
    from mypy_boto3_stepfunctions.client import SFNClient

POLL_SECONDS = 1.0  # a look costs the command and the emulated AWS some 60 ms of a busy machine
COLLECTING_STATES = frozenset({"CollectRegions", "FullRun", "PlanInstead"})
_PLANNING_STATES = frozenset({"Plan", "PlanInstead"})


@dataclass
class Progress:
    """Progress of an execution, reported after every look.

    Attributes:
        state: Present state ("Plan"); "" before the first one.
        attempt: Number of the newest attempt; None before Plan has claimed one.
        expected: Number of shards that the attempt's plan names; None until the plan is stored.
        stored: Number of planned shards that are stored. A full run also lists regions without work; they do not count.
        planned: Data set and collecting region of every planned shard.
    """

    state: str = ""
    attempt: int | None = None
    expected: int | None = None
    stored: int = 0
    planned: frozenset[tuple[Dataset, str]] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How an execution ended.

    Attributes:
        status: SUCCEEDED, FAILED, TIMED_OUT or ABORTED.
        error, cause: Error and cause from Step Functions; None after success.
        seconds_by_state: Seconds from the entry of a state to the entry of the next one.
    """

    status: str
    error: str | None
    cause: str | None
    seconds_by_state: dict[str, float]


def follow(
    client: SFNClient,
    execution_arn: str,
    *,
    objects: ReadOnlyObjects,
    slot_at: datetime,
    show: Callable[[Progress], None],
) -> Ended:
    """Watch an execution until it ends."""
    progress = Progress()
    while True:
        described = client.describe_execution(executionArn=execution_arn)
        entered = _entered(client, execution_arn)
        if described["status"] != "RUNNING":
            return _ended(described, entered)
        if entered:
            progress.state = entered[-1][0]
        # Also after collecting, until the last shard is counted.
        if progress.state in COLLECTING_STATES or progress.stored < (progress.expected or 0):
            _count_shards(progress, objects, slot_at)
        show(progress)
        time.sleep(POLL_SECONDS)


def _entered(client: SFNClient, execution_arn: str) -> list[tuple[str, datetime]]:
    """Names and times of the states entered so far; states inside Map and Parallel are left out."""
    entered: list[tuple[str, datetime]] = []
    depth = 0
    for page in client.get_paginator("get_execution_history").paginate(executionArn=execution_arn):
        for event in page["events"]:
            kind = event["type"]
            if kind.endswith("StateEntered") and depth == 0:
                entered.append((event["stateEnteredEventDetails"]["name"], event["timestamp"]))
            if kind in ("MapStateEntered", "ParallelStateEntered"):
                depth += 1
            elif kind in ("MapStateExited", "ParallelStateExited"):
                depth -= 1
    return entered


def _ended(described: Any, entered: list[tuple[str, datetime]]) -> Ended:
    times = [moment for _, moment in entered] + [described["stopDate"]]
    seconds: dict[str, float] = {}
    for (name, began_at), ended_at in zip(entered, times[1:], strict=True):
        seconds[name] = round(seconds.get(name, 0.0) + (ended_at - began_at).total_seconds(), 3)
    return Ended(
        status=described["status"],
        error=described.get("error"),
        cause=described.get("cause"),
        seconds_by_state=seconds,
    )


def shard_keys(objects: ReadOnlyObjects, dataset: Dataset, slot_at: datetime) -> list[str]:
    """Keys of the shards of a slot that are stored."""
    return list(objects.keys(keys.shards_of_slot(dataset, slot_at)))


def _count_shards(progress: Progress, objects: ReadOnlyObjects, slot_at: datetime) -> None:
    if progress.expected is None or progress.state in _PLANNING_STATES:
        attempts = attempts_of(objects, slot_at)
        work = read_work(objects, slot_at, attempts[-1]) if attempts else None
        progress.attempt = attempts[-1] if attempts else None
        progress.planned = frozenset(work.shards()) if work is not None else frozenset()
        progress.expected = len(progress.planned) if work is not None else None
    stored = (
        (dataset, *keys.region_and_attempt(key)) for dataset in Dataset for key in shard_keys(objects, dataset, slot_at)
    )
    progress.stored = sum(
        number == progress.attempt and (dataset, region) in progress.planned for dataset, region, number in stored
    )
