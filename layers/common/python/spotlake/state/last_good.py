"""The last good run of each region: row counts, to notice a fall; when it was; when on-demand was asked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from spotlake import keys
from spotlake.models import CollectorReport, Dataset, from_iso, to_iso
from spotlake.stores.objects import ObjectStore, ReadOnlyObjects, read_json, write_json

KEY = keys.STATE_PREFIX + "last_good.json.gz"
SCHEMA = 1


@dataclass(frozen=True, kw_only=True)
class LastGood:
    """By region.

    Attributes:
        rows: Region -> data set -> rows listed in the last good run.
        collected_at: Region -> data set -> slot (ISO) of the last good run.
        ondemand_at: Region -> slot (ISO) in which on-demand prices were last asked.
    """

    rows: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    collected_at: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    ondemand_at: Mapping[str, str] = field(default_factory=dict)

    def ondemand_is_due(self, region: str, slot_at: datetime, refresh_hours: int) -> bool:
        """Whether a region's on-demand prices are older than the setting allows, or unknown."""
        last = self.ondemand_at.get(region)
        return last is None or slot_at - from_iso(last) >= timedelta(hours=refresh_hours)


def read_last_good(objects: ReadOnlyObjects) -> LastGood:
    """The state; empty before the first run."""
    content, _ = read_json(objects, KEY, schema=SCHEMA)
    if content is None:
        return LastGood()
    return LastGood(
        rows=content["rows"], collected_at=content.get("collected_at", {}), ondemand_at=content["ondemand_at"]
    )


def fold_last_good(objects: ObjectStore, slot_at: datetime, reports: Iterable[CollectorReport]) -> None:
    """Fold a run's complete reports into the state (one writer: the execution with the claim)."""
    before = read_last_good(objects)
    rows = {region: dict(counts) for region, counts in before.rows.items()}
    collected = {region: dict(slots) for region, slots in before.collected_at.items()}
    ondemand = dict(before.ondemand_at)
    for report in reports:
        if report.status != "complete":
            continue
        listed = report.counts.get("listed_rows", report.rows)
        rows.setdefault(report.region, {})[report.dataset.value] = listed
        slots = collected.setdefault(report.region, {})
        slots[report.dataset.value] = max(to_iso(slot_at), slots.get(report.dataset.value, ""))
        if report.dataset is Dataset.PRICE and report.counts.get("ondemand_asked"):
            ondemand[report.region] = max(to_iso(slot_at), ondemand.get(report.region, ""))
    content = {"rows": rows, "collected_at": collected, "ondemand_at": ondemand}
    write_json(objects, KEY, content, schema=SCHEMA)
