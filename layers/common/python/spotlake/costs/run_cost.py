"""What one run costs on AWS, from what its functions measured (pure). docs/costs.md says what is counted."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, TypedDict

from spotlake.costs import prices
from spotlake.costs.counting import Requests, added

# States of the parent that a run enters which ends well: Plan, ChooseMode, CollectRegions, Merge, KeepHistory,
# CheckCoverage, Report, ChooseEnd, NotifyRecovery, Collected (tests/infra/test_costs.py compares them with the file).
STATES_OF_A_RUN: Final = 10
JOB_MACHINE_HOUR: Final = 0.045  # assumed: a large Graviton machine on the spot market, its address and its disk
NO_REQUESTS: Final[Requests] = {"s3_puts": 0, "s3_gets": 0, "dynamodb_writes": 0, "dynamodb_reads": 0}


class Used(TypedDict):
    """What one function used in a run: invocations, GB-seconds of its work, GB-seconds of its starts, requests."""

    invocations: int
    gb_seconds: float
    init_gb_seconds: float
    requests: Requests


class RunCost(TypedDict):
    """US dollars of one run at list price, by service."""

    lambda_usd: float
    workflow_usd: float
    s3_usd: float
    dynamodb_usd: float
    batch_usd: float
    total_usd: float


def gb_seconds(seconds: float, memory_mb: float) -> float:
    """Lambda's measure of one invocation, whose time is rounded up to a millisecond.

    >>> gb_seconds(1.0, 512)
    0.5
    """
    return math.ceil(round(seconds * 1000, 6)) / 1000 * memory_mb / 1024


def workflow_usd(children: int = 0, child_seconds: float = 0.0, *, states: float = STATES_OF_A_RUN) -> float:
    """Step Functions: the parent's states, one more for each EXPRESS child, and the children's requests and memory.

    A child keeps 50 MB and its data, so one step of 64 MB (Step Functions pricing, example 4, 2026-11).

    Args:
        children: Number of EXPRESS children.
        child_seconds: Seconds of all children together.
        states: States that the parent enters, and those of STANDARD children.
    """
    memory_gb = prices.EXPRESS_STEP_MB / 1024
    express = children * prices.EXPRESS_REQUEST + child_seconds * memory_gb * prices.EXPRESS_GB_SECOND
    return (states + children) * prices.TRANSITION + express


def requests_usd(requests: Requests) -> float:
    """S3's requests."""
    return requests["s3_puts"] * prices.S3_PUT + requests["s3_gets"] * prices.S3_GET


def units_usd(requests: Requests, write_units: float) -> float:
    """DynamoDB on demand: the table's write units, and one unit for each request to the control table."""
    writes = requests["dynamodb_writes"] + write_units
    return writes * prices.DYNAMODB_WRITE + requests["dynamodb_reads"] * prices.DYNAMODB_READ


def run_cost(
    used: Iterable[Used],
    *,
    architecture: str,
    write_units: float,
    children: int = 0,
    child_seconds: float = 0.0,
    job_seconds: float = 0.0,
) -> RunCost:
    """Add up what a run used.

    Args:
        used: The use of each function.
        architecture: Architecture of the functions, "arm64" or "x86_64".
        write_units: Write units of the workload table.
        children: EXPRESS children of the Map.
        child_seconds: Their seconds together.
        job_seconds: Seconds of the Batch job; 0 without one.
    """
    price, requests, of_lambda = prices.LAMBDA_GB_SECOND[architecture], NO_REQUESTS, 0.0
    for one in used:
        of_lambda += (one["gb_seconds"] + one["init_gb_seconds"]) * price + one["invocations"] * prices.LAMBDA_REQUEST
        requests = added(requests, one["requests"])
    parts = (
        of_lambda,
        workflow_usd(children, child_seconds),
        requests_usd(requests),
        units_usd(requests, write_units),
        job_seconds / 3600 * JOB_MACHINE_HOUR,
    )
    of_lambda, workflow, of_s3, of_dynamodb, batch = (round(one, 6) for one in parts)
    return {
        "lambda_usd": of_lambda,
        "workflow_usd": workflow,
        "s3_usd": of_s3,
        "dynamodb_usd": of_dynamodb,
        "batch_usd": batch,
        "total_usd": round(sum(parts), 6),
    }
