"""Computes the cost of a month on AWS: ``python -m benchmarks.costs`` prints the table of docs/costs.md.

``benchmarks/month.py`` has the arithmetic and the assumptions. ``--execution FILE...`` takes seconds, starts of
processes and the changed share from the ``execution.json`` of real ten-minute runs instead.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.month import Usage, month, total
from cdk.settings import FUNCTION_SIZES

# Seconds of a collector in front of the simulated Azure, on a quiet machine of two cores (measured 2026-11-25).
QUICK_SECONDS = {"sps": 2.0, "price": 1.2, "eviction": 1.2, "report": 1.0}

PAGE = Path(__file__).parents[1] / "docs/costs.md"


def choices(base: Usage) -> dict[str, Usage]:
    """The compared choices: one change at a time, and the cheapest together."""
    half_hour, hour = {**base.every, "price": 3, "eviction": 3}, {**base.every, "price": 6, "eviction": 6}
    part = 13 / base.regions
    quick = replace(base, seconds={**base.seconds, **QUICK_SECONDS}, group_seconds=25, init_seconds=0.6)
    return {
        "defaults": base,
        "seconds of one quiet machine": quick,
        "STANDARD children": replace(base, children="STANDARD"),
        "prices and rates every 30 minutes": replace(base, every=half_hour),
        "prices and rates every 60 minutes": replace(base, every=hour),
        "metrics of functions in one hour of six": replace(base, metrics_every_hours=6),
        "1 % of the rows change a run": replace(base, changed_share=0.01),
        "5 % of the rows change a run": replace(base, changed_share=0.05),
        "25 provisioned units": replace(base, write_units=25),
        "13 regions": replace(base, regions=13, workloads=round(base.workloads * part)),
        "x86_64": replace(base, architecture="x86_64"),
        "after a year of keeping everything": replace(base, months_kept=12),
        "60 minutes, 25 provisioned units": replace(base, every=hour, write_units=25),
        "quiet machine, 25 provisioned units": replace(quick, write_units=25),
        "quiet machine, metrics in one hour of six, 1 %": replace(quick, metrics_every_hours=6, changed_share=0.01),
        "quiet machine, metrics in one hour of six, 25 provisioned units": replace(
            quick, metrics_every_hours=6, write_units=25
        ),
        "quiet machine, 60 minutes, 1 %": replace(quick, every=hour, changed_share=0.01),
        "quiet machine, 60 minutes, 25 provisioned units": replace(quick, every=hour, write_units=25),
    }


def table(named: Mapping[str, Usage]) -> str:
    """A Markdown table: one row per choice, one column per service, and both totals last."""
    columns = [*(one.name for one in month(Usage())), "list price", "net of free"]
    lines = ["| choice | " + " | ".join(columns) + " |", "|---|" + "---:|" * len(columns)]
    for name, usage in named.items():
        cells = [f"{dollars:.2f}" for dollars in (*(one.usd for one in month(usage)), *total(usage))]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def measured(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Fields of ``Usage`` from the ``execution.json`` of incremental runs. What they do not hold is left out."""
    found: dict[str, Any] = {}
    seconds = {name: _mean(runs, name, "seconds", "invocations") for name in FUNCTION_SIZES}
    found["seconds"] = {**Usage().seconds, **{name: one for name, one in seconds.items() if one is not None}}
    used = [one for run in runs for name, one in run["functions"].items() if name in FUNCTION_SIZES]
    cold, invoked = sum(one.get("cold_starts", 0) for one in used), sum(one["invocations"] for one in used)
    if cold:
        found["cold_share"] = cold / invoked
        found["init_seconds"] = sum(one["init_seconds"] for one in used) / cold
    rows = sum(run.get("merged_rows", 0) for run in runs)
    if rows:
        found["changed_share"] = sum(run["changed_rows"] for run in runs) / rows
    found["group_seconds"] = sum(run["collection_seconds"] for run in runs) / len(runs)
    return found


def _mean(runs: Iterable[Mapping[str, Any]], function: str, field_name: str, of: str) -> float | None:
    used = [run["functions"][function] for run in runs if function in run["functions"]]
    number = sum(one[of] for one in used)
    return sum(one[field_name] for one in used) / number if number else None


def main(arguments: Iterable[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="What one month costs on AWS")
    parser.add_argument(
        "--execution",
        type=Path,
        nargs="+",
        metavar="FILE",
        help="execution.json of ten-minute runs, whose use is taken",
    )
    parser.add_argument("--write", action="store_true", help="put the table into docs/costs.md, too")
    given = parser.parse_args(None if arguments is None else list(arguments))
    base = Usage()
    if given.execution:
        base = replace(base, **measured([json.loads(one.read_bytes()) for one in given.execution]))
    shown = table(choices(base))
    print(shown)
    if given.write:
        old = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(re.sub(r"\| choice \|.*?(?=\n\n)", lambda _: shown, old, flags=re.S), encoding="utf-8")


if __name__ == "__main__":
    main()
