"""The bill of a month on AWS, line by line: arithmetic with ``spotlake/costs/prices.py`` and the counts of counts.json.

``benchmarks/costs.py`` prints it for several choices. What nobody has measured on AWS is an assumption of ``Usage``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

from cdk.settings import COLLECTORS, FUNCTION_SIZES
from spotlake.costs import prices
from spotlake.costs.counting import Requests, added, billed_as
from spotlake.costs.run_cost import JOB_MACHINE_HOUR, NO_REQUESTS, STATES_OF_A_RUN, requests_usd, workflow_usd

DAYS, HOURS = 30, 30 * 24
RUNS_A_DAY = 143  # ten-minute runs; one slot of the day is the full run's
COUNTS: Mapping[str, Any] = json.loads(Path(__file__).with_name("counts.json").read_bytes())
STATES_OF_A_STANDARD_CHILD = 5  # BeginGroup, CollectGroup and its three Maps; each task is one more
# Metrics that are sent in every hour: two of each function, and eight of Merge and Plan. Those of the Batch job are
# sent in one hour a day, and those of problems when there are any.
METRICS = 2 * len(FUNCTION_SIZES) + 8
METRICS_OF_JOB, HOURS_OF_JOB = 2, DAYS
ALARMS = 8

type Children = Literal["EXPRESS", "STANDARD"]


@dataclass(frozen=True, kw_only=True)
class Usage:
    """The use of a run, and the choices. What is not counted or set is assumed, on the safe side.

    Attributes:
        children: What each group of regions is (setting ``map_children``).
        groups: Groups of regions.
        architecture: Architecture of the Lambdas.
        regions: Regions of an incremental run.
        seconds: Assumed: function -> seconds of one invocation.
        idle_seconds: Assumed: seconds of a collector whose listing is not due.
        group_seconds: Assumed: seconds of a group of regions.
        init_seconds, cold_share: Assumed: billed start of a process, and the share of invocations that need one.
        every: Collector -> n: the listing is due in every n-th run.
        workloads: Number of workloads in the merged state.
        changed_share: Assumed: share of the workloads whose item is written in a run.
        metrics_every_hours: In one hour of so many the functions send memory and duration as metrics.
        write_units, read_units: Units of the workload table that are paid by the hour; writes 0: paid by request.
        months_kept: Age of the archive in months.
        full_run_hours: Assumed: machine time of one full run a day.
    """

    children: Children = "EXPRESS"
    groups: int = 4
    architecture: str = "arm64"
    regions: int = COUNTS["full"]["regions"]
    seconds: Mapping[str, float] = field(
        default_factory=lambda: (
            {"plan": 10, "sps": 5, "price": 6, "eviction": 2.5, "merge": 20, "history": 3, "report": 3, "notify": 1}
        )
    )
    idle_seconds: float = 0.5
    group_seconds: float = 60
    init_seconds: float = 1.5
    cold_share: float = 0.6
    every: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(COLLECTORS, 1))
    workloads: int = COUNTS["full"]["rows"]
    changed_share: float = 0.02
    metrics_every_hours: int = 1
    write_units: int = 0
    read_units: int = 5
    months_kept: int = 1
    full_run_hours: float = 0.75

    @property
    def runs(self) -> int:
        """Incremental runs a month."""
        return DAYS * RUNS_A_DAY

    def invocations(self, function: str) -> int:
        """Invocations of a function in one run. A collector is invoked when its listing is not due, too."""
        return self.regions if function in COLLECTORS else 1

    def due(self, function: str) -> float:
        """Share of a function's invocations that do their work."""
        return 1 / self.every[function] if function in COLLECTORS else 1.0


class Line(NamedTuple):
    """One line of the bill: dollars of a month at list price, and how many of them the always-free tier pays."""

    name: str
    usd: float
    free_usd: float = 0.0


def month(usage: Usage) -> list[Line]:
    """The bill of a month."""
    return [
        _workflow(usage),
        _lambda(usage),
        _starts(usage),
        Line("S3 requests", usage.runs * requests_usd(requests_of_a_run(usage))),
        _s3_storage(usage),
        _dynamodb(usage),
        _logs(usage),
        _metrics(usage),
        Line("Alarms", ALARMS * prices.ALARM_MONTH, min(ALARMS, prices.FREE["alarms"]) * prices.ALARM_MONTH),
        Line("Batch", DAYS * usage.full_run_hours * JOB_MACHINE_HOUR),
        _rest(usage),
    ]


def requests_of_a_run(usage: Usage) -> Requests:
    """Requests of one run. Those of a collector grow with its regions; those of the other steps by a straight line.

    The line goes through the small and the full run of counts.json. A collector that is not due reads its work.
    """
    small, full = COUNTS["small"], COUNTS["full"]
    share = (usage.regions - small["regions"]) / (full["regions"] - small["regions"])
    total = _line(_of_other_steps(small), _of_other_steps(full), share)
    for name in COLLECTORS:
        counted = full["functions"][name]
        due = usage.due(name)
        asked = _scaled(counted["requests"], usage.regions / counted["invocations"] * due)
        idle = _scaled({**NO_REQUESTS, "s3_gets": 1}, usage.regions * (1 - due))
        total = added(total, added(asked, idle))
    return total


def _of_other_steps(counts: Mapping[str, Any]) -> Requests:
    """Requests that the emulated AWS counted, without those of the collectors."""
    requests = NO_REQUESTS
    for operation, number in counts["operations"].items():
        billed = billed_as(*operation.split(" "))
        if billed is not None:
            one: Any = {**NO_REQUESTS, billed: number}
            requests = added(requests, one)
    for name in COLLECTORS:
        requests = added(requests, counts["functions"][name]["requests"], -1)
    return requests


def _line(small: Requests, full: Requests, share: float) -> Requests:
    return added(small, _scaled(added(full, small, -1), share))


def _scaled(requests: Requests, factor: float) -> Requests:
    """Mean requests, which need not be whole."""
    scaled: Any = {name: number * factor for name, number in cast("dict[str, float]", requests).items()}
    return cast("Requests", scaled)


def _workflow(usage: Usage) -> Line:
    children, states = usage.groups, float(STATES_OF_A_RUN)
    if usage.children == "STANDARD":
        states += usage.groups * (1 + STATES_OF_A_STANDARD_CHILD) + len(COLLECTORS) * usage.regions
        children = 0
    dollars = usage.runs * workflow_usd(children, children * usage.group_seconds, states=states)
    free = min(usage.runs * (states + children), prices.FREE["transitions"]) * prices.TRANSITION
    return Line("Step Functions", dollars, free)


def _gb_seconds(usage: Usage) -> float:
    """GB-seconds of a month's work, without the starts of processes."""
    total = 0.0
    for name, size in FUNCTION_SIZES.items():
        due = usage.due(name)
        seconds = usage.seconds[name] * due + usage.idle_seconds * (1 - due)
        total += usage.runs * usage.invocations(name) * seconds * size.memory_mb / 1024
    return total


def _start_gb_seconds(usage: Usage) -> float:
    started = sum(usage.invocations(name) * size.memory_mb / 1024 for name, size in FUNCTION_SIZES.items())
    return usage.runs * started * usage.cold_share * usage.init_seconds


def _lambda(usage: Usage) -> Line:
    price = prices.LAMBDA_GB_SECOND[usage.architecture]
    work, starts = _gb_seconds(usage), _start_gb_seconds(usage)
    invoked = usage.runs * sum(usage.invocations(name) for name in FUNCTION_SIZES)
    free_work = min(work, max(prices.FREE["lambda_gb_seconds"] - starts, 0.0)) * price
    free_requests = min(invoked, prices.FREE["lambda_requests"]) * prices.LAMBDA_REQUEST
    return Line("Lambda", work * price + invoked * prices.LAMBDA_REQUEST, free_work + free_requests)


def _starts(usage: Usage) -> Line:
    price, starts = prices.LAMBDA_GB_SECOND[usage.architecture], _start_gb_seconds(usage)
    return Line("Lambda INIT", starts * price, min(starts, prices.FREE["lambda_gb_seconds"]) * price)


def _s3_storage(usage: Usage) -> Line:
    full = COUNTS["full"]
    share = usage.regions / full["regions"]
    kept_gb = full["kept_bytes"] * share / 2**30 * usage.runs * usage.months_kept
    replaced_gb = full["replaced_bytes"] * share / 2**30 * RUNS_A_DAY  # overwritten versions stay for a day
    return Line("S3 storage", (kept_gb + replaced_gb) * prices.S3_GB_MONTH)


def _dynamodb(usage: Usage) -> Line:
    requests, gb = requests_of_a_run(usage), usage.workloads / 1e6  # an item is 1 KB at most
    backup = gb * prices.DYNAMODB_BACKUP_GB_MONTH
    stored = gb * prices.DYNAMODB_GB_MONTH
    reads = usage.runs * requests["dynamodb_reads"] * prices.DYNAMODB_READ
    writes = usage.runs * requests["dynamodb_writes"] * prices.DYNAMODB_WRITE
    free = min(gb, prices.FREE["dynamodb_gb"]) * prices.DYNAMODB_GB_MONTH
    if usage.write_units:
        write, read = HOURS * prices.DYNAMODB_PROVISIONED_WRITE_HOUR, HOURS * prices.DYNAMODB_PROVISIONED_READ_HOUR
        table = usage.write_units * write + usage.read_units * read
        free += min(usage.write_units, prices.FREE["dynamodb_provisioned_writes"]) * write
        free += min(usage.read_units, prices.FREE["dynamodb_provisioned_reads"]) * read
    else:
        table = usage.runs * usage.workloads * usage.changed_share * prices.DYNAMODB_WRITE
    return Line("DynamoDB", table + writes + reads + stored + backup, free)


def _logs(usage: Usage) -> Line:
    gb = COUNTS["full"]["log_bytes"] * usage.regions / COUNTS["full"]["regions"] / 2**30 * usage.runs
    return Line("Logs", gb * prices.LOG_GB, min(gb, prices.FREE["log_gb"]) * prices.LOG_GB)


def _metrics(usage: Usage) -> Line:
    of_functions = 2 * len(FUNCTION_SIZES)  # memory and duration
    sent = METRICS - of_functions + of_functions / usage.metrics_every_hours + METRICS_OF_JOB * HOURS_OF_JOB / HOURS
    return Line("Metrics", sent * prices.METRIC_MONTH, min(sent, prices.FREE["metrics"]) * prices.METRIC_MONTH)


def _rest(usage: Usage) -> Line:
    traces = usage.runs * prices.TRACE  # one of ten minutes' work
    images = 0.5 * prices.ECR_GB_MONTH
    return Line("X-Ray, ECR", traces + images, min(usage.runs, prices.FREE["traces"]) * prices.TRACE)


def total(usage: Usage) -> tuple[float, float]:
    """Dollars of a month at list price, and net of the always-free tier."""
    paid = month(usage)
    return sum(one.usd for one in paid), sum(one.usd - one.free_usd for one in paid)
