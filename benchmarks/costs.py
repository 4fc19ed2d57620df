"""Computes the cost of a month on AWS: ``python -m benchmarks.costs`` prints the table of docs/costs.md.

Pure arithmetic with public prices and the use of a run. ``--execution FILE`` takes the functions' seconds from the
``execution.json`` of a real run, in place of the assumptions in this file.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from cdk.settings import FUNCTION_SIZES

# US dollars, us-west-2; pricing pages of each service, read 2026-11; free tiers left out.
TRANSITION = 25e-6  # Step Functions Standard, a state entered; a Map costs its iterations' states
EXPRESS_REQUEST = 1e-6
EXPRESS_GB_SECOND = 16.67e-6  # in steps of 64 MB
LAMBDA_GB_SECOND = {"arm64": 13.3334e-6, "x86_64": 16.6667e-6}
LAMBDA_REQUEST = 0.2e-6
S3_PUT, S3_GET, S3_GB_MONTH = 5e-6, 0.4e-6, 0.023
DYNAMODB_WRITE, DYNAMODB_READ, DYNAMODB_GB_MONTH = 0.625e-6, 0.125e-6, 0.25 + 0.20  # with point-in-time recovery
LOG_GB, METRIC_MONTH, ALARM_MONTH = 0.50, 0.30, 0.10
BATCH_MACHINE_HOUR = 0.045  # a large Graviton machine on the spot market, its address and disk

DAYS = 30
RUNS_A_DAY = 144
STATES_OUTSIDE_THE_MAP = 10
STATES_A_REGION = 4  # the Parallel and its three tasks
COLLECTORS = ("sps", "price", "eviction")
EVICTION_PAGES_A_REGION = 90 / 58  # measured; most of an eviction collector's seconds are waiting for its turns

type MapKind = Literal["inline", "distributed", "nested"]


@dataclass(frozen=True, kw_only=True)
class Usage:
    """The use of a run, and the choices.

    Attributes:
        map_kind: "inline" (Standard), "distributed" (a Map with an EXPRESS child a region), "nested" (one
            EXPRESS machine that holds the inline Map).
        architecture: Architecture of the Lambdas.
        regions: Regions of an incremental run.
        seconds: Function -> seconds of one invocation.
        every: Collector -> n: the data set is collected in every n-th run.
        workloads: Number of workloads in the merged state.
        changed_share: Share of the workloads whose item is written in a run.
        raw_mb: Megabytes written below ``rawdata/`` in a run.
        months_kept: Age of the archive in months.
        log_mb: Megabytes of log lines of a run.
        metrics: Number of custom metrics (name and dimensions).
        alarms: Number of CloudWatch alarms.
        full_run_hours: Machine time of one full run a day.
    """

    map_kind: MapKind = "inline"
    architecture: str = "arm64"
    regions: int = 58
    seconds: Mapping[str, float] = field(
        default_factory=lambda: (
            {"plan": 10, "sps": 8, "price": 6, "eviction": 11, "merge": 20, "history": 3, "report": 7, "notify": 1}
        )
    )
    every: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(COLLECTORS, 1))
    workloads: int = 150_618
    changed_share: float = 0.02
    raw_mb: float = 6.5
    months_kept: int = 1
    log_mb: float = 0.5
    metrics: int = 74
    alarms: int = 29
    full_run_hours: float = 0.75

    @property
    def runs(self) -> int:
        """Incremental runs a month."""
        return DAYS * (RUNS_A_DAY - 1)

    def invocations(self, function: str) -> float:
        """Invocations of a function in a month."""
        return self.runs * (self.regions / self.every[function] if function in COLLECTORS else 1)


def month(usage: Usage) -> dict[str, float]:
    """Dollars of a month, by service."""
    return {
        "Step Functions": _workflow(usage),
        "Lambda": _lambda(usage),
        "S3 requests": _s3_requests(usage),
        "S3 storage": usage.raw_mb / 1024 * usage.runs * usage.months_kept * S3_GB_MONTH,
        "DynamoDB": _dynamodb(usage),
        "Logs": usage.log_mb / 1024 * usage.runs * LOG_GB,
        "Metrics and alarms": usage.metrics * METRIC_MONTH + usage.alarms * ALARM_MONTH,
        "Batch": DAYS * usage.full_run_hours * BATCH_MACHINE_HOUR,
    }


def _tasks(usage: Usage) -> float:
    """Collector tasks of a run, on average."""
    return sum(usage.regions / usage.every[name] for name in COLLECTORS)


def _workflow(usage: Usage) -> float:
    inside = usage.regions * (STATES_A_REGION - len(COLLECTORS)) + _tasks(usage)
    longest = max(usage.seconds[name] for name in COLLECTORS)
    parent = STATES_OUTSIDE_THE_MAP * TRANSITION
    if usage.map_kind == "inline":
        return usage.runs * (parent + inside * TRANSITION)
    if usage.map_kind == "distributed":
        # Each child is taken to be one transition of its parent besides (not confirmed by the price list).
        child = TRANSITION + EXPRESS_REQUEST + longest * 0.0625 * EXPRESS_GB_SECOND
        return usage.runs * (parent + usage.regions * child)
    # One child of 128 MB; 40 regions side by side, so two rounds.
    return usage.runs * (parent + EXPRESS_REQUEST + 2 * longest * 0.125 * EXPRESS_GB_SECOND)


def _lambda(usage: Usage) -> float:
    price = LAMBDA_GB_SECOND[usage.architecture]
    return sum(
        usage.invocations(name) * (usage.seconds[name] * size.memory_mb / 1024 * price + LAMBDA_REQUEST)
        for name, size in FUNCTION_SIZES.items()
    )


def _s3_requests(usage: Usage) -> float:
    # Shards, work items, about twenty files of plan, merge, history and report; each collector reads three objects.
    puts = _tasks(usage) + usage.regions + 20
    gets = 4 * _tasks(usage) + 47
    return usage.runs * (puts * S3_PUT + gets * S3_GET)


def _dynamodb(usage: Usage) -> float:
    # Items under 1 KB, the quota ledger, and a turn at Resource Graph for each page.
    turns = EVICTION_PAGES_A_REGION * usage.regions / usage.every["eviction"]
    writes = usage.workloads * usage.changed_share + 2 * usage.regions + turns
    reads = 6 * usage.regions
    return usage.runs * (writes * DYNAMODB_WRITE + reads * DYNAMODB_READ) + usage.workloads / 1e6 * DYNAMODB_GB_MONTH


def choices(base: Usage) -> dict[str, Usage]:
    """The compared choices: one change at a time, and the cheapest together."""
    slower = {"sps": 1, "price": 3, "eviction": 6}
    part = 13 / base.regions
    return {
        "defaults": base,
        "distributed Map, EXPRESS children": replace(base, map_kind="distributed"),
        "one nested EXPRESS machine": replace(base, map_kind="nested"),
        "prices every 30, eviction rates every 60 min": replace(base, every=slower),
        "1 % of the rows change a run": replace(base, changed_share=0.01),
        "5 % of the rows change a run": replace(base, changed_share=0.05),
        "10 custom metrics": replace(base, metrics=10),
        "13 regions": replace(
            base,
            regions=13,
            workloads=round(base.workloads * part),
            raw_mb=base.raw_mb * part,
            log_mb=base.log_mb * part,
        ),
        "x86_64": replace(base, architecture="x86_64"),
        "after a year of keeping everything": replace(base, months_kept=12),
        "nested, slower prices, 10 metrics": replace(base, map_kind="nested", every=slower, metrics=10),
    }


def table(named: Mapping[str, Usage]) -> str:
    """A Markdown table: one row per choice, one column per service, the total last."""
    columns = [*month(Usage()), "total"]
    lines = ["| choice | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name, usage in named.items():
        paid = month(usage)
        cells = [f"{dollars:.2f}" for dollars in (*paid.values(), sum(paid.values()))]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def measured_seconds(execution: Mapping[str, Any]) -> dict[str, float]:
    """Mean seconds by function from an ``execution.json``. Missing functions are left out."""
    names = {"spot_price": "price", "spot_if": "eviction"}
    functions: Mapping[str, Mapping[str, float]] = execution["functions"]
    means = {
        names.get(service, service): entry["seconds"] / entry["invocations"]
        for service, entry in functions.items()
        if entry["invocations"]
    }
    return {name: seconds for name, seconds in means.items() if name in FUNCTION_SIZES}


def main(arguments: Iterable[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What one month costs on AWS")
    parser.add_argument("--execution", type=Path, help="an execution.json of a run whose seconds are taken")
    given = parser.parse_args(None if arguments is None else list(arguments))
    base = Usage()
    if given.execution:
        base = replace(base, seconds={**base.seconds, **measured_seconds(json.loads(given.execution.read_bytes()))})
    print(table(choices(base)))


if __name__ == "__main__":
    main()
