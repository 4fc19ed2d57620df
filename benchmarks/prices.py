"""Counts what the price collector reads and rejects: all regions of the simulated list, with every oddity.

``python -m benchmarks.prices`` prints the table of docs/prices.md.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from spotlake.azure.http import new_session
from spotlake.azure.price_rules import REJECTED_KINDS
from spotlake.clock import Deadline, ManualClock
from spotlake.models import Mode, Run, WorkItem, run_id_of
from spotlake.settings import Settings
from spotlake.stores.objects import MemoryObjects
from spotlake.usecases.collect.prices import PriceDeps, collect_prices
from spotlake_local.azure.simulated import SimulatedAzure

SLOT_AT = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, SimulatedAzure.start(Path(folder), subscriptions=1) as azure:
        azure.set_clock(SLOT_AT)
        measured = [(name, *_collect_all(azure, ondemand=ondemand)) for name, ondemand in _COLUMNS.items()]
    print("| |", " | ".join(name for name, _, _ in measured), "|")
    print("|---|" + "---:|" * len(measured))
    for kind in ("requests", "rows_read", "rows", *(f"rejected_{kind}" for kind in REJECTED_KINDS)):
        if any(counts[kind] for _, counts, _ in measured):
            shown = " | ".join(f"{counts[kind]:,}" for _, counts, _ in measured)
            print(f"| {kind.removeprefix('rejected_')} | {shown} |")
    print("| CPU seconds of the collector |", " | ".join(f"{seconds:.1f}" for _, _, seconds in measured), "|")


_COLUMNS: Mapping[str, bool] = {"spot prices alone": False, "with on-demand": True}


def _collect_all(azure: SimulatedAzure, *, ondemand: bool) -> tuple[Counter[str], float]:
    run = Run(
        run_id=run_id_of(SLOT_AT),
        mode=Mode.INCREMENTAL,
        desired_counts=(1,),
        started_at=SLOT_AT,
        owner="benchmark",
        attempt=1,
    )
    deps = PriceDeps(
        objects=MemoryObjects(),
        session=new_session(),
        clock=ManualClock(SLOT_AT),
        deadline=Deadline.after(600),
        settings=Settings(**cast("dict[str, Any]", azure.settings())),
    )
    counts: Counter[str] = Counter()
    began = time.process_time()
    for region in azure.world().ondemand:
        report = collect_prices(run, WorkItem(region=region, ondemand=ondemand), deps)
        counts.update(report.counts, rows=report.rows)
    return counts, time.process_time() - began


if __name__ == "__main__":
    main()
