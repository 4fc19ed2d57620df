"""Price lists with holes, and the first of a month, at full size: ``python -m benchmarks.listing_days`` (minutes).

All regions go from plan to manifest, slot after slot, with prices and eviction rates; only the stores are in memory,
and Azure is simulated with every oddity of its list. What comes out is held against what is true there. Exit code 1
when a price is wrong, a missing pair is not named, or an alarm would ring. docs/prices.md shows the table.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from rich.console import Console

from spotlake.models import Dataset, Mode
from spotlake_local.azure.simulated import SimulatedAzure
from tests.support.listing_days import ListingDays

FIRST = datetime(2026, 11, 30, 10, 0, tzinfo=UTC)
_WIDTHS = (20, 35, 71, 105, 150, 220, 295, 300)  # rows that a hole takes; the first three as seen in August 2026

type Prices = dict[tuple[str, str], float]  # by region and size


def main() -> int:
    console = Console(width=140)
    with tempfile.TemporaryDirectory() as folder, SimulatedAzure.start(Path(folder), subscriptions=1) as azure:
        measured = _Days(azure)
        for name, slot_at, mode, options in _slots(measured.regions):
            azure.options(**options)
            console.print(measured.run(name, slot_at, mode))
    return measured.faults


def _slots(regions: tuple[str, ...]) -> list[tuple[str, datetime, Mode, dict[str, Any]]]:
    """Name, time, mode and the simulator's options of each slot; options stay until they are turned again."""
    holes = {region: _WIDTHS[number % len(_WIDTHS)] for number, region in enumerate(regions)}
    slot, day = timedelta(minutes=10), timedelta(days=1)
    slots: list[tuple[str, timedelta, dict[str, Any]]] = [
        ("as always", slot, {}),
        ("holes in every region", 2 * slot, {"retail_holes": holes}),
        ("narrow requests miss them too", 3 * slot, {"retail_holes_narrow": True}),
        ("the same, ten minutes later", 4 * slot, {}),
        ("the same, eight hours later", 50 * slot, {}),
        ("healed", 51 * slot, {"retail_holes": {}, "retail_holes_narrow": False}),
        ("first of the month, prices change", day, {}),
        ("the same, ten minutes later", day + slot, {}),
        ("the same, half an hour later", day + 3 * slot, {}),
        ("second of the month", 2 * day, {}),
        ("third of the month, all are back", 3 * day, {}),
    ]
    incremental = [(name, FIRST + after, Mode.INCREMENTAL, options) for name, after, options in slots]
    return [("full run", FIRST, Mode.FULL, {}), *incremental]


class _Days:
    """Runs, each held against what is true."""

    def __init__(self, azure: SimulatedAzure) -> None:
        self.world = azure.world()
        self.regions = tuple(region for region in self.world.regions if self.world.spot_sizes(region))
        self.days = ListingDays(azure, self.regions)
        self.kept: Prices = {}
        self.faults = 0
        print("| slot | requests | narrow | healed | unconfirmed | not named | wrong | changed | alarms | CPU s |")
        print("|---|---:|---:|---:|---:|---:|---:|---:|---|---:|")

    def run(self, name: str, slot_at: datetime, mode: Mode) -> str:
        """One slot; a row of the table."""
        began = time.process_time()
        manifest = self.days.run(slot_at, mode)
        seconds = time.process_time() - began
        listed = self._listed(slot_at)
        true = {
            (region, size): price
            for region in self.regions
            for size in self.world.spot_sizes(region)
            if (price := self.world.spot_price(region, size, slot_at)) is not None
        }
        named = {(region, size) for region, one in manifest["unconfirmed"]["regions"].items() for size in one["sizes"]}
        lacking = {pair for pair in (*true, *self.kept) if pair not in listed}
        shown = self._shown()
        expected = {**self.kept, **listed}
        wrong = sum(price != true.get(pair) for pair, price in listed.items())
        wrong += sum(shown.get(pair) != price for pair, price in expected.items())
        changed = sum(self.kept.get(pair) != price for pair, price in listed.items()) if self.kept else 0
        self.kept = expected
        alarms = _alarms(self.days, manifest)
        unnamed = len(lacking ^ named)
        self.faults |= bool(wrong or unnamed or alarms or manifest["stale"])
        reports = [one for one in self.days.reports if one.dataset is Dataset.PRICE]
        requests, narrow, healed = (
            sum(one.counts[count] for one in reports) for count in ("requests", "narrow_requests", "healed_sizes")
        )
        share = f"{changed:,} ({100 * changed / len(listed):.0f} %)"
        row = (name, requests, narrow, f"{healed:,}", f"{len(lacking):,}", unnamed, wrong, share)
        return "| " + " | ".join(map(str, (*row, ", ".join(alarms) or "none", f"{seconds:.0f}"))) + " |"

    def _listed(self, slot_at: datetime) -> Prices:
        """Spot prices of the slot's shards, of sizes that can be spot."""
        return {
            (region, row.instance_type): row.spot_price_usd_per_hour or 0.0
            for region in self.regions
            for known in (set(self.world.spot_sizes(region)),)
            for row in self.days.spot_rows(slot_at, region)
            if row.instance_type in known
        }

    def _shown(self) -> Prices:
        """Spot prices of the table."""
        found = self.days.values("SpotPrice")
        return {(workload.partition("#")[0], size): price for (size, workload), (price,) in found.items()}


def _alarms(days: ListingDays, manifest: Mapping[str, Any]) -> list[str]:
    """What would ring on the numbers of prices."""
    result, settings = days.results[-1], days.settings
    limits = {
        "new_unknown_kinds": 1,
        "new_price_disagreements": 1,
        "unconfirmed_percent": settings.unconfirmed_alarm_percent,
        "witness_disagreement_percent": settings.witness_alarm_percent,
        "rows_difference_percent": settings.rows_alarm_percent,
    }
    values: Mapping[str, Any] = {**manifest, **result}
    return [name for name, limit in limits.items() if (values.get(name) or 0) >= limit]


if __name__ == "__main__":
    sys.exit(main())
